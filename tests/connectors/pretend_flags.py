"""LaunchDarkly, Unleash and Flagsmith with one flag, "new_checkout", that is on.

Unleash answers as a real one (7.5) did; LaunchDarkly and Flagsmith as their documentation and source have it.
"""

from __future__ import annotations

from typing import Any, ClassVar

from aiohttp import web

from connectors.deliveries import golden
from connectors.wire import Pretend
from quell.sdk.connector import Connector
from quell_connectors.flagsmith import Flagsmith
from quell_connectors.launchdarkly import LaunchDarkly
from quell_connectors.unleash import Unleash

TOKEN = "t0ken-abc"


class PretendFlags(Pretend):
    """``on`` is what the flag is."""

    kind: ClassVar[type[Connector]]
    folder: ClassVar[str]
    sent: ClassVar[str]
    """What the header Authorization must say."""
    denied: ClassVar[dict[str, Any]]
    place: ClassVar[str]
    """How sentences name the flag."""

    def __init__(self) -> None:
        super().__init__()
        self.on = True
        self.bodies: list[tuple[str, str, Any]] = []

    async def answer(self, request: web.Request, body: Any) -> web.Response:
        if request.headers.get("Authorization") != self.sent:
            return web.json_response(self.denied, status=401)
        if request.method != "GET":
            self.bodies.append((request.method, request.path, body))
        return self.flag(request, body) or web.json_response(golden(f"{self.folder}/not-found.json"), status=404)

    def flag(self, request: web.Request, body: Any) -> web.Response | None:
        raise NotImplementedError


class PretendLaunchDarkly(PretendFlags):
    kind, folder, sent = LaunchDarkly, "launchdarkly", TOKEN
    denied: ClassVar = {"code": "unauthorized", "message": "Invalid key"}
    place = "flag new_checkout of project shop in production"

    def flag(self, request: web.Request, body: Any) -> web.Response | None:
        if request.path != "/api/v2/flags/shop/new_checkout":
            return None
        if request.method == "PATCH":
            if request.headers["Content-Type"] != "application/json; domain-model=launchdarkly.semanticpatch":
                return web.json_response({"code": "invalid_request", "message": "not a JSON patch"}, status=400)
            self.on = body["instructions"] == [{"kind": "turnFlagOn"}]
        shown = golden("launchdarkly/flag.json")
        environments = shown["environments"]
        environments["production"]["on"] = self.on
        if request.query.get("env", "production") not in environments:
            environments.clear()
        return web.json_response(shown)


class PretendUnleash(PretendFlags):
    kind, folder, sent = Unleash, "unleash", TOKEN
    denied: ClassVar = {"id": "1", "name": "UnauthorizedError", "message": "You must log in to use Unleash."}
    place = "flag new_checkout of project shop in production"

    def flag(self, request: web.Request, body: Any) -> web.Response | None:
        path = "/api/admin/projects/shop/features/new_checkout/environments/production"
        match request.method, request.path:
            case "GET", way if way == path:
                return web.json_response({**golden("unleash/environment.json"), "enabled": self.on})
            case "POST", way if way in (f"{path}/on", f"{path}/off"):
                self.on = way.endswith("/on")
                return web.Response(status=200)
        return None


class PretendFlagsmith(PretendFlags):
    kind, folder, sent = Flagsmith, "flagsmith", f"Api-Key {TOKEN}"
    denied: ClassVar = {"detail": "Valid Master API Key not found."}
    place = "flag new_checkout in production"

    def flag(self, request: web.Request, body: Any) -> web.Response | None:
        path = "/api/v1/environments/production/featurestates/"
        shown = golden("flagsmith/featurestates.json")
        if (request.method, request.path) == ("PUT", f"{path}20/"):
            self.on = body["enabled"]
        elif (request.method, request.path) != ("GET", path):
            return None
        shown["results"][0]["enabled"] = self.on
        if request.method == "PUT":
            return web.json_response(shown["results"][0])
        known = request.query["feature_name"] == "new_checkout"
        return web.json_response(shown if known else {**shown, "count": 0, "results": []})


ALL: tuple[type[PretendFlags], ...] = (PretendLaunchDarkly, PretendUnleash, PretendFlagsmith)


def options_of(pretend: type[PretendFlags]) -> dict[str, Any]:
    """Options that every one of them is given."""
    given = {"project": "shop", "environment": "production"}
    return {name: given[name] for name in given if any(option.name == name for option in pretend.kind.spec.options)}
