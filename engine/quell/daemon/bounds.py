"""How large one delivery and one alert may be: what is beyond is set aside before it reaches the journal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from quell.daemon.inbox import TooMany
from quell.model.records import AlertRecord, AnyRecord
from quell.model.retold import Retold
from quell.sdk.connector import Rejected

_MOST_SEEN = 4096


@dataclass(frozen=True, slots=True)
class Bounds:
    """``records`` in one delivery, ``labels`` of one alert, characters of one label's ``value``."""

    records: int
    labels: int
    value: int
    _seen: dict[int, Mapping[str, str]] = field(default_factory=dict, init=False, repr=False, compare=False)
    """Labels that were within bounds, by their identity: whoever is told again has the very same object."""

    def split(self, records: Sequence[AnyRecord]) -> tuple[Sequence[AnyRecord], list[Rejected]]:
        """The records that are within bounds, and the others with the reason. Raises `TooMany`."""
        if len(records) > self.records:
            raise TooMany(
                f"{len(records)} records in one delivery; at most {self.records} are taken, send smaller ones"
            )
        if self.plain(records):
            return records, []
        rejected: list[Rejected] = []
        for record in records:
            reason = self._reason(record) if isinstance(record, AlertRecord) else ""
            if reason:
                rejected.append(Rejected(reason, msgspec.json.encode(record)))
        if not rejected:
            return records, rejected
        good = [each for each in records if not isinstance(each, AlertRecord) or not self._reason(each)]
        return good, rejected

    def plain(self, records: Sequence[AnyRecord]) -> bool:
        """Whether they are as most deliveries: some, not too many, and all of them alerts within bounds at a glance."""
        if not 0 < len(records) <= self.records:
            return False
        if type(records) is not Retold:
            return self._alerts_plain(records)
        # Noted at the words: kept here, they would outlive all who tell them, and they may be megabytes each.
        words = records.words
        if words.within is not self and self._alerts_plain(records):
            words.within = self
        return words.within is self

    def _alerts_plain(self, records: Sequence[AnyRecord]) -> bool:
        most, value, seen = self.labels, self.value, self._seen
        if len(seen) > _MOST_SEEN:  # first: those of which one is not plain are looked at to that one, every time
            seen.clear()
        for record in records:
            if type(record) is not AlertRecord:
                return False
            labels = record.labels
            if seen.get(id(labels)) is labels:
                continue
            # All values together are short enough, so each is.
            if len(labels) > most or len("".join(labels.values())) > value:
                return False
            seen[id(labels)] = labels
        return True

    def _reason(self, alert: AlertRecord) -> str:
        labels = alert.labels
        if len(labels) > self.labels:
            return f"labels: {len(labels)} labels; at most {self.labels} are taken"
        if labels and max(map(len, labels.values())) > self.value:
            name = next(name for name, value in labels.items() if len(value) > self.value)
            return f'labels: "{name}" has more than {self.value} characters'
        return ""
