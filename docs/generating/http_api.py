"""The HTTP API, from FastAPI's own routes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

from fastapi import FastAPI, Request
from fastapi.routing import APIRoute

from generating.markdown import literal, table
from quell.daemon.api.acting import acting
from quell.daemon.api.app import PREFIX
from quell.daemon.api.listed import Newest
from quell.daemon.api.reading import reading
from quell.daemon.api.services import Services
from quell.model.state import State

HEAD = f"""# HTTP API

All paths stand below `{PREFIX}`; `GET {PREFIX}/openapi.json` has them for programs. Send a token of
[tokens.yaml](config.md#tokensyaml) with each request: `Authorization: Bearer qll_…`. What needs a scope that the token
does not have is answered with 403. The commands use nothing else. A star marks what is required.

Bodies are JSON objects. Times are RFC 3339 in UTC. An error is `{{"error": "…"}}`: 401 no valid token, 404 there is no
such thing, 409 refused, with the reason, 413 too large, 422 not understood, 503 not taken now, send it again. 202 says
that an act is accepted and will be decided over.

[Pages for people](../how-to/browser.md) are at `/`, with a log in of their own. Beside it and without a token:
`/health` (the process runs), `/ready` (it takes alerts; 503 while it starts or ends) and `/metrics` (for Prometheus).
What [connectors](connectors.md) receive and serve has paths of its own.
"""


@dataclass
class _Asked:
    """Stands for a caller: notes which scope is asked of him."""

    scopes: list[str] = field(default_factory=list)

    def may(self, scope: str) -> bool:
        """He may; it is noted."""
        self.scopes.append(scope)
        return True


def http_api_page() -> Iterator[str]:
    """A table of reading and one of acting."""
    nothing = cast("Services", None)  # asked for by requests only
    yield HEAD
    for title, router in (("Read", reading(nothing, Newest(State))), ("Act", acting(nothing))):
        app = FastAPI()
        app.include_router(router)
        described = app.openapi()
        rows = [_row(route, described) for route in router.routes if isinstance(route, APIRoute)]
        yield from (f"## {title}", "")
        yield from table(("Request", "Scope", "What", "Query or body"), rows)
        yield ""


def _row(route: APIRoute, described: dict[str, Any]) -> tuple[str, str, str, str]:
    method = min(route.methods or ())
    told = described["paths"][route.path_format][method.lower()]
    given = [_parameter(one) for one in told.get("parameters", ()) if one["in"] == "query"]
    body = told.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    shape = described.get("components", {}).get("schemas", {}).get(body.get("$ref", "").rpartition("/")[2], {})
    needed = shape.get("required", ())
    given += [f"`{name}`{'*' if name in needed else ''}" for name in shape.get("properties", ())]
    return f"`{method} {route.path_format}`", f"`{_scope(route)}`", route.summary or "", ", ".join(given)


def _parameter(one: dict[str, Any]) -> str:
    schema = one["schema"]
    plain = schema if "anyOf" not in schema else schema["anyOf"][0]
    words = "/".join(plain.get("enum", ()))
    default = schema.get("default")
    text = f"`{one['name']}`{'*' if one.get('required') else ''}"
    text += f" {words}" if words else ""
    return text if default in {None, ""} else f"{text} ({literal(default)})"


def _scope(route: APIRoute) -> str:
    """The scope that the route's own dependency asks for."""
    asked = _Asked()
    for dependency in route.dependant.dependencies:
        assert dependency.call is not None
        dependency.call(Request({"type": "http", "quell_principal": asked}))
    return asked.scopes[0]
