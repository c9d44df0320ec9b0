"""Atlassian's Statuspage API, as far as incidents and components go."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from connectors.pretend import TOKEN, Pretender, Said

_NAMES = frozenset({
    "name", "status", "body", "metadata", "components", "component_ids", "impact_override", "deliver_notifications",
})  # fmt: skip


class PretendStatuspage(Pretender):
    """Page p1 with two components. Everything but ``metadata`` is public."""

    def __init__(self) -> None:
        super().__init__()
        self.incidents: list[dict[str, Any]] = []
        self.told = 0

    async def tickets(self) -> list[dict[str, Any]]:
        return [
            {
                "id": one["id"],
                "title": one["name"],
                "text": one["updates"][0]["body"],
                "open": one["status"] != "resolved",
                "comments": [update["body"] for update in one["updates"][1:] if update["status"] != "resolved"],
                "incident": one,
            }
            for one in self.incidents
        ]

    async def answer(self, request: web.Request, body: Any) -> Any:
        if request.headers.get("Authorization") != f"OAuth {TOKEN}":
            raise Said(401, {"error": "Could not authenticate"})
        match [request.method, *request.path.removeprefix("/v1/pages/").split("/")]:
            case [_, page, *_] if page != "p1":
                raise Said(404, {"error": "Resource not found"})
            case ["GET", _, "components"]:
                both = [{"id": "c1", "name": "Checkout"}, {"id": "c2", "name": "Cart"}]
                return both if request.query["page"] == "1" else []
            case ["GET", _, "incidents", "unresolved"]:
                page, size = int(request.query["page"]), int(request.query["per_page"])
                found = [_shown(one) for one in self.incidents[::-1] if one["status"] != "resolved"]
                return found[(page - 1) * size : page * size]
            case ["POST", _, "incidents"]:
                number = f"inc{len(self.incidents) + 1}"
                one = {"id": number, "shortlink": f"https://stspg.example/{number}", "metadata": {}, "updates": [],
                       "components": {}}  # fmt: skip
                self._set(one, body["incident"])
                self.incidents.append(one)
                return 201, _shown(one)
            case [method, _, "incidents", number]:
                found = [one for one in self.incidents if one["id"] == number]
                if not found:
                    raise Said(404, {"error": "Resource not found"})
                if method == "PATCH":
                    self._set(found[0], body["incident"])
                return _shown(found[0])
        raise Said(404, {"error": "Resource not found"})

    def _set(self, one: dict[str, Any], given: dict[str, Any]) -> None:
        assert set(given) <= _NAMES, given
        metadata = given.get("metadata", {})
        if not all(isinstance(value, dict) for value in metadata.values()):
            raise Said(422, {"error": ["Metadata top-level values must be objects"]})
        if len(given.get("body", "")) > 25_000 or len(given.get("name", "")) > 255:
            raise Said(422, {"error": ["Body is too long"]})
        one.update({name: value for name, value in given.items() if name not in {"body", "components"}})
        one["components"] |= given.get("components", {})
        if "body" in given:
            one["updates"].append({"status": one["status"], "body": given["body"]})
            self.told += bool(given.get("deliver_notifications", True))


def _shown(one: dict[str, Any]) -> dict[str, Any]:
    components = [{"id": number, "name": number, "status": status} for number, status in one["components"].items()]
    return {**one, "incident_updates": one["updates"][::-1], "components": components}
