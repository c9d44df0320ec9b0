"""What new alerts have in common, made once for all of them: of whoever has such labels, of whoever is told of then."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from quell.core.mute import Ways
from quell.core.verdicts import muted
from quell.model.alert import Alert, Heard, Muting
from quell.model.records import AlertRecord
from quell.model.state import Triaged


class Alike(msgspec.Struct, frozen=True):
    """What all alerts have in common whose labels are alike where rules and severities look.

    ``ruled``: a rule of triage is about them, ``mapped``: a map rule is, ``mutable``: something but silences and
    inhibitions may mute them. ``severe``: they page; ``like`` says what becomes of one that says nothing else.
    """

    ruled: bool
    mapped: bool
    ways: Ways
    mutable: bool
    severity: str
    severe: bool
    like: Alert


class Common(msgspec.Struct):
    """What alerts have in common that are told of at the same times by one source.

    ``until``: until when one is held that does not page, and one that does. ``patterns``: by severity the alert as it
    is but for what it says.
    """

    first: AlertRecord
    zero: bool
    source: str
    begun: float
    arrived: float
    ends_at: float | None
    timeout: bool
    behaviour: Triaged
    until: tuple[float, float]
    heard: tuple[Heard, ...]
    patterns: dict[str, Alert] = {}

    def has(self, record: AlertRecord) -> bool:
        """Whether another is told of at the same times by the same source; zero may have a sign, so it is none."""
        mine = self.first
        return (
            record.at == mine.at
            and record.seen == mine.seen
            and record.starts_at == mine.starts_at
            and record.ends_at == mine.ends_at
            and record.timeout is mine.timeout
            and record.source == mine.source
            and record.id == mine.id
            and not self.zero
        )

    def pattern(self, alike: Alike) -> Alert:
        """The first of its severity; kept for the others."""
        pattern = self.patterns[alike.severity] = replace(
            alike.like,
            source=self.source,
            starts_at=self.begun,
            updated_at=self.arrived,
            onset_seen=self.arrived,
            ends_at=self.ends_at,
            timeout=self.timeout,
            record=self.first.id,
            hold_until=self.until[alike.severe],
            heard=self.heard,
        )
        return pattern


def otherwise(pattern: Alert, mutings: tuple[Muting, ...], record: AlertRecord) -> Alert:
    """The pattern of one that is muted, or says what others do not."""
    if mutings:
        pattern = replace(pattern, mutings=mutings, handling="muted", reason=muted(mutings), hold_until=None)
    return replace(pattern, key=record.key, threshold=record.threshold)
