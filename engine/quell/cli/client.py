"""Talks to the daemon's HTTP API; what goes wrong becomes a sentence that says what was tried and what to do."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, OpenerDirector, ProxyHandler, Request, build_opener

import msgspec

from quell.cli.exits import Failed
from quell.cli.harmless import harmless, harmless_in, may_harm

API = "/api/quell/v1"
DEFAULT_URL = "http://127.0.0.1:9099"
_HERE = frozenset({"127.0.0.1", "localhost", "::1"})
_ANSWER_CAP = 256 * 1024 * 1024


class _NoRedirects(HTTPRedirectHandler):
    """A token is never carried to another place."""

    def redirect_request(  # noqa: PLR0917 -- urllib's signature
        self,
        req: Request,  # noqa: ARG002 -- the same
        fp: IO[bytes],  # noqa: ARG002 -- the same
        code: int,  # noqa: ARG002 -- the same
        msg: str,  # noqa: ARG002 -- the same
        headers: Message,  # noqa: ARG002 -- the same
        newurl: str,  # noqa: ARG002 -- the same
    ) -> None:
        return None


@dataclass(frozen=True)
class Client:
    """One daemon at ``url``. Every method raises `Failed` when the daemon could not be asked or said no.

    Answers that are decoded ``for_people`` hold nothing that a terminal would obey.
    """

    url: str = DEFAULT_URL
    token: str = ""
    timeout_s: float = 15.0
    for_people: bool = False

    def get(self, path: str, **query: str | float | None) -> dict[str, Any]:
        """The answer to a question, decoded."""
        return self.get_either(path, 200, **query)

    def get_either(self, path: str, status: int, /, **query: str | float | None) -> dict[str, Any]:
        """The same, where an answer with ``status`` is one too, and no refusal."""
        asked = {name: str(value) for name, value in query.items() if value not in {None, ""}}
        whole = path + (f"?{urlencode(asked)}" if asked else "")
        return self._decoded(self._asked("GET", whole, None, "", also=status))

    def raw(self, path: str) -> bytes:
        """The bytes of an answer that is no JSON: a picture, a text."""
        return self._asked("GET", path, None, "")

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The answer to an act, decoded."""
        return self._call("POST", path, msgspec.json.encode(body or {}), "application/json")

    def post_lines(self, path: str, lines: bytes) -> dict[str, Any]:
        """The answer to JSON lines, decoded."""
        return self._call("POST", path, lines, "application/x-ndjson")

    def _call(self, method: str, path: str, body: bytes | None, content_type: str) -> dict[str, Any]:
        return self._decoded(self._asked(method, path, body, content_type))

    def _asked(self, method: str, path: str, body: bytes | None, content_type: str, *, also: int = 200) -> bytes:
        request = self._request(method, path, body, content_type)
        try:
            with self._opener().open(request, timeout=self.timeout_s) as answer:
                return bytes(answer.read(_ANSWER_CAP))
        except HTTPError as error:
            with error:
                if error.code == also:
                    return error.read(_ANSWER_CAP)
                raise self._refusal(error.code, error.read(65536)) from error
        except (URLError, OSError, http.client.HTTPException) as error:
            raise Failed(self._unreachable(error)) from error

    def _request(self, method: str, path: str, body: bytes | None, content_type: str) -> Request:
        if not _is_address(self.url):
            raise Failed(f'--url: "{harmless(self.url)}" is not an address; write one such as {DEFAULT_URL}')
        if not (self.token.isascii() and self.token.isprintable()):
            raise Failed(
                "this is no token: it holds a line's end or another sign that no token has\n"
                "pass one line with --token or QUELL_TOKEN, as quell init printed it: qll_…"
            )
        headers = {"Accept": "application/json"}
        if content_type:
            headers["Content-Type"] = content_type
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        return Request(self.url.rstrip("/") + API + path, body, headers, method=method)  # noqa: S310 -- checked above

    def _opener(self) -> OpenerDirector:
        if urlsplit(self.url).hostname in _HERE:
            return build_opener(ProxyHandler({}), _NoRedirects)
        return build_opener(_NoRedirects)

    def _decoded(self, body: bytes) -> dict[str, Any]:
        try:
            decoded = msgspec.json.decode(body or b"{}")
        except msgspec.DecodeError as error:
            raise Failed(self._stranger()) from error
        if not isinstance(decoded, dict):
            raise Failed(self._stranger())
        if self.for_people and may_harm(body):
            decoded = {name: harmless_in(value) for name, value in decoded.items()}
        return decoded

    def _stranger(self) -> str:
        return f'what answers at "{self.url}" is not quell; name the daemon with --url or QUELL_URL'

    def _unreachable(self, error: Exception) -> str:
        reason = getattr(error, "reason", None) or error
        if isinstance(reason, ssl.SSLError) and not isinstance(reason, ssl.SSLCertVerificationError):
            return (
                f'what answers at "{self.url}" speaks no TLS ({reason.reason or reason})\n'
                "quell itself does not: write http://, or name the proxy in front of it with --url or QUELL_URL"
            )
        if isinstance(reason, TimeoutError):
            said = f"no answer within {self.timeout_s:g}s"
        else:
            said = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
        return (
            f'cannot reach quell at "{self.url}" ({said[0].lower()}{said[1:]})\n'
            "start it with: quell serve -c DIR/quell.yaml; or name another with --url or QUELL_URL"
        )

    def _refusal(self, status: int, body: bytes) -> Failed:
        said = _said(body)
        if status == 401:
            problem = "does not accept this token" if self.token else "wants a token"
            return Failed(
                f'quell at "{self.url}" {problem}{f" ({said})" if said else ""}\n'
                "pass it with --token or QUELL_TOKEN; quell init printed one and left only its hash in tokens.yaml"
            )
        if status == 403:
            return Failed(f"this token may not do that{f': {said}' if said else ''}; ask for one with a wider scope")
        if status in {502, 503, 504}:
            return Failed(
                f'quell at "{self.url}" cannot answer now{f": {said}" if said else ""}; try again in a moment'
            )
        if 300 <= status < 400:
            return Failed(f"{self._stranger()} (it answered {status}, a redirect, which is not followed)")
        return Failed(said or f'quell at "{self.url}" answered {status} without a reason')


def segment(name: str) -> str:
    """``name`` as one part of a path. Raises `Failed` for what can be the name of nothing."""
    if not name.strip():
        raise Failed("an empty name was given; is a variable not set?")
    return quote(name, safe="", errors="replace")


def _is_address(url: str) -> bool:
    """Whether it is one that can be asked."""
    try:
        parts = urlsplit(url)
        named = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # half of an IPv6 address, or a port beyond all
        return False
    return named and url.isprintable() and " " not in url


def _said(body: bytes) -> str:
    """The sentence of an error answer, for people."""
    return harmless(_sentence(body))


def _sentence(body: bytes) -> str:
    try:
        decoded = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return ""
    if not isinstance(decoded, dict):
        return ""
    detail = decoded.get("error") or decoded.get("detail") or decoded.get("message") or ""
    if isinstance(detail, list):
        places = (item for item in detail if isinstance(item, dict))
        return "; ".join(f"{'.'.join(map(str, item.get('loc', [])))}: {item.get('msg', '')}" for item in places)
    return detail if isinstance(detail, str) else str(detail)
