"""The HTTP client that connectors are given: timeouts, a size cap, no redirects, guarded against inside addresses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Protocol
from urllib.parse import quote

import msgspec

from quell.errors import Denied, NoAnswer, Refused, Unreachable
from quell.sdk.identity import Identity
from quell.sdk.secret import Secret

ASK_AGAIN = frozenset({408, 425, 429})
"""Statuses below 500 that ask for the same request later."""
_LONGEST_WAIT_S = 86_400.0
_MESSAGES = ("message", "detail", "errorMessages", "errors", "error_description", "error", "title")
"""Where APIs put the sentence that says what was wrong, the telling ones first."""
_MOST_QUOTED = 300
_LONGEST_ERROR = 64 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """What the other side said."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Http(Protocol):
    """Raises `Unreachable` when no answer came (refused, timed out, cut off); any status is an `Answer`.

    ``identity`` names files by which the other side is known and told who asks.
    """

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        json: Any = None,
        data: bytes | None = None,
        timeout_s: float = 10.0,
        identity: Identity | None = None,
    ) -> Answer: ...


class NoHttp:
    """The HTTP client of a check or a replay: nothing outside is asked."""

    async def request(self, method: str, url: str, **_asked: Any) -> Answer:
        raise Unreachable(f"{method} {url}: nothing outside is asked here")


def checked(answer: Answer, who: str, hide: Iterable[Secret | None] = ()) -> Answer:
    """The answer itself if its status is 2xx.

    Otherwise raises in the name of ``who``: `Unreachable` for 408, 425, 429 and 503, `NoAnswer` for all others from 500
    on, after which nobody knows how far the other side had come (both with the wait that Retry-After asks for),
    `Denied` for 401 and `Refused` for every other status. The message of a JSON body is quoted, else its first line,
    with the secrets in ``hide`` masked, should the other side repeat them.
    """
    if 200 <= answer.status < 300:
        return answer
    body = answer.body
    for secret in hide:
        body = body.replace(secret.reveal().encode(), b"***") if secret else body
    said = _said(body)
    message = f"{who} answered {answer.status}" + (f": {said}" if said else "")
    if answer.status in ASK_AGAIN or answer.status >= 500:
        known = answer.status in ASK_AGAIN or answer.status == 503
        raise (Unreachable if known else NoAnswer)(message, retry_after_s(answer.headers))
    raise (Denied if answer.status == 401 else Refused)(message)


def _said(body: bytes) -> str:
    """What a body that tells of an error says, ``_MOST_QUOTED`` characters at most."""
    if body[:1] == b"{" and len(body) <= _LONGEST_ERROR:
        try:
            found = msgspec.json.decode(body, type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            found = {}
        for name in _MESSAGES:
            told = found.get(name)
            told = told.get("message") if isinstance(told, dict) else told
            told = "; ".join(one for one in told if isinstance(one, str)) if isinstance(told, list) else told
            if isinstance(told, str) and told.strip():
                return told.strip().partition("\n")[0][:_MOST_QUOTED]
    return body[:200].decode("utf-8", "replace").strip().partition("\n")[0]


def path_part(name: str) -> str:
    """A name as one part of a path. Raises `Refused` for one that would lead elsewhere: "", ".", ".." and "..;a"."""
    if name.partition(";")[0] in ("", ".", ".."):
        raise Refused(f'"{name}" cannot stand in an address; nothing was asked')
    return quote(name, safe="")


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """The wait in seconds that a Retry-After header asks for, a day at most; None without one that can be read.

    The header holds seconds or an HTTP date. A date is held against the answer's own Date: both come from the same
    clock, and this program's may differ from it.
    """
    found = {name.lower(): value.strip() for name, value in headers.items()}
    asked = found.get("retry-after", "")
    if asked.isascii() and asked.isdecimal():
        return min(float(asked), _LONGEST_WAIT_S)
    until, since = _http_date(asked), _http_date(found.get("date", ""))
    return None if until is None or since is None else min(max(until - since, 0.0), _LONGEST_WAIT_S)


def _http_date(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return None
