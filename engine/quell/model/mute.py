"""What keeps an alert from paging on purpose: silences, maintenance windows, inhibitions; each with its reason."""

from __future__ import annotations

from typing import Literal

import msgspec


class Matcher(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One condition on one label, as Alertmanager writes it; a missing label equals the empty text.

    ``is_regex`` anchors ``value`` as an RE2 expression at both ends; ``is_equal`` false negates.
    """

    name: str
    value: str
    is_regex: bool = False
    is_equal: bool = True

    def __str__(self) -> str:
        operator = {(False, True): "=", (False, False): "!=", (True, True): "=~", (True, False): "!~"}
        quoted = self.value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'{self.name}{operator[self.is_regex, self.is_equal]}"{quoted}"'


class Silence(msgspec.Struct, frozen=True, kw_only=True):
    """Alerts that match all ``matchers`` are muted from ``starts_at`` until ``ends_at``; made by a person."""

    id: str
    matchers: tuple[Matcher, ...]
    starts_at: float
    ends_at: float
    updated_at: float
    created_by: str = ""
    comment: str = ""
    annotations: dict[str, str] = {}

    def state(self, now: float) -> Literal["pending", "active", "expired"]:
        """Pending before it starts, expired from its end on."""
        if now >= self.ends_at:
            return "expired"
        return "active" if now >= self.starts_at else "pending"
