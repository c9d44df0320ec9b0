"""GitLab's REST API (version 4), as far as issues go; lines that begin with a slash are commands to it."""

from __future__ import annotations

import re
from typing import Any

from aiohttp import web

from connectors.pretend import TOKEN, Pretender, Said

_COMMAND = re.compile(r"^[ \t]*/(close|confidential|assign)\b", re.MULTILINE)


class PretendGitLab(Pretender):
    """Projects shop/checkout and shop/old (archived)."""

    def __init__(self) -> None:
        super().__init__()
        self.issues: list[dict[str, Any]] = []

    async def tickets(self) -> list[dict[str, Any]]:
        return [
            {
                "id": str(issue["iid"]),
                "title": issue["title"],
                "text": issue["description"],
                "open": issue["state"] == "opened",
                "comments": [note["body"] for note in issue["_notes"]],
                "issue": issue,
            }
            for issue in self.issues
        ]

    async def answer(self, request: web.Request, body: Any) -> Any:
        if request.headers.get("PRIVATE-TOKEN") != TOKEN:
            raise Said(401, {"message": "401 Unauthorized"})
        path = request.rel_url.raw_path.removeprefix("/api/v4/").split("/")
        if path == ["users"]:
            return [{"id": 7, "username": "ana"}] if request.query["username"] == "ana" else []
        if path[0] != "projects" or path[1] not in {"shop%2Fcheckout", "shop%2Fold"}:
            raise Said(404, {"message": "404 Project Not Found"})
        if len(path) == 2:
            return {"id": 1, "archived": path[1] == "shop%2Fold", "issues_enabled": True}
        match [request.method, *path[2:]]:
            case ["GET", "issues"]:
                return self._list(request)
            case ["POST", "issues"]:
                return 201, self._made(body)
            case [method, "issues", number, *rest]:
                if not number.isdecimal() or not 0 < int(number) <= len(self.issues):
                    raise Said(404, {"message": "404 Issue Not Found"})
                return self._issue(request, method, self.issues[int(number) - 1], rest, body)
        raise Said(404, {"error": "404 Not Found"})

    def _list(self, request: web.Request) -> Any:
        query = request.query
        assert (query["state"], query["sort"], query["order_by"]) == ("opened", "desc", "created_at")
        own = query["scope"] == "created_by_me"
        found = [i for i in self.issues if i["state"] == "opened" and not (own and i.get("_others"))]
        page, size = int(query["page"]), int(query["per_page"])
        return [_shown(issue) for issue in found[::-1][(page - 1) * size : page * size]]

    def _made(self, body: dict[str, Any]) -> dict[str, Any]:
        self._check(body)
        number = len(self.issues) + 1
        issue = {
            "id": 1000 + number,
            "iid": number,
            "state": "opened",
            "web_url": f"https://gitlab.example/shop/checkout/-/issues/{number}",
            "_notes": [],
            **body,
        }
        self.issues.append(issue)
        self._obey(issue, body["description"])
        return _shown(issue)

    def _check(self, body: dict[str, Any]) -> None:
        if len(body.get("title", "")) > 255:
            raise Said(400, {"message": {"title": ["is too long (maximum is 255 characters)"]}})
        if len(body.get("description", "")) > 1_048_576:
            raise Said(400, {"message": {"description": ["is too long (maximum is 1048576 characters)"]}})

    def _obey(self, issue: dict[str, Any], text: str) -> None:
        if _COMMAND.search(text):
            issue["state"] = "closed"

    def _issue(self, request: web.Request, method: str, issue: dict[str, Any], rest: list[str], body: Any) -> Any:
        match [method, *rest]:
            case ["GET"]:
                return _shown(issue)
            case ["PUT"]:
                self._check(body)
                if body.pop("state_event", "") == "close":
                    issue["state"] = "closed"
                issue.update(body)
                return _shown(issue)
            case ["GET", "notes"]:
                assert (request.query["sort"], request.query["order_by"]) == ("desc", "created_at")
                page, size = int(request.query["page"]), int(request.query["per_page"])
                return issue["_notes"][::-1][(page - 1) * size : page * size]
            case ["POST", "notes"]:
                issue["_notes"].append({"id": 1, "body": body["body"], "system": False})
                self._obey(issue, body["body"])
                return 201, issue["_notes"][-1]
        raise Said(405, {"error": "405 Method Not Allowed"})


def _shown(issue: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in issue.items() if not name.startswith("_")}
