"""The calls to Unleash's admin API, each checked and typed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from quell.sdk.http import Answer, Http, checked, path_part
from quell.sdk.payload import decode
from quell.sdk.secret import Secret


class _Environment(msgspec.Struct, frozen=True):
    enabled: bool


class Client:
    """Raises `Unreachable`, `NoAnswer`, `Refused`, or `BadPayload` for an answer that cannot be read."""

    def __init__(self, options: Mapping[str, Any], http: Http) -> None:
        self._http = http
        self._url = str(options["url"]).rstrip("/")
        self._token: Secret = options["token"]
        self._timeout_s = float(options.get("timeout") or 10.0)

    async def is_on(self, flag: str, project: str, environment: str) -> bool:
        """Whether a flag is enabled in an environment."""
        return decode((await self._call("GET", _path(flag, project, environment))).body, _Environment).enabled

    async def switch(self, flag: str, project: str, environment: str, on: bool) -> None:
        """Enables or disables a flag; one that is so already stays so."""
        await self._call("POST", f"{_path(flag, project, environment)}/{'on' if on else 'off'}")

    async def _call(self, method: str, path: str) -> Answer:
        answer = await self._http.request(
            method,
            f"{self._url}{path}",
            headers={"Authorization": self._token.reveal()},
            json={} if method == "POST" else None,
            timeout_s=self._timeout_s,
        )
        return checked(answer, f"Unleash ({method} {path})", (self._token,))


def _path(flag: str, project: str, environment: str) -> str:
    named = (path_part(part) for part in (project, flag, environment))
    return "/api/admin/projects/{}/features/{}/environments/{}".format(*named)
