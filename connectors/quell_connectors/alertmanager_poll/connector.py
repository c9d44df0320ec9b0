"""Pulls alerts and silences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

import msgspec

from quell.sdk.connector import Context, Pulled
from quell.sdk.http import checked
from quell.sdk.payload import decode
from quell.sdk.secret import Secret
from quell.sdk.spec import Spec
from quell_connectors.alertmanager_poll.spec import SPEC
from quell_connectors.alertmanager_poll.translate import Shown, ShownSilence, cursor_of, news

T = TypeVar("T")
_ALL = {"active": "true", "silenced": "true", "inhibited": "true", "unprocessed": "true"}


class AlertmanagerPoll:
    """Every alert that Alertmanager has is told, whatever it does about it: muting is quell's own business here."""

    spec: ClassVar[Spec] = SPEC

    def __init__(self, options: Mapping[str, Any], context: Context) -> None:
        self._url = str(options["url"]).rstrip("/")
        self._token: Secret | None = options.get("token")
        self._timeout_s = float(options.get("timeout") or 10.0)
        self._context = context

    async def pull(self, cursor: str | None, now: float) -> Pulled:
        """Raises `Unreachable`, `Refused` or `BadPayload`; no alert is over for want of an answer."""
        silences = await self._get("/api/v2/silences", {}, list[ShownSilence])
        alerts = await self._get("/api/v2/alerts", _ALL, list[Shown])
        records, after = news(alerts, silences, cursor_of(cursor), self._context.source, now)
        return Pulled(records, msgspec.json.encode(after, order="deterministic").decode())

    async def _get(self, path: str, query: Mapping[str, str], kind: type[T]) -> T:
        headers = {"Authorization": f"Bearer {self._token.reveal()}"} if self._token else {}
        answer = await self._context.http.request(
            "GET", self._url + path, headers=headers, query=query, timeout_s=self._timeout_s
        )
        who = f'alertmanager "{self._context.source}"'
        return decode(checked(answer, who, (self._token,)).body, kind)
