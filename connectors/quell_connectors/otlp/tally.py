"""What of a delivery is not taken, and why: said to the sender, and counted as samples of whose it was."""

from __future__ import annotations

from quell.model.clocks import OFF
from quell.model.records import AnyRecord, SampleRecord, SamplesRecord
from quell_connectors.otlp.wire import NANO, Signal

MOST_REASONS = 5
SAMPLE = "otlp_rejected"
FUTURE_S = 300.0
"""How far ahead of ours a sender's clock may be; the core allows as much."""
_NOUN: dict[Signal, str] = {"traces": "spans", "metrics": "data points", "logs": "log records"}


class Tally:
    """Counts by entity and reason. ``oldest`` and ``newest`` are nanoseconds since 1970, what is between is taken."""

    def __init__(self, signal: Signal, now: float, max_age_s: float) -> None:
        self.signal: Signal = signal
        self.now = now
        self.oldest = max(int((now - max_age_s) * NANO), 1)
        self.newest = int((now + FUTURE_S) * NANO)
        self.rejected = 0
        self.notes: list[str] = []
        self._max_age_s = max_age_s
        self._by_reason: dict[tuple[str, str], int] = {}
        self._example: dict[str, str] = {}
        self._off_s: dict[str, float] = {}
        """How far the times lay from now that were not taken for that, at most."""

    def reject(self, entity: str, reason: str, example: str, count: int = 1) -> None:
        """Some are not taken."""
        self.rejected += count
        key = (entity, reason)
        self._by_reason[key] = self._by_reason.get(key, 0) + count
        if example < self._example.get(reason, "\U0010ffff"):  # the same one in whichever order they come
            self._example[reason] = example

    def reject_time(self, entity: str, at: int, example: str) -> None:
        """One is not taken for its time."""
        reason = "no_time" if at <= 0 else "too_old" if at < self.oldest else "too_new"
        self.reject(entity, reason, example)
        if at > 0:
            self._off_s[reason] = max(at / NANO - self.now, self._off_s.get(reason, 0.0), key=abs)

    def note(self, text: str) -> None:
        """Something the sender should know, though all was taken."""
        if text not in self.notes:
            self.notes.append(text)

    def message(self) -> str:
        """What the sender is told; "" when all is well."""
        counts: dict[str, int] = {}
        for (_, reason), count in self._by_reason.items():
            counts[reason] = counts.get(reason, 0) + count
        said = [
            f"{count} {_NOUN[self.signal]} {self._why(reason)} (such as {self._example[reason]})"
            for reason, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
        ]
        more = len(said) - MOST_REASONS
        said = said[:MOST_REASONS] + ([f"and {more} more reasons"] if more > 0 else [])
        return "; ".join([*said, *sorted(self.notes)[:MOST_REASONS]])

    def records(self, source: str) -> list[AnyRecord]:
        """How many of an entity's were not taken, for detectors to see; and by how much clocks are wrong."""
        values: dict[str, dict[str, list[float | None]]] = {}
        for (entity, reason), count in sorted(self._by_reason.items()):
            name = f"{SAMPLE}{{reason={reason},signal={self.signal}}}"
            values.setdefault(entity, {})[name] = [float(count)]
        rejected: list[AnyRecord] = [
            SamplesRecord(at=self.now, seen=self.now, source=source, entity=entity, times=[self.now], values=told)
            for entity, told in values.items()
        ]
        return rejected + [
            SampleRecord(at=self.now, seen=self.now, source=source, entity=f"source/{source}", metric=OFF, value=off_s)
            for _, off_s in sorted(self._off_s.items())
        ]

    def _why(self, reason: str) -> str:
        return {
            "no_time": "have no time",
            "too_old": f"are older than {self._max_age_s:g} s (max_age)",
            "too_new": f"lie more than {FUTURE_S:g} s ahead: a clock is wrong",
            "not_a_number": "are no number (NaN or infinite)",
            "no_value": "have no value",
            "no_name": "have no name",
            "no_id": "have no trace or span id",
            "backwards": "end before they begin",
            "unknown_type": "are of a type that is not known here",
            "bad_buckets": "have buckets that do not fit their bounds",
            "long_name": "have too many attributes for a name; say what to leave out (drop_attributes)",
            "too_many_series": "are of more series than a metric may have; say what to leave out (drop_attributes)",
        }.get(reason, reason)
