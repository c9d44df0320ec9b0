"""One object for all texts that are the same: a storm says the same few words a hundred thousand times."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from msgspec.structs import replace

from quell.model.alert import Alert, Heard, Reason
from quell.model.state import State, Triaged

MOST_WORDS = 20_000
LONGEST = 64


class Words:
    """Short texts that were met lately. Bounded: what was met once in two rounds is forgotten, and met anew.

    Of most alerts one label is like no other; the ten thousand hosts that the other labels name are met all the same.
    """

    def __init__(self) -> None:
        self._known: dict[str, str] = {}
        self._before: dict[str, str] = {}

    def share(self, texts: dict[str, str]) -> None:
        """Puts known objects in the place of equal values."""
        known = self._known.get
        for name, text in texts.items():
            one = known(text)
            if one is not None:
                texts[name] = one
            elif len(text) <= LONGEST:
                texts[name] = self._met(text)
                known = self._known.get

    def one(self, text: str) -> str:
        """The object that stands for a text."""
        known = self._known.get(text)
        return self._met(text) if known is None else known

    def _met(self, text: str) -> str:
        if len(self._known) >= MOST_WORDS:
            self._before, self._known = self._known, {}
        found = self._known[text] = self._before.get(text, text)
        return found


class _Begun:
    """The behaviours of alerts that began once, by when, of those that were met lately; as `Words` does."""

    def __init__(self) -> None:
        self._known: dict[float, Triaged] = {}
        self._before: dict[float, Triaged] = {}

    def once(self, at: float) -> Triaged:
        """The behaviour of an alert that began once."""
        known = self._known.get(at) if at else Triaged(episodes=1, began=(at,))  # zero may have a sign
        if known is None:
            if len(self._known) >= MOST_WORDS:
                self._before, self._known = self._known, {}
            known = self._known[at] = self._before.get(at) or Triaged(episodes=1, began=(at,))
        return known


begun_once = _Begun().once


def shared(state: State, alerts: Iterable[tuple[str, Alert]], behaviour: Iterable[tuple[str, Triaged]]) -> None:
    """Shares what is the same in a state that was just decoded, in which nothing is shared; its content stays.

    Puts ``alerts`` and ``behaviour`` into it, which may be decoded as they are asked for.

    Also gives the places of first firings the short names that older snapshots do not have.
    """
    words = Words()
    reasons: dict[tuple[str, str], Reason] = {}
    marks: dict[str, str] = {}
    times: dict[float, float] = {}
    for mark, alert in alerts:
        marks[mark] = mark
        words.share(alert.labels)
        state.alerts[mark] = _thrifty(mark, alert, words, reasons, times)
    know = marks.get
    _edges(state, words)
    begun: dict[tuple[float, ...], Triaged] = {}
    for mark, one in behaviour:
        state.behaviour[know(mark, mark)] = _once(one, begun) if one.episodes == 1 else one
    incidents = {name: name for name in state.incidents}
    state.placed = {_brief(place, marks): incidents.get(name, name) for place, name in state.placed.items()}
    state.habits.open = {_brief(place, marks): began for place, began in state.habits.open.items()}
    for unit in state.units.values():
        unit.alerts = [(know(mark, mark), episode) for mark, episode in unit.alerts]
    for name, incident in state.incidents.items():
        if len(incident.alerts) > 1:
            state.incidents[name] = replace(incident, alerts=_same(incident.alerts, marks))


def _thrifty(
    mark: str, alert: Alert, words: Words, reasons: dict[tuple[str, str], Reason], times: dict[float, float]
) -> Alert:
    def one(at: Any) -> Any:
        return times.setdefault(at, at) if at else at  # zero may have a sign

    reason = alert.reason
    return replace(
        alert,
        fingerprint=mark,
        source=words.one(alert.source),
        severity=words.one(alert.severity),
        entity=None if alert.entity is None else words.one(alert.entity),
        incident=None if alert.incident is None else words.one(alert.incident),
        reason=reasons.setdefault((reason.code, reason.text), reason),
        starts_at=one(alert.starts_at),
        updated_at=one(alert.updated_at),
        onset_seen=one(alert.onset_seen),
        ends_at=one(alert.ends_at),
        hold_until=one(alert.hold_until),
        heard=tuple([_heard(each, one) for each in alert.heard]),
    )


def _heard(told: Heard, one: Callable[[Any], Any]) -> Heard:
    start, last, end, seen = one(told.start), one(told.last), one(told.end), one(told.seen)
    until, ahead = one(told.until), one(told.ahead)
    return Heard(start, last, end, told.timeout, seen, told.record, until, ahead, told.silence)


def _edges(state: State, words: Words) -> None:
    """Dependencies are many, and name the same few."""
    names = {name: name for name in state.entities}
    claimed: dict[tuple[str, ...], tuple[str, ...]] = {}
    for key, edge in state.dependencies.items():
        state.dependencies[key] = replace(
            edge,
            from_=names.get(edge.from_, edge.from_),
            to=names.get(edge.to, edge.to),
            type=words.one(edge.type),
            sources=claimed.setdefault(edge.sources, edge.sources),
        )
    for name, entity in state.entities.items():
        words.share(entity.labels)
        sources = claimed.setdefault(entity.sources, entity.sources)
        state.entities[name] = replace(entity, entity=names[name], sources=sources)


def _once(one: Triaged, known: dict[tuple[float, ...], Triaged]) -> Triaged:
    same = known.setdefault(one.began, one)
    return same if same == one else one


def _brief(place: str, marks: dict[str, str]) -> str:
    """A place by its short name; see `quell.core.continuity.place_of`."""
    mark = place.removesuffix("/1")
    return marks.get(mark, mark)


def _same(names: Iterable[str], marks: dict[str, str]) -> tuple[str, ...]:
    return tuple([marks.get(name, name) for name in names])
