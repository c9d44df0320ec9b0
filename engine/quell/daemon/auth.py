"""Who may do what: tokens of the management API, and whose deliveries are believed."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from quell.config.settings import Settings, Source, Token
from quell.sdk.connector import Request
from quell.sdk.signatures import refusal

_PREFIX = "qll_"
_FORWARDED = ("x-forwarded-for", "forwarded", "x-real-ip")


@dataclass(frozen=True, slots=True)
class Principal:
    """A person or program. ``scopes`` are ingest, read, act, approve and admin, which includes all others.

    ``named`` are the roles that the token names: "role:sre", "team:web", "owner:shop".
    """

    token_id: str
    by: str
    scopes: frozenset[str]
    named: frozenset[str] = frozenset()

    def may(self, scope: str) -> bool:
        """Whether this token is good for ``scope``."""
        return scope in self.scopes or "admin" in self.scopes

    def roles(self, wanted: Iterable[str] = ()) -> list[str]:
        """The roles that an approval may ask for: those the token names, and one per scope.

        An admin holds every role of ``wanted``, but is nobody else.
        """
        held = {f"role:{scope}" for scope in self.scopes} | self.scopes | self.named
        if "admin" in self.scopes:
            held |= {role for role in wanted if not role.startswith("user:")}
        return sorted(held)


class Tokens:
    """Tokens ``qll_<id>_<secret>``, of which only a SHA-256 is known."""

    def __init__(self, known: Iterable[Token] = ()) -> None:
        self._known = {token.id: token for token in known}

    def use(self, known: Iterable[Token]) -> None:
        """Takes up another configuration's tokens."""
        self._known = {token.id: token for token in known}

    def principal(self, authorization: str) -> Principal | None:
        """Whose token an ``Authorization`` header holds; None when nobody's. Never raises."""
        kind, _, shown = authorization.partition(" ")
        text = shown.strip()
        if kind.lower() != "bearer" or not text.startswith(_PREFIX):
            return None
        # An id may hold "_" as a secret may, so every known id that fits is looked at.
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        found = None
        for token in self._known.values():
            fits = text.startswith(f"{_PREFIX}{token.id}_")
            # Compared in constant time, so that the time taken tells nothing of the hash.
            if hmac.compare_digest(digest, token.sha256.lower()) and fits:
                found = token
        if found is None:
            return None
        return Principal(found.id, found.by or found.id, frozenset(found.scopes), frozenset(found.roles))


class Doors:
    """Whose deliveries are believed, in this order: the source's own scheme, open ones, this machine, a token."""

    def __init__(self, tokens: Tokens, settings: Settings) -> None:
        self._tokens = tokens
        self._open_on_loopback = settings.open_on_loopback

    def use(self, settings: Settings) -> None:
        """Takes up another configuration."""
        self._open_on_loopback = settings.open_on_loopback

    def refusal(self, source: Source, request: Request, peer: str, now: float) -> str:
        """Why the request is not to be believed; "" when it is. ``peer`` is the address it came from."""
        if source.auth is not None:
            return refusal(request, source.auth, now)
        if source.open or (self._open_on_loopback and _local(peer, request)):
            return ""
        principal = self._tokens.principal(request.headers.get("authorization", ""))
        if principal is None:
            return f'source "{source.id}" wants a token with the scope "ingest", or "auth" in its configuration'
        reads = request.method in {"GET", "HEAD"} and principal.may("read")
        return "" if reads or principal.may("ingest") else f'token "{principal.token_id}" has no scope "ingest"'


def _local(peer: str, request: Request) -> bool:
    """Whether a program on this machine speaks for itself: no proxy's mark, and no web page of another place."""
    try:
        loopback = ip_address(peer).is_loopback
    except ValueError:
        return False
    if not loopback or any(name in request.headers for name in _FORWARDED):
        return False
    origin = request.headers.get("origin", "")
    return request.method == "GET" or not origin or urlsplit(origin).netloc == request.headers.get("host", "")
