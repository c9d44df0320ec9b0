"""The calls to Unleash's admin API, each checked and typed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from quell.sdk.flags import Looked, Which
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

    async def look(self, which: Which, now: float) -> Looked:  # noqa: ARG002 -- no limit of Unleash tells a time
        """Whether a flag is enabled in an environment."""
        return Looked(decode((await self._call("GET", _path(which))).body, _Environment).enabled)

    # One signature for all flag services; not each needs all of it.
    async def switch(self, which: Which, before: Looked, on: bool, *, comment: str, now: float) -> None:  # noqa: ARG002
        """Enables or disables a flag; one that is so already stays so."""
        await self._call("POST", f"{_path(which)}/{'on' if on else 'off'}")

    async def _call(self, method: str, path: str) -> Answer:
        answer = await self._http.request(
            method,
            f"{self._url}{path}",
            headers={"Authorization": self._token.reveal()},
            json={} if method == "POST" else None,
            timeout_s=self._timeout_s,
        )
        return checked(answer, f"Unleash ({method} {path})", (self._token,))


def _path(which: Which) -> str:
    named = (path_part(part) for part in (which.project, which.flag, which.environment))
    return "/api/admin/projects/{}/features/{}/environments/{}".format(*named)
