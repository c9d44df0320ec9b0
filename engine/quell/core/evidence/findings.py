"""What one metric says of one entity."""

from __future__ import annotations

from dataclasses import dataclass

MOST = 8.0
"""No single kind of evidence is worth more nats than this."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one metric says of a node: nats, and the sentence."""

    node: int
    code: str
    text: str
    weight: float
