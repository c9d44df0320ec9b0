"""How large one delivery and one alert may be: what is beyond is set aside before it reaches the journal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from quell.daemon.inbox import TooMany
from quell.model.records import AlertRecord, AnyRecord
from quell.sdk.connector import Rejected


@dataclass(frozen=True, slots=True)
class Bounds:
    """``records`` in one delivery, ``labels`` of one alert, characters of one label's ``value``."""

    records: int
    labels: int
    value: int

    def split(self, records: Sequence[AnyRecord]) -> tuple[Sequence[AnyRecord], list[Rejected]]:
        """The records that are within bounds, and the others with the reason. Raises `TooMany`."""
        if len(records) > self.records:
            raise TooMany(
                f"{len(records)} records in one delivery; at most {self.records} are taken, send smaller ones"
            )
        if all(map(self._within, records)):
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

    def plain(self, record: AnyRecord) -> bool:
        """Whether it is an alert within bounds at a glance, as nearly every record is."""
        if type(record) is not AlertRecord:
            return False
        labels = record.labels
        # All values together are short enough, so each is.
        return len(labels) <= self.labels and len("".join(labels.values())) <= self.value

    def _within(self, record: AnyRecord) -> bool:
        return not isinstance(record, AlertRecord) or self.plain(record)

    def _reason(self, alert: AlertRecord) -> str:
        labels = alert.labels
        if len(labels) > self.labels:
            return f"labels: {len(labels)} labels; at most {self.labels} are taken"
        if labels and max(map(len, labels.values())) > self.value:
            name = next(name for name, value in labels.items() if len(value) > self.value)
            return f'labels: "{name}" has more than {self.value} characters'
        return ""
