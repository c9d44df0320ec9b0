"""Who looks at pages: a token in a cookie that scripts cannot read, and acts that only our own pages can send."""

from __future__ import annotations

from collections.abc import Mapping

from quell.daemon.auth import Principal, Tokens

COOKIE = "quell"
_LONGEST = 300
"""Characters of a token; whatever is longer is none."""


def visitor(headers: Mapping[str, str], tokens: Tokens) -> Principal | None:
    """Whose request it is, by its cookie or by a bearer token as for the API; None for nobody.

    Other schemes are the business of a proxy in front, whose password browsers send along.
    """
    shown = headers.get("authorization", "")
    if shown[:7].lower() == "bearer ":
        return tokens.principal(shown)
    # Read by hand: where others of this host keep an odd cookie of theirs, a strict reader finds none at all.
    held = (each.strip().partition("=") for each in headers.get("cookie", "").split(";"))
    return next((let_in(value, tokens) for name, _, value in held if name == COOKIE), None)


def let_in(token: str, tokens: Tokens) -> Principal | None:
    """Whose token it is that somebody typed."""
    return tokens.principal(f"Bearer {token}") if len(token) <= _LONGEST else None


def cookie_of(token: str, *, https: bool) -> str:
    """Sets the cookie until the browser is closed.

    It goes with links that lead here, such as from a chat, but not with what others' pages send.
    """
    return f"{COOKIE}={token}; Path=/; HttpOnly; SameSite=Lax{'; Secure' if https else ''}"


NO_COOKIE = f"{COOKIE}=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0"


def from_here(headers: Mapping[str, str]) -> bool:
    """Whether a form was sent by a page of ours: browsers say which page sends, and none lets a page lie about it."""
    site = headers.get("sec-fetch-site", "")
    if site:
        return site == "same-origin"
    _, told, place = headers.get("origin", "").partition("://")
    return bool(told) and place == headers.get("host", "")


def by_https(headers: Mapping[str, str]) -> bool:
    """Whether a form came by https, at least up to a proxy in front."""
    return headers.get("x-forwarded-proto", "") == "https" or headers.get("origin", "").startswith("https://")


def inside(path: str) -> str:
    """A path of ours to go on to, or the first page where it is none."""
    safe = path.startswith("/") and not path.startswith("//") and "\\" not in path and path.isprintable()
    return path if safe else "/incidents"
