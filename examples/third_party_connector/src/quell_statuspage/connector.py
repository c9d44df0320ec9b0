"""The verbs of the connector."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from quell.sdk.connector import Call, Context, Done, Pulled
from quell.sdk.http import checked
from quell.sdk.secret import Secret
from quell.sdk.spec import Spec
from quell_statuspage.spec import SPEC
from quell_statuspage.translate import to_records


class StatusPage:
    """Pulls the state of components and posts updates."""

    spec: ClassVar[Spec] = SPEC

    def __init__(self, options: Mapping[str, Any], context: Context) -> None:
        self._url = str(options["url"]).rstrip("/")
        self._token: Secret | None = options.get("token")
        self._context = context

    async def pull(self, cursor: str | None, now: float) -> Pulled:
        """How the components are now; there is nothing to remember between two pulls."""
        answer = await self._context.http.request("GET", f"{self._url}/api/v2/components.json")
        return Pulled(to_records(checked(answer, self._url).body, self._context.source, now), cursor)

    async def act(self, call: Call) -> Done:
        """Posts the text. The page keeps one update per Idempotency-Key, so a repeat is safe."""
        if call.dry_run:
            return Done(f'"{call.params["text"]}" would be on {self._url}')
        headers = {"Idempotency-Key": call.key}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token.reveal()}"
        answer = await self._context.http.request(
            "POST",
            f"{self._url}/api/v2/updates",
            headers=headers,
            json={"body": call.params["text"]},
            timeout_s=call.timeout_s,
        )
        checked(answer, self._url, (self._token,))
        return Done(f'"{call.params["text"]}" is on {self._url}')
