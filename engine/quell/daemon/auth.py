"""Who may do what: tokens of the management API, and whose deliveries are believed."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import urlsplit

from quell.config.settings import Settings, Source, Token
from quell.sdk.connector import Request
from quell.sdk.signatures import refusal

_PREFIX = "qll_"
_FORWARDED = frozenset({"x-forwarded-for", "forwarded", "x-real-ip"})
_LONGEST_HOST = 300
"""Characters of a name (at most 253) and a port; what is longer names no machine."""


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
        self.edition = 0
        """How often other tokens were taken up."""
        self.use(known)

    def use(self, known: Iterable[Token]) -> None:
        """Takes up another configuration's tokens."""
        self.edition += 1
        self._known = {token.id: token for token in known}
        self._proved: dict[bytes, Principal] = {}

    def principal(self, authorization: str) -> Principal | None:
        """Whose token an ``Authorization`` header holds; None when nobody's. Never raises."""
        kind, _, shown = authorization.partition(" ")
        text = shown.strip()
        if kind.lower() != "bearer" or not text.startswith(_PREFIX):
            return None
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass"))
        # Who was believed once is found again by the hash, which nobody can steer; there are no more than tokens.
        proved = self._proved.get(digest.digest())
        if proved is not None:
            return proved
        principal = self._proved_by(text, digest.hexdigest())
        if principal is not None:
            self._proved[digest.digest()] = principal
        return principal

    def _proved_by(self, text: str, digest: str) -> Principal | None:
        found = None
        # An id may hold "_" as a secret may, so every known id that fits is looked at.
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
        self._edition = 0
        self.use(settings)

    @property
    def edition(self) -> int:
        """Changes whenever somebody else may be believed than before."""
        return self._edition + self._tokens.edition

    def use(self, settings: Settings) -> None:
        """Takes up another configuration."""
        self._edition += 1
        self._open_on_loopback = settings.open_on_loopback
        self._own_name = settings.host.lower()

    def refusal(self, source: Source, request: Request, peer: str, now: float) -> str:
        """Why the request is not to be believed; "" when it is. ``peer`` is the address it came from."""
        if source.auth is not None:
            return refusal(request, source.auth, now)
        if source.open or (self._open_on_loopback and _local(peer, request, self._own_name)):
            return ""
        principal = self._tokens.principal(request.headers.get("authorization", ""))
        if principal is None:
            return f'source "{source.id}" wants a token with the scope "ingest", or "auth" in its configuration'
        reads = request.method in {"GET", "HEAD"} and principal.may("read")
        return "" if reads or principal.may("ingest") else f'token "{principal.token_id}" has no scope "ingest"'


def _local(peer: str, request: Request, own_name: str) -> bool:
    """Whether a program on this machine speaks for itself: no proxy's mark, and no web page of another place.

    A page may point a name of its own at this machine; the browser then takes us for the page's own place, but it
    sends that name as Host.
    """
    if not _loopback(peer) or not _FORWARDED.isdisjoint(request.headers):
        return False
    host = request.headers.get("host", "")
    if len(host) > _LONGEST_HOST:
        return False
    name = _name_in(host)
    if name not in {"localhost", own_name} and not _loopback(name):
        return False
    origin = request.headers.get("origin", "")
    return request.method == "GET" or not origin or urlsplit(origin).netloc == host


@lru_cache(maxsize=256)
def _name_in(host: str) -> str:
    """The name or address of a Host header, without its port; "" when there is none to be read."""
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""


@lru_cache(maxsize=256)
def _loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False
