"""The calls to Flagsmith's admin API, each checked and typed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from quell.errors import Refused
from quell.sdk.flags import Looked, Which
from quell.sdk.http import Answer, Http, checked, path_part
from quell.sdk.payload import decode
from quell.sdk.secret import Secret


class _State(msgspec.Struct, frozen=True):
    id: int
    enabled: bool


class _States(msgspec.Struct, frozen=True):
    results: Sequence[_State]


class Client:
    """Raises `Unreachable`, `NoAnswer`, `Refused`, or `BadPayload` for an answer that cannot be read."""

    def __init__(self, options: Mapping[str, Any], http: Http) -> None:
        self._http = http
        self._url = str(options.get("url") or "https://api.flagsmith.com").rstrip("/")
        self._token: Secret = options["token"]
        self._timeout_s = float(options.get("timeout") or 10.0)

    async def look(self, which: Which, now: float) -> Looked:  # noqa: ARG002 -- no limit of Flagsmith tells a time
        """Whether a flag is enabled, and the number of its state there. Raises `Refused` when there is no such flag."""
        flag, environment = which.flag, which.environment
        answer = await self._call("GET", f"{_path(environment)}/", query={"feature_name": flag})
        found = decode(answer.body, _States).results
        if len(found) != 1:
            raise Refused(f"Flagsmith knows {len(found)} flags named {flag} in {environment}; nothing was changed")
        return Looked(found[0].enabled, found[0].id)

    # One signature for all flag services; not each needs all of it.
    async def switch(self, which: Which, before: Looked, on: bool, *, comment: str, now: float) -> None:  # noqa: ARG002
        """Enables or disables; what is left out of the body stays as it is."""
        await self._call("PUT", f"{_path(which.environment)}/{before.mark}/", body={"enabled": on})

    async def _call(
        self, method: str, path: str, *, query: Mapping[str, str] | None = None, body: Mapping[str, Any] | None = None
    ) -> Answer:
        answer = await self._http.request(
            method,
            f"{self._url}{path}",
            headers={"Authorization": self._authorization()},
            query=query,
            json=body,
            timeout_s=self._timeout_s,
        )
        return checked(answer, f"Flagsmith ({method} {path})", (self._token,))

    def _authorization(self) -> str:
        token = self._token.reveal()
        return token if " " in token else f"Api-Key {token}"


def _path(environment: str) -> str:
    return f"/api/v1/environments/{path_part(environment)}/featurestates"
