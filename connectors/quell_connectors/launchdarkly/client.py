"""The calls to LaunchDarkly's REST API, each checked and typed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from quell.errors import Refused, Unreachable
from quell.sdk.flags import Looked, Which
from quell.sdk.http import Answer, Http, checked, path_part
from quell.sdk.payload import decode
from quell.sdk.secret import Secret

_SEMANTIC = "application/json; domain-model=launchdarkly.semanticpatch"
"""Says that instructions are sent and not a JSON patch."""


class _Environment(msgspec.Struct, frozen=True):
    on: bool


class _Flag(msgspec.Struct, frozen=True):
    key: str
    environments: Mapping[str, _Environment]
    archived: bool = False


class Client:
    """Raises `Unreachable`, `NoAnswer`, `Refused`, or `BadPayload` for an answer that cannot be read."""

    def __init__(self, options: Mapping[str, Any], http: Http) -> None:
        self._http = http
        self._url = str(options.get("url") or "https://app.launchdarkly.com").rstrip("/")
        self._token: Secret = options["token"]
        self._timeout_s = float(options.get("timeout") or 10.0)

    async def look(self, which: Which, now: float) -> Looked:
        """Whether a flag is on. Raises `Refused` for one that is archived or has no such environment."""
        flag, project, environment = which.flag, which.project, which.environment
        answer = await self._call("GET", flag, project, now, query={"env": environment})
        found = decode(answer.body, _Flag)
        if found.archived:
            raise Refused(f"flag {flag} of project {project} is archived; it was left as it is")
        if environment not in found.environments:
            raise Refused(f"flag {flag} of project {project} has no environment {environment}")
        return Looked(found.environments[environment].on)

    # One signature for all flag services; not each needs all of it.
    async def switch(self, which: Which, before: Looked, on: bool, *, comment: str, now: float) -> None:  # noqa: ARG002
        """Turns a flag on or off; one that is so already stays so."""
        kind = "turnFlagOn" if on else "turnFlagOff"
        body = {"environmentKey": which.environment, "comment": comment, "instructions": [{"kind": kind}]}
        await self._call("PATCH", which.flag, which.project, now, body=body)

    async def _call(
        self,
        method: str,
        flag: str,
        project: str,
        now: float,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Answer:
        path = f"/api/v2/flags/{path_part(project)}/{path_part(flag)}"
        answer = await self._http.request(
            method,
            f"{self._url}{path}",
            headers={"Authorization": self._token.reveal(), **({"Content-Type": _SEMANTIC} if body else {})},
            query=query,
            data=msgspec.json.encode(body) if body else None,
            timeout_s=self._timeout_s,
        )
        who = f"LaunchDarkly ({method} {path})"
        if answer.status == 409:
            raise Unreachable(f"{who} answered 409: another change is being made; nothing was changed")
        return checked(_with_wait(answer, now), who, (self._token,))


def _with_wait(answer: Answer, now: float) -> Answer:
    """The answer with the wait until LaunchDarkly's limit is reset, where it tells only that time (in ms)."""
    headers = {name.lower(): value for name, value in answer.headers.items()}
    reset = headers.get("x-ratelimit-reset", "")
    if answer.status != 429 or "retry-after" in headers or not (reset.isascii() and reset.isdecimal()):
        return answer
    wait_s = max(int(reset) // 1000 - int(now) + 1, 1)
    return Answer(answer.status, {**answer.headers, "Retry-After": str(wait_s)}, answer.body)
