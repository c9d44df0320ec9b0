"""The HTTP client that connectors are given: timeouts, a size cap, no redirects, guarded against inside addresses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Answer:
    """What the other side said."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Http(Protocol):
    """Raises `Unreachable` when no answer came (refused, timed out, cut off); any status is an `Answer`."""

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
    ) -> Answer: ...
