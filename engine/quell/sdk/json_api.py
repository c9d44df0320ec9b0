"""Asking a JSON API: address, credentials, time limit, and errors that say who answered what."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Collection, Mapping
from hashlib import sha256
from typing import Any, TypeVar
from urllib.parse import quote

from quell.errors import BadPayload, Refused
from quell.sdk.http import Answer, Http, checked
from quell.sdk.payload import decode
from quell.sdk.secret import Secret

LONGEST_S = 20.0
"""One request of an action takes no longer; what has several must come to its end."""

T = TypeVar("T")
Judge = Callable[[Answer, str], None]


class JsonApi:
    """``who`` names the API in errors; ``credentials`` are headers by name, revealed for each request and never shown.

    ``judge`` may raise for what an API says in its own way, such as limits; it is given each answer and who answered.
    """

    def __init__(
        self,
        http: Http,
        url: str,
        who: str,
        credentials: Mapping[str, Secret] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        hide: Collection[Secret | None] = (),
        judge: Judge | None = None,
    ) -> None:
        self._http = http
        self.url = url.rstrip("/")
        self._who = who
        self._credentials = dict(credentials or {})
        self._headers = {"Accept": "application/json", **(headers or {})}
        self._hide = (*self._credentials.values(), *hide)
        self._judge = judge

    async def ask(
        self,
        method: str,
        path: str,
        shape: type[T],
        *,
        timeout_s: float,
        query: Mapping[str, str] | None = None,
        json: Any = None,
        about: str = "",
    ) -> T:
        """The answer as ``shape``. Raises what `checked` raises, and `BadPayload` for what cannot be read."""
        answer, who = await self._answer(method, path, timeout_s=timeout_s, query=query, json=json, about=about)
        return self._read(checked(answer, who, self._hide), shape, who)

    async def ask_for(
        self, path: str, shape: type[T], *, timeout_s: float, query: Mapping[str, str] | None = None
    ) -> T | None:
        """The same for something that may not be there: None for 404 and 410."""
        answer, who = await self._answer("GET", path, timeout_s=timeout_s, query=query)
        return None if answer.status in {404, 410} else self._read(checked(answer, who, self._hide), shape, who)

    async def is_there(self, path: str, *, timeout_s: float) -> bool:
        """Whether something is there: 2xx says yes, 404 no. Raises what `checked` raises."""
        answer, who = await self._answer("GET", path, timeout_s=timeout_s)
        return answer.status != 404 and bool(checked(answer, who, self._hide))

    async def do(self, method: str, path: str, *, timeout_s: float, json: Any = None, about: str = "") -> None:
        """For an answer of which only the status matters."""
        answer, who = await self._answer(method, path, timeout_s=timeout_s, json=json, about=about)
        checked(answer, who, self._hide)

    async def attach(
        self, path: str, name: str, content: bytes, *, timeout_s: float, headers: Mapping[str, str] | None = None
    ) -> None:
        """Posts a PNG as the field ``file`` of a form. Raises what `checked` raises."""
        mark = f"quell-{sha256(content).hexdigest()[:24]}"
        head = f'--{mark}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        body = f"{head}Content-Type: image/png\r\n\r\n".encode() + content + f"\r\n--{mark}--\r\n".encode()
        shown = {name: secret.reveal() for name, secret in self._credentials.items() if secret}
        kind = {"Content-Type": f"multipart/form-data; boundary={mark}"}
        answer = await self._http.request(
            "POST",
            f"{self.url}{path}",
            headers={**self._headers, **shown, **(headers or {}), **kind},
            data=body,
            timeout_s=min(timeout_s, LONGEST_S),
        )
        checked(answer, f"{self._who} (POST {path})", self._hide)

    async def _answer(
        self,
        method: str,
        path: str,
        *,
        timeout_s: float,
        query: Mapping[str, str] | None = None,
        json: Any = None,
        about: str = "",
    ) -> tuple[Answer, str]:
        shown = {name: secret.reveal() for name, secret in self._credentials.items() if secret}
        answer = await self._http.request(
            method,
            f"{self.url}{path}",
            headers={**self._headers, **shown},
            query=query,
            json=json,
            timeout_s=min(timeout_s, LONGEST_S),
        )
        who = f"{self._who} ({method} {path}{', ' + about if about else ''})"
        if self._judge is not None and not 200 <= answer.status < 300:
            self._judge(answer, who)
        return answer, who

    def _read(self, answer: Answer, shape: type[T], who: str) -> T:
        try:
            return decode(answer.body, shape)
        except BadPayload as error:
            raise BadPayload(f"{who} answered what cannot be read: {error}", error.payload, error.field) from error


def basic(user: str, password: Secret) -> Secret:
    """The value of an ``Authorization`` header for a name and a password, itself a secret."""
    return Secret("Basic " + b64encode(f"{user}:{password.reveal()}".encode()).decode())


def bearer(token: Secret) -> Secret:
    """The value of an ``Authorization`` header for a token, itself a secret."""
    return Secret(f"Bearer {token.reveal()}")


def part(text: str) -> str:
    """One part of a path, which cannot leave its place. Raises `Refused` for what would be none.

    What comes behind a semicolon some servers do not read: ``..;x`` leads as far as ``..`` there.
    """
    if not text.partition(";")[0].strip("."):
        raise Refused(f'"{text}" is no name; nothing was asked')
    return quote(text, safe="")
