"""New alerts that come together and have nothing to do with each other: taken column by column, as each would be alone.

In a storm most of what comes is that. Who is told of at the same times by the same source, has labels of the same
names and the same values where rules look, differs from the others in a few words only: what follows from the rest is
asked once. All questions come first and change nothing; when one of the alerts is not as plain, when it inhibits
another or is inhibited, or when a rule speaks of it, all of them are left to the ways that take one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from operator import attrgetter, itemgetter
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from quell.core.again import New
from quell.core.chart import Chart
from quell.core.common import Alike, Common, otherwise
from quell.core.firsts import MAYBE_KPIS, Add, Firsts
from quell.core.fold import SKEW_S
from quell.core.intake import is_sound, keepable
from quell.core.mute import Muter
from quell.model.alert import Alert
from quell.model.decision import AlertChanged, AnyDecision
from quell.model.records import AlertRecord
from quell.model.state import State

LEAST = 4
"""Fewer cost less one after the other."""
MOST = 4096
"""So many sets of names of labels, and so many answers, are remembered."""
_Frame = tuple[object, ...]
_frame: Callable[[AlertRecord], _Frame] = attrgetter(
    "at", "seen", "starts_at", "ends_at", "timeout", "source", "status", "value", "threshold", "entity", "key", "id"
)
"""All that a record says but its labels, annotations and link."""


def _place(told: New) -> tuple[float, bytes]:
    return told[2].at, told[0]


class Taken(NamedTuple):
    """Decisions one after the other, from the ``first`` to the one before ``last``, that tell of new alerts alone.

    ``waiting`` are the fingerprints of those that wait for company.
    """

    first: int
    last: int
    alerts: Sequence[Alert]
    waiting: Sequence[str]


class _Look(msgspec.Struct, frozen=True):
    """What follows from labels that have the same names, and are alike where rules look.

    ``label`` names the entity where none is known, ``kind`` goes before it; "" is no label.
    """

    alike: Alike
    ruled: bool
    severe: bool
    label: str
    kind: str


class _Shape(msgspec.Struct, frozen=True):
    """What is known of labels that have the same names: where rules look, and what was answered there."""

    looked_at: Callable[[Mapping[str, str]], Hashable]
    answers: dict[Hashable, _Look]


class Flocks:
    """Works on ``state.alerts`` and ``state.behaviour`` with the parts of `quell.core.firsts.Firsts`."""

    def __init__(self, state: State, chart: Chart, firsts: Firsts, muter: Muter) -> None:
        self._state = state
        self._chart = chart
        self._firsts = firsts
        self._muter = muter
        self._shapes: dict[tuple[str, ...], _Shape] = {}
        self._answers = 0

    def take(self, told: Sequence[New], now: float, out: list[AnyDecision], add: Add) -> Taken | None:
        """Takes alerts of which nothing is known; None, and nothing is changed, when one of them is not as plain.

        ``add`` puts them where their company is.
        """
        state = self._state
        if len(told) < LEAST or state.foreign or state.taken:
            return None
        self._chart.renew()
        commons = self._commons([record for _, _, record in told], now)
        if commons is None:
            return None
        if len(commons) == 1:  # of one time, all of which have other labels: in the order of these
            told = sorted(told)
            having = [*commons.values()] * len(told)
        else:
            told = sorted(told, key=_place)
            having = [commons[_frame(record)] for _, _, record in told]
        marks, records = [mark for _, mark, _ in told], [record for _, _, record in told]
        looks = self._looks(records, having, now)
        if looks is None or not state.behaviour.keys().isdisjoint(marks) or not keepable(records):
            return None
        labels = [record.labels for record in records]
        seen = self._muter.apart(marks, labels, [look.alike.ways for look in looks])
        if seen is None:
            return None
        self._muter.begun_apart(seen, marks, labels)
        alerts, waiting = self._made(records, marks, having, looks, now)
        state.behaviour.update(zip(marks, [common.behaviour for common in having], strict=True))
        add(alerts, now)
        first = len(out)
        out += [AlertChanged(at=now, alert=alert) for alert in alerts]
        return Taken(first, len(out), alerts, waiting)

    def _commons(self, records: Sequence[AlertRecord], now: float) -> dict[_Frame, Common] | None:
        """What those have in common that are told of in the same way; None when something of it is not plain."""
        frames = dict(zip(map(_frame, records), records, strict=True))
        commons: dict[_Frame, Common] = {}
        for frame, record in frames.items():
            if (
                record.status != "firing"
                or record.value is not None
                or record.threshold is not None
                or record.entity is not None
                or record.key
                or record.id
                or not is_sound(record, now, now + SKEW_S)
            ):
                return None
            common = self._firsts.common(record, now)
            if common is None or common.zero:
                return None
            commons[frame] = common
        return commons

    def _looks(self, records: Sequence[AlertRecord], having: Sequence[Common], now: float) -> list[_Look] | None:
        """What follows from the labels of each; None when a rule of triage, or the age of one, tells more."""
        looks: list[_Look] = []
        shapes = self._shapes
        for record, common in zip(records, having, strict=True):
            labels = record.labels
            shape = shapes.get(tuple(labels)) or self._shape(labels)
            look = shape.answers.get(shape.looked_at(labels)) or self._answer(shape, labels)
            if look.ruled or now >= common.until[look.severe] or not labels:
                return None
            looks.append(look)
        return looks

    def _made(
        self,
        records: Sequence[AlertRecord],
        marks: Sequence[str],
        having: Sequence[Common],
        looks: Sequence[_Look],
        now: float,
    ) -> tuple[list[Alert], list[str]]:
        """The alerts as they stand, on the agenda for when they are looked at again; and which wait for company."""
        firsts, silences, resolver = self._firsts, self._state.silences, self._chart.resolver
        share, coined, nothing_known = firsts.share, resolver.coined, resolver.knows_nothing
        alerts: list[Alert] = []
        waiting: list[str] = []
        lapsing: dict[float | None, list[str]] = {}
        judged: dict[float, list[str]] = {}
        for record, mark, common, look in zip(records, marks, having, looks, strict=True):
            labels, alike = record.labels, look.alike
            entity: str | None
            if alike.mapped:
                entity = resolver.resolve(labels)
            elif nothing_known and look.label and (value := labels[look.label]):
                entity = coined(look.kind + value)
            else:
                entity = resolver.unruled(labels)
            share(labels)
            pattern = common.patterns.get(alike.severity) or common.pattern(alike)
            if (silences or alike.mutable) and (mutings := self._muter.besides(labels, now, silences, alike.ways)):
                pattern = otherwise(pattern, mutings, record)
            else:
                judged.setdefault(common.until[alike.severe], []).append(mark)
                if alike.severe:
                    waiting.append(mark)
            lapsing.setdefault(common.ends_at, []).append(mark)
            alert = replace(
                pattern, fingerprint=mark, labels=labels, annotations=record.annotations, url=record.url, entity=entity
            )
            if entity is not None and entity.startswith(MAYBE_KPIS):
                firsts.note_kpi(alert)
            alerts.append(alert)
        self._state.alerts.update(zip(marks, alerts, strict=True))
        firsts.plan(lapsing, judged)
        return alerts, waiting

    def _shape(self, labels: Mapping[str, str]) -> _Shape:
        if len(self._shapes) >= MOST or self._answers >= MOST:
            self._shapes.clear()
            self._answers = 0
        asked = [name for name in self._firsts.asked if name in labels]
        shape = self._shapes[tuple(labels)] = _Shape(itemgetter(*asked) if asked else _nothing, {})
        return shape

    def _answer(self, shape: _Shape, labels: Mapping[str, str]) -> _Look:
        if self._answers >= MOST:
            for each in self._shapes.values():
                each.answers.clear()
            self._answers = 0
        self._answers += 1
        alike = self._firsts.alike(labels)
        answer = _Look(alike, alike.ruled, alike.severe, *self._chart.resolver.naming(labels))
        shape.answers[shape.looked_at(labels)] = answer
        return answer


def _nothing(_labels: Mapping[str, str]) -> Hashable:
    return ()
