"""The past of alerts, from the series ``ALERTS`` that Prometheus keeps of them.

Each point of a question looks back over one step, so that an alert is not missed for being short. What a series tells
is therefore true to one step: an alert begins up to a step too early and ends up to a step too late.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from quell.errors import BadPayload
from quell.model.records import AlertRecord
from quell_connectors.prometheus.translate import Series

MOST_POINTS = 11_000
"""Points that Prometheus gives of one series at most."""
FIRST_POINTS = 1_440
"""Asked for at first: a day by the minute. It is halved when that is too much for one answer."""
LEAST_STEP_S = 1.0
_OURS = frozenset({"__name__", "alertstate"})
Labels = frozenset[tuple[str, str]]


class Cursor(msgspec.Struct, frozen=True, kw_only=True):
    """Where the next part begins, how many points it may have, and what fires there, with its beginnings."""

    at: float
    points: int = FIRST_POINTS
    firing: list[tuple[dict[str, str], float]] = []

    def text(self) -> str:
        """As it is kept."""
        return msgspec.json.encode(self).decode()


def cursor_at(text: str) -> Cursor:
    """The cursor that was kept. Raises `BadPayload`."""
    try:
        found = msgspec.json.decode(text, type=Cursor)
    except msgspec.DecodeError as error:
        raise BadPayload(f"not a cursor of this version: {error}; begin anew") from error
    return msgspec.structs.replace(found, points=max(1, min(found.points, MOST_POINTS)))


def firing(step_s: float) -> str:
    """What is asked."""
    return f'max_over_time(ALERTS{{alertstate="firing"}}[{max(round(step_s * 1000), 1)}ms])'


def grid(from_: float, step_s: float) -> float:
    """The first moment to ask about: whole steps, so that asking again about a part gives the same points."""
    return (from_ // step_s + 1) * step_s


def part(
    series: Sequence[Series], cursor: Cursor, last: float, *, from_: float, step_s: float, source: str
) -> tuple[list[AlertRecord], list[tuple[dict[str, str], float]]]:
    """Beginnings and ends from the moment of the cursor to ``last``, in order, and what fires at ``last``."""
    times: dict[Labels, list[float]] = {}
    for one in series:
        key = frozenset((name, value) for name, value in one.metric.items() if name not in _OURS and value)
        if key:
            times.setdefault(key, []).extend(at for at, value in one.values if value != "NaN")
    before = {frozenset(labels.items()): since for labels, since in cursor.firing}
    told: list[AlertRecord] = []
    still: list[tuple[dict[str, str], float]] = []
    for key in {**before, **times}:
        labels = dict(sorted(key))
        since, latest = before.get(key), cursor.at - step_s
        for at in sorted(times.get(key, ())):
            if since is not None and at - latest > 1.5 * step_s:
                told.append(_ended(labels, since, latest, source))
                since = None
            if since is None:
                since = max(at - step_s, from_)
                told.append(_began(labels, since, source))
            latest = at
        if since is not None and latest < last - 0.5 * step_s:
            told.append(_ended(labels, since, latest, source))
        elif since is not None:
            still.append((labels, since))
    told.sort(key=lambda record: (record.at, record.status, sorted(record.labels.items())))
    still.sort(key=lambda alert: sorted(alert[0].items()))
    return told, still


def _began(labels: Mapping[str, str], at: float, source: str) -> AlertRecord:
    return AlertRecord(at=at, seen=at, source=source, status="firing", labels=dict(labels), starts_at=at)


def _ended(labels: Mapping[str, str], since: float, at: float, source: str) -> AlertRecord:
    at = max(at, since)
    return AlertRecord(
        at=at, seen=at, source=source, status="resolved", labels=dict(labels), starts_at=since, ends_at=at
    )
