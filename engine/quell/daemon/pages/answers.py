"""Pages as replies: their headers let a browser load nothing from elsewhere, and be framed by nobody."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any
from urllib.parse import quote

from quell.daemon.auth import Principal
from quell.sdk.connector import Reply
from quell.web.site import files_of_pages, render

HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cache-control": "private, no-cache",
}
_PLAIN = "!#$%&'()*+,/:;=?@[]~"
"""What stands as it is in a URL."""


def page(status: int, template: str, values: Mapping[str, Any], by: Principal | None = None) -> Reply:
    """What a template makes of values, for whoever is logged in."""
    plain: dict[str, Any] = {"here": "", "now": None, "live": False, "by": by.by if by is not None else ""}
    body = render(template, **(plain | dict(values))).encode()
    return Reply(status, body, "text/html; charset=utf-8", HEADERS)


def refused(status: int, heading: str, text: str, by: Principal | None = None, back: str = "") -> Reply:
    """That something was not done or is not there, and why; ``back`` is where to go on."""
    return page(status, "said", {"heading": heading, "text": text, "back": back}, by)


def waiting(why: str, by: Principal) -> Reply:
    """That nothing can be told yet: what a quell that begins does not know may be open all the same."""
    text = f"quell is not ready: {why}. What is open is not known here now; this page is brought up to date once it is."
    return page(503, "said", {"heading": "Not ready", "text": text, "back": "", "live": True}, by)


def moved(path: str, cookie: str = "") -> Reply:
    """Go on there; what a header cannot hold is quoted, and what is quoted stays so."""
    return Reply(
        303, b"", "", {**HEADERS, "location": quote(path, safe=_PLAIN)} | ({"set-cookie": cookie} if cookie else {})
    )


def picture(drawn: str) -> Reply:
    """An SVG, which may be looked at by itself as well: its colours are its own, and it loads nothing."""
    rule = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox"
    return Reply(200, drawn.encode(), "image/svg+xml", {**HEADERS, "content-security-policy": rule})


def file(name: str) -> Reply:
    """A file that pages load."""
    found = files_of_pages().get(name)
    if found is None:
        return refused(404, "There is nothing here", "no page has this address")
    return Reply(200, found[0], found[1], {**HEADERS, "cache-control": "max-age=300"})


def unless_known(reply: Reply, known: str) -> Reply:
    """The reply, or that it is what they have: ``known`` is the mark that came with it."""
    mark = f'"{blake2b(reply.body, digest_size=12).hexdigest()}"'
    headers = {**reply.headers, "etag": mark}
    if known == mark:
        return Reply(304, b"", "", headers)
    return Reply(reply.status, reply.body, reply.content_type, headers)
