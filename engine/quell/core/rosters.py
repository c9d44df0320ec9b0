"""What incidents ask of the alerts of a cause, remembered for as long as each of these alerts is what it was."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice

from quell.core.severity import worst
from quell.model.alert import Alert
from quell.model.state import State

MOST_KEPT = 5_000
MOST_ALERTS = 200_000
"""So many are kept, with so many alerts in them, at some hundred bytes each: a cause that grows is another every time
it is looked at."""
Member = tuple[str, int]


@dataclass(slots=True)
class Roster:
    """Firings in order of onset, whether people may hear of them, and the alerts whose present firing is among them."""

    raw: list[Member]
    of: list[str]
    """The fingerprints of these, in their order."""
    known: list[Alert | None]
    members: tuple[Member, ...]
    heard: bool
    present: list[Alert] = field(default_factory=list)
    marks: tuple[str, ...] = ()
    severity: str = ""


class Rosters:
    """Works out what units come to; the same again costs a look at each of their alerts."""

    def __init__(self, state: State) -> None:
        self._state = state
        self.alerts = state.alerts
        self._kept: dict[tuple[int, ...], Roster] = {}
        self._alerts = 0
        """So many are in those that are kept."""

    def of(self, units: tuple[int, ...]) -> Roster:
        """The roster of these units as of now."""
        live, alerts = self._state.units, self._state.alerts
        roster = self._kept.get(units)
        count = 0
        for unit_id in units:
            count += len(live[unit_id].alerts)
        if roster is None or len(roster.raw) != count:  # what joined a unit stays in it
            raw = [member for unit_id in units for member in live[unit_id].alerts]
            marks = [mark for mark, _ in raw]
        else:
            raw, marks = roster.raw, roster.of
        known = list(map(alerts.get, marks))
        if roster is None or roster.raw is not raw or roster.known != known:
            self._forget(units)
            if len(self._kept) >= MOST_KEPT:
                for oldest in list(islice(self._kept, MOST_KEPT // 4 + 1)):
                    self._forget(oldest)
            while self._kept and self._alerts + len(raw) > MOST_ALERTS:
                self._forget(next(iter(self._kept)))
            roster = self._kept[units] = _roster(raw, marks, known)
            self._alerts += len(raw)
        return roster

    def _forget(self, units: tuple[int, ...]) -> None:
        known = self._kept.pop(units, None)
        self._alerts -= 0 if known is None else len(known.raw)

    def same(self, units: tuple[int, ...], members: tuple[Member, ...]) -> Roster | None:
        """The roster of these units as of now, if these are all of its members; else None."""
        known = self._kept.get(units)
        if known is None or known.members is not members:
            return None
        roster = self.of(units)
        return roster if roster.members == members else None


def _roster(raw: list[Member], marks: list[str], known: list[Alert | None]) -> Roster:
    order = sorted([
        (0.0 if alert is None else alert.starts_at, mark, episode)
        for (mark, episode), alert in zip(raw, known, strict=True)
    ])  # fmt: skip
    by_mark = {mark: alert for (mark, _), alert in zip(raw, known, strict=True)}
    members = tuple([(mark, episode) for _, mark, episode in order])
    heard = any(alert is not None and not alert.mutings and alert.handling != "muted" for alert in known)
    present = [alert for mark, episode in members if (alert := by_mark[mark]) is not None and alert.episode == episode]
    return Roster(
        raw,
        marks,
        known,
        members,
        heard,
        present,
        tuple([alert.fingerprint for alert in present]),
        worst(alert.severity for alert in present if alert.severity),
    )
