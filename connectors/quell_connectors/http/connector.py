"""The HTTP action: one request, its answer as output."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import SplitResult, urlsplit

from quell.errors import Refused
from quell.sdk.connector import Call, Context, Done
from quell.sdk.http import checked
from quell.sdk.secret import Secret
from quell.sdk.spec import Spec
from quell_connectors.http.spec import METHODS, READ_METHODS, SPEC, STATE_METHODS
from quell_connectors.http.translate import headers_of, output_of

_PORTS = {"http": 80, "https": 443}
_METHODS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "request": (METHODS, "POST"),
    "put": (STATE_METHODS, "PUT"),
    "read": (READ_METHODS, "GET"),
}
"""What each action may send, and what it sends unless it is told."""


class HttpAction:
    """Sends what a step says, with the step's key as Idempotency-Key; whether that is honoured is the target's."""

    spec: ClassVar[Spec] = SPEC

    def __init__(self, options: Mapping[str, Any], context: Context) -> None:
        self._base = str(options.get("url") or "").rstrip("/")
        self._token: Secret | None = options.get("token")
        self._headers: Mapping[str, Any] = options.get("headers") or {}
        self._http = context.http

    async def act(self, call: Call) -> Done:
        """Raises `Unreachable` for no answer, 408, 425, 429 and 5xx; `Refused` for every other unexpected status."""
        params = call.params
        methods, usual = _METHODS.get(call.action, (METHODS, "POST"))
        method = str(params.get("method") or usual).upper()
        url = self._address(str(params.get("url") or ""))
        place = _shown(_split(url))
        if call.dry_run and call.action != "read":
            return Done(f"{method} {place} would be sent with Idempotency-Key {call.key}")
        if method not in methods:
            raise Refused(f'"{method}" is not one of {", ".join(methods)}; nothing was sent')
        expected = _statuses(params.get("expect"))
        headers = self._headers_for(url, params, call.key)
        body, json = params.get("body"), params.get("json")
        answer = await self._http.request(
            method,
            url,
            headers=headers,
            json=json if body is None else None,
            data=None if body is None else str(body).encode(),
            timeout_s=call.timeout_s,
        )
        if expected and answer.status not in expected:
            checked(answer, f"{method} {place}", (self._token,))
            raise Refused(f"{method} {place} answered {answer.status}; expected {sorted(expected)}")
        if not expected:
            checked(answer, f"{method} {place}", (self._token,))
        output = output_of(answer)
        if call.action == "read":
            output["headers"] = headers_of(answer)
        return Done(f"{method} {place} answered {answer.status}", output)

    def _address(self, url: str) -> str:
        return f"{self._base}{url}" if url.startswith("/") and self._base else url

    def _headers_for(self, url: str, params: Mapping[str, Any], key: str) -> dict[str, str]:
        given = {**self._headers, **(params.get("headers") or {})}
        headers = {str(name): _plain(value) for name, value in given.items()}
        if self._token and _origin(_split(url)) == _origin(_split(self._base)):
            headers.setdefault("Authorization", f"Bearer {self._token.reveal()}")
        return {**headers, "Idempotency-Key": key}


def _plain(value: object) -> str:
    return value.reveal() if isinstance(value, Secret) else str(value)


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError as error:
        raise Refused(f"the address cannot be read ({error}); nothing was sent") from error


def _origin(url: SplitResult) -> tuple[str, str | None, int | None]:
    try:
        port = url.port
    except ValueError:
        port = -1
    return url.scheme.lower(), url.hostname, port or _PORTS.get(url.scheme.lower())


def _shown(url: SplitResult) -> str:
    """The address without user, password, query and fragment, which may hold what is secret."""
    return f"{url.scheme}://{url.netloc.rpartition('@')[2]}{url.path}"[:300] if url.netloc else url.path[:300]


def _statuses(expect: object) -> frozenset[int]:
    """Statuses as numbers. Raises `Refused` before anything is sent when one is none."""
    listed = expect if isinstance(expect, (list, tuple)) else [] if expect is None else [expect]
    try:
        return frozenset(int(str(status)) for status in listed)
    except ValueError as error:
        raise Refused(f"expect: {listed!r} is not a list of statuses; write one such as [200, 409]") from error
