"""The management API as an ASGI application: a token first, then a body within limits, then FastAPI."""

from __future__ import annotations

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from quell import __version__
from quell.daemon.api.acting import acting
from quell.daemon.api.listed import Newest, asked
from quell.daemon.api.reading import reading
from quell.daemon.api.services import Services, answer
from quell.daemon.auth import Principal, Tokens
from quell.daemon.body import BodyRefused, Gone, Limits, read_body
from quell.daemon.inbox import TooMany
from quell.daemon.replies import error_reply, json_reply, send_reply
from quell.errors import BadPayload, Overloaded, StoreError
from quell.sdk.connector import Reply

PREFIX = "/api/quell/v1"
_OPENAPI = "/openapi.json"
_INCIDENTS = "/incidents"


def build(services: Services, tokens: Tokens, limits: Limits) -> ASGIApp:
    """The application, to be mounted at `PREFIX`."""
    app = FastAPI(
        title="quell",
        version=__version__,
        summary="Incidents, alerts, runs and what people may do with them.",
        openapi_url=_OPENAPI,
        docs_url=None,  # its page would load scripts from somebody else's host
        redoc_url=None,
    )
    newest = Newest(lambda: services.state)
    app.include_router(reading(services, newest))
    app.include_router(acting(services))
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(404, _http_error)
    app.add_exception_handler(405, _http_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    for kind in (Overloaded, StoreError, TooMany):
        app.add_exception_handler(kind, _not_taken)
    return Gate(app, services, tokens, limits, newest)


class Gate:
    """Asks for a token before anything is read, and reads the body before FastAPI, which knows no limits."""

    def __init__(self, app: ASGIApp, services: Services, tokens: Tokens, limits: Limits, newest: Newest) -> None:
        self._app = app
        self._newest = newest
        self._services = services
        self._tokens = tokens
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        headers = Headers(scope=scope)
        principal = self._tokens.principal(headers.get("authorization", ""))
        if principal is None and scope["path"] != scope.get("root_path", "") + _OPENAPI:
            refused = {"error": 'no valid token; send "Authorization: Bearer qll_…"'}
            await send_reply(send, json_reply(401, refused, {"www-authenticate": "Bearer"}))
            return
        try:
            body = await read_body(receive, {name: headers[name] for name in headers}, self._limits)
        except BodyRefused as error:
            await send_reply(send, error_reply(error.status, str(error)), close=True)
            return
        except BadPayload as error:
            await send_reply(send, error_reply(400, str(error), field=error.field))
            return
        except Gone:
            return
        if scope["method"] == "GET":
            # Who reads after having been answered sees what he wrote.
            await self._services.loop.seen(self._services.inbox.last_seq)
            if (listed := self._listed(scope, principal)) is not None:
                await send_reply(send, Reply(200, listed, "application/json"))
                return
        given = False

        async def once() -> Message:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        inner = {**scope, "quell_principal": principal}
        inner["headers"] = [(name, value) for name, value in scope["headers"] if name != b"content-encoding"]
        await self._app(inner, once, send)

    def _listed(self, scope: Scope, principal: Principal | None) -> bytes | None:
        """The list of incidents where it is asked for in the usual words: no other route is read so often."""
        if scope["path"] != scope.get("root_path", "") + _INCIDENTS or principal is None or not principal.may("read"):
            return None
        wanted = asked(scope["query_string"])
        return None if wanted is None else self._newest.told(*wanted)


def _http_error(_request: Request, error: Exception) -> Response:
    if isinstance(error, HTTPException):
        return answer({"error": str(error.detail)}, error.status_code)
    status = getattr(error, "status_code", 500)
    return answer({"error": str(getattr(error, "detail", error))}, status)


def _invalid(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    said = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
    return answer({"error": said}, 422)


def _not_taken(_request: Request, error: Exception) -> Response:
    if isinstance(error, TooMany):
        return answer({"error": str(error)}, 413)
    response = answer({"error": f"nothing was accepted: {error}"}, 503)
    response.headers["retry-after"] = "5"
    return response
