"""The pages as an ASGI application: who is asking first, then the page, or the act that a form of it asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import parse_qsl, quote

from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from quell.chatops.plain import plain_answer
from quell.daemon.api.services import Services
from quell.daemon.auth import Principal, Tokens
from quell.daemon.body import BodyRefused, Gone, Limits, read_body
from quell.daemon.chat.floor import Asker
from quell.daemon.pages.answers import file, moved, page, refused, unless_known, waiting
from quell.daemon.pages.reading import Nothing, Shown
from quell.daemon.pages.saying import said_by
from quell.daemon.pages.visitors import NO_COOKIE, by_https, cookie_of, from_here, inside, let_in, visitor
from quell.daemon.replies import send_reply
from quell.errors import BadPayload, QuellError
from quell.sdk.connector import Reply

_FIRST = frozenset({"incidents", "alerts", "runs", "login", "logout", "say", "static"})
_FORM = Limits(sent=64 * 1024, inflated=64 * 1024)
_MOST_FIELDS = 20
"""Of a form or a query; none of ours has more."""
_SEEN_S = 2.0
"""Who reads after having acted sees what he did, if that takes no longer."""


def is_page(path: str) -> bool:
    """Whether a path is that of a page."""
    return path == "/" or (path[:1] == "/" and path.split("/", 2)[1] in _FIRST)


class Pages:
    """One for all requests. ``not_ready`` says why not ("" when ready)."""

    def __init__(self, services: Services, tokens: Tokens, not_ready: Callable[[], str]) -> None:
        self._services = services
        self._tokens = tokens
        self._not_ready = not_ready
        self._shown = Shown(services)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        all_headers = Headers(scope=scope)
        headers = {name: all_headers[name] for name in all_headers}
        try:
            body = await read_body(receive, headers, _FORM)
        except BodyRefused as error:
            await send_reply(send, refused(error.status, "Not done", str(error)), close=True)
            return
        except BadPayload as error:
            await send_reply(send, refused(400, "Not done", str(error)))
            return
        except Gone:
            return
        method, path = scope["method"], scope["path"]
        if method == "POST":
            reply = await self._posted(path, body, headers)
        elif method in {"GET", "HEAD"}:
            reply = await self._got(path, scope["query_string"].decode("latin-1"), headers)
        else:
            reply = refused(405, "Not done", f"{method} means nothing here")
        if method == "HEAD":
            reply = Reply(reply.status, b"", reply.content_type, reply.headers)
        await send_reply(send, reply)

    async def _got(self, path: str, asked: str, headers: Mapping[str, str]) -> Reply:
        query = _fields(asked)
        if path.startswith("/static/"):
            return file(path.removeprefix("/static/"))
        if path == "/login":
            return page(200, "login", {"next": inside(query.get("next", "")), "wrong": ""})
        by = visitor(headers, self._tokens)
        if by is None:
            return moved(f"/login?next={quote(f'{path}?{asked}' if asked else path, safe='')}")
        if not by.may("read"):
            return refused(403, "You may not look", f'token "{by.token_id}" has no scope "read"', by)
        if path == "/":
            return moved("/incidents")
        if why := self._not_ready():
            return waiting(why, by)
        await self._services.loop.passed(self._services.inbox.last_seq, _SEEN_S)
        try:
            return unless_known(await self._shown.at(path, query, by), headers.get("if-none-match", ""))
        except Nothing as error:
            return refused(404, "There is nothing here", str(error), by)
        except QuellError as error:
            return refused(503, "Not now", f"{error}. Try again in a moment.", by)

    async def _posted(self, path: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        if not from_here(headers):
            return refused(403, "Not done", "This was not sent by a page of quell, so nothing was done.")
        form = _fields(body.decode("utf-8", "replace"))
        if path == "/login":
            return self._login(form, headers)
        if path == "/logout":
            return moved("/login", NO_COOKIE)
        by = visitor(headers, self._tokens)
        if by is None:
            return moved("/login")
        command = said_by(form) if path == "/say" else ""
        if not command:
            return refused(404, "Not done", "Nothing is known that this could mean.", by)
        if why := self._not_ready():
            return refused(503, "Not done", f"quell is not ready: {why}. Nothing was done.", by)
        return await self._said(command, form["about"], by)

    def _login(self, form: Mapping[str, str], headers: Mapping[str, str]) -> Reply:
        token, wanted = form.get("token", "").strip(), inside(form.get("next", ""))
        if let_in(token, self._tokens) is None:
            return page(401, "login", {"next": wanted, "wrong": "That is no token that quell knows."})
        return moved(wanted, cookie_of(token, https=by_https(headers)))

    async def _said(self, command: str, about: str, by: Principal) -> Reply:
        back = f"/{'runs' if about in self._services.state.runs else 'incidents'}/{quote(about, safe='')}"
        told = await self._services.chat.say(command, Asker(principal=by, source="web", about=about))
        return moved(back) if told.ok else refused(409, "Not done", plain_answer(told), by, back)


def _fields(text: str) -> dict[str, str]:
    """The fields of a form or a query; none where there are more than anybody means."""
    try:
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS))
    except ValueError:
        return {}
