"""Incidents: what the solved causes of a group mean for the incidents that people see.

A solution is compared with what was shown before: a cause takes over the incident that holds most of its alerts,
others open new ones, an incident that lost its alerts to others is merged into where most went. Ids are stable and
depend on nothing but the alerts and the time.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import cast

import msgspec

from quell.core.alerts import Alerts
from quell.core.conclude import Cause
from quell.core.continuity import Cluster, Member, absorber, continued, kept, place_of
from quell.core.growth import Growth
from quell.core.handing_on import HandingOn
from quell.core.joining import Joining
from quell.core.lives import Lives
from quell.core.logbook import Logbook, noted
from quell.core.looks import Look, Moves
from quell.core.newcomers import newcomers
from quell.core.pager import Pager
from quell.core.partings import partings, shows
from quell.core.rank import Changes, Ranker
from quell.core.remains import remains
from quell.core.rulings import Rulings
from quell.core.said import OfColumns
from quell.core.severity import worst
from quell.core.standing import Standing
from quell.core.steps import Steps
from quell.model.alert import Alert, Reason
from quell.model.decision import AlertChanged, AnyDecision
from quell.model.incident import Incident
from quell.model.rulebook import Rulebook
from quell.model.state import Group, State

TOLD_TOGETHER = 256
"""So many alerts are told in one step where they belong."""
PUT_TOGETHER = 10_000
"""For so many it is kept in one step."""


class Incidents:
    """Works on ``state.incidents`` and ``state.placed``; every visible difference becomes a decision."""

    def __init__(
        self,
        rulebook: Rulebook,
        state: State,
        *,
        alerts: Alerts,
        logbook: Logbook,
        pager: Pager,
        lives: Lives,
        standing: Standing,
        joining: Joining,
    ) -> None:
        self._rulebook = rulebook
        self._state = state
        self._alerts = alerts
        self._logbook = logbook
        self._pager = pager
        self._lives = lives
        self._growth = Growth(rulebook, state, logbook, lives)
        self._rulings = Rulings(state)
        self._standing = standing
        self._joining = joining
        self._handing_on = HandingOn(rulebook, state, logbook, pager)

    def settle(
        self,
        group: Group,
        causes: Sequence[Cause],
        ranker: Ranker,
        changes: Changes,
        *,
        now: float,
        out: list[AnyDecision],
    ) -> Steps[None]:
        """Brings the incidents of a group in line with its solution, one after the other."""
        look = yield from self._standing.look(group)
        if not causes and not look.stood:
            group.parting, group.newcomers = {}, {}
            return
        yield  # each part takes as long as the group is large: others are served between them
        clusters = yield from look.clusters(causes)
        yield
        free, held, apart = self._rulings.sorted_out(clusters)
        yield
        story = self._with_word((yield from self._shown(group, free, look, now)), held, apart)
        yield
        placed = yield from look.placed(story, apart)
        yield
        if look.stood and (stay := kept(self._state, placed.left(), placed.told, placed.heir)):
            story = self._with_paged(story, apart, stay)
            placed = yield from look.placed(story, apart)
        yield
        moves = yield from placed.moves({name for name in look.stood if self._resolved(name)})
        lost = moves.lost
        yield
        yield from self._put(moves)
        after = moves.after
        self._handing_on.absorbed(lost, after, now, out)
        came = self._came(moves) if any(was is not None for was, _ in moves.between) else {}
        joined = moves.joined
        mixed = {one for was, name in moves.between if was and name for one in (was, name)}
        yield
        for cluster, name in story:
            large = len(cluster.members) > TOLD_TOGETHER
            anew, mix = name in joined, name in mixed
            if anew and self._resolved(name):
                more = self._stayed(name, placed.after)
            else:
                more = self._rulings.elsewhere(name, look.before)
            listed = yield from look.listed(cluster)
            if large:
                yield
            self._growth.follow(name, cluster, listed, ranker, changes, more=more, anew=anew, mix=mix, now=now, out=out)
            if large:
                yield
            if name in self._state.incidents:
                self._handing_on.moved(name, came.get(name, {}), now, out)
                self._pager.page_if_due(name, now, out, listed if isinstance(listed, OfColumns) else None)
            yield
        for name in sorted(apart.keys() - {name for _, name in story}):
            left = {member[0] for member, to, was in moves if was == name != to and self._present(member)}
            self._adopt(name, apart[name], left, now, out)
            yield
        for name, members in sorted(lost.items()):
            self._lost(name, members, after, now, out)
            yield
        yield from self._tell_all(moves, now, out)

    def _put(self, moves: Moves) -> Steps[None]:
        """Keeps where all that moves stands from now on."""
        placed = self._state.placed
        for start in range(0, len(moves.places), PUT_TOGETHER):
            places, to = moves.places[start : start + PUT_TOGETHER], moves.to[start : start + PUT_TOGETHER]
            if None not in to:
                placed.update(zip(places, cast("Sequence[str]", to), strict=True))
            else:
                for place, name in zip(places, to, strict=True):
                    if name is None:
                        placed.pop(place, None)
                    else:
                        placed[place] = name
            yield

    def _tell_all(self, moves: Moves, now: float, out: list[AnyDecision]) -> Steps[None]:
        """All that moved say so, in this order."""
        at, members, was = 0, moves.members, moves.was
        names = moves.to
        if moves.lost:  # some of these were put back
            names = []
            for start in range(0, len(moves.places), PUT_TOGETHER):
                names += map(self._state.placed.get, moves.places[start : start + PUT_TOGETHER])
                yield
        while at < len(members):
            until = min(at + TOLD_TOGETHER, len(members))
            joined = self._joining.some(members[at:until], names[at:until], was[at:until], now, out)
            at += joined
            if at < until:
                self._tell(members[at], was[at], now, out)
                at += 1
            yield

    def _shown(self, group: Group, free: Sequence[Cluster], look: Look, now: float) -> Steps[list[tuple[Cluster, str]]]:
        """What people are shown of what was concluded, and what of it waits."""
        state, before, stood = self._state, look.before, bool(look.stood)
        merged = self._logbook.merged_into(look.stood)
        story = yield from continued(
            state, free, before, settings=self._rulebook.correlate, now=now, merged=merged, stood=stood
        )
        yield
        little = (yield from remains(state, free, story, before)) if stood else {}
        yield
        story = yield from self._still_together(group, story, before, now, some_stood=stood)
        yield
        story = yield from self._with_more(story, little)
        known, settings = group.newcomers, self._rulebook.correlate
        told = yield from newcomers(state, story, before, known, now, settings=settings)
        group.newcomers, waiting = told
        yield
        return (yield from self._without(dict.fromkeys(waiting), story, before))

    def _came(self, moves: Moves) -> dict[str, dict[str, Incident]]:
        """What fires and has just come from an open incident that paged: by where it is now, by alert."""
        found: dict[str, dict[str, Incident]] = {}
        for member, name, was in moves:
            if was is None:
                continue
            origin = self._state.incidents.get(was)
            if name is None or origin is None or origin.paged_at is None or not origin.is_open or origin.crowd:
                continue
            if self._fires(member):
                found.setdefault(name, {})[member[0]] = origin
        return found

    def _still_together(
        self,
        group: Group,
        story: list[tuple[Cluster, str]],
        before: Mapping[Member, str | None],
        now: float,
        *,
        some_stood: bool,
    ) -> Steps[list[tuple[Cluster, str]]]:
        """What was concluded, but for what parts from an incident that people are shown: it stays until that lasts."""
        if not some_stood:
            group.parting = {}
            return story
        group.parting, waiting = partings(self._state, story, before, group.parting, now)
        yield
        return (yield from self._without(waiting, story, before))

    def _without(
        self, waiting: Mapping[str, str | None], story: list[tuple[Cluster, str]], before: Mapping[Member, str | None]
    ) -> Steps[list[tuple[Cluster, str]]]:
        """What was concluded, but for what waits, told with its home: that stays where it stood, or goes home."""
        if not waiting:
            return story
        more: dict[str, list[Member]] = {}
        stay = {name for _, name in story if name not in waiting and shows(self._state, name)}
        for cluster, name in story:
            for member in cluster.members if name in waiting else ():
                stood = before[member]
                home = stood if stood in stay else waiting[name]
                if home is not None:
                    more.setdefault(home, []).append(member)
        yield
        return (yield from self._with_more([one for one in story if one[1] not in waiting], more))

    def _with_more(
        self, story: list[tuple[Cluster, str]], more: Mapping[str, list[Member]]
    ) -> Steps[list[tuple[Cluster, str]]]:
        """What was concluded, with what else stands in some of these incidents."""
        found: list[tuple[Cluster, str]] = []
        for cluster, name in story:
            found.append((self._rulings.with_apart(cluster, more[name]) if name in more else cluster, name))
            if name in more:
                yield
        return found

    def _with_word(
        self, story: list[tuple[Cluster, str]], held: Mapping[str, Cluster], apart: Mapping[str, list[Member]]
    ) -> list[tuple[Cluster, str]]:
        """What was concluded, with what people said of it: an incident is what they say it is, and is told once."""
        if not held and not apart:
            return story
        told = {name: cluster for cluster, name in story}
        for name, cluster in held.items():
            told[name] = self._rulings.joined(told.get(name), cluster)
        for name, members in apart.items():
            if name in told:
                told[name] = self._rulings.with_apart(told[name], members)
        return [(cluster, name) for name, cluster in told.items()]

    def _with_paged(
        self,
        story: list[tuple[Cluster, str]],
        apart: dict[str, list[Member]],
        stay: Mapping[str, list[Member]],
    ) -> list[tuple[Cluster, str]]:
        """What was concluded, with what pages no more though it fires, and would be in no incident."""
        for name in stay.keys() & apart.keys():
            apart[name].extend(stay[name])
        return [
            (self._rulings.with_apart(cluster, stay[name]) if name in stay else cluster, name)
            for cluster, name in story
        ]

    def _adopt(
        self, name: str, members: Sequence[Member], left: Collection[str], now: float, out: list[AnyDecision]
    ) -> None:
        """Lists what stands in an incident by nothing but a person's word, and no more what has just ``left`` it."""
        known = self._state.incidents[name]
        stayed = (mark for mark in known.alerts if mark not in left)
        marks = tuple(dict.fromkeys((*stayed, *(mark for mark, _ in members))))
        if marks == known.alerts:
            return
        alerts = [alert for mark in marks if (alert := self._state.alerts.get(mark)) is not None]
        grown = msgspec.structs.replace(
            known,
            alerts=marks,
            severity=worst(alert.severity for alert in alerts if alert.severity),
            entities=tuple(dict.fromkeys(alert.entity for alert in alerts if alert.entity)),
        )
        self._logbook.keep(grown, "updated", now, out)

    def _present(self, member: Member) -> bool:
        """Whether it is the present firing of an alert, or the last one."""
        alert = self._state.alerts.get(member[0])
        return alert is not None and alert.episode == member[1]

    def _fires(self, member: Member) -> bool:
        alert = self._state.alerts.get(member[0])
        return alert is not None and alert.firing and alert.episode == member[1]

    def _resolved(self, name: str | None) -> bool:
        incident = self._state.incidents.get(name) if name else None
        return incident is not None and incident.status == "resolved"

    def _stayed(self, name: str, after: Mapping[Member, str]) -> list[Alert]:
        """What is still in an incident that opens again though no cause there explains it: it is listed as well."""
        alerts = (self._state.alerts.get(mark) for mark in self._state.incidents[name].alerts)
        return [
            alert
            for alert in alerts
            if alert is not None and alert.incident == name and (alert.fingerprint, alert.episode) not in after
        ]

    def _place(self, member: Member, name: str | None) -> None:
        if name is None:
            self._state.placed.pop(place_of(member), None)
        else:
            self._state.placed[place_of(member)] = name

    def _tell(self, member: Member, before: str | None, now: float, out: list[AnyDecision]) -> None:
        """An alert that moved says so; one of an earlier episode speaks for that episode only."""
        name = self._state.placed.get(place_of(member))
        if name == before:
            return
        alert = self._state.alerts.get(member[0])
        if alert is None:
            return
        if alert.episode != member[1]:
            reason = Reason(code="in_incident", text="an earlier firing of this alert")
            old = msgspec.structs.replace(
                alert, episode=member[1], incident=name, status="resolved", handling="hold", reason=reason
            )
            out.append(AlertChanged(at=now, alert=old))
            return
        moved = msgspec.structs.replace(alert, incident=name)
        self._state.alerts[member[0]] = moved
        if not self._alerts.rejudge([member[0]], now, out):
            out.append(AlertChanged(at=now, alert=self._state.alerts[member[0]]))

    def _rest(self, crowd: Incident, members: Sequence[Member], after: Mapping[Member, str]) -> tuple[str, ...]:
        """What stays of a crowd when some of its members have found their company."""
        gone = {mark for mark, episode in members if (mark, episode) in after}
        return tuple(mark for mark in crowd.alerts if mark not in gone)

    def _lost(
        self, name: str, members: Sequence[Member], after: Mapping[Member, str], now: float, out: list[AnyDecision]
    ) -> None:
        """An incident that no cause goes on with is merged into where most of its alerts went, or stays as it was."""
        incident = self._state.incidents.get(name)
        if incident is None or not incident.is_open:
            return
        target = absorber(members, after)
        if target is not None and incident.crowd and (rest := self._rest(incident, members, after)):
            self._lives.parted(incident, rest, f"{target} explains others of its alerts", now, out)
            for member in members:
                if member not in after:
                    self._place(member, name)
        elif target is not None:
            text = f"its alerts are explained by {target}"
            merged = msgspec.structs.replace(incident, status="merged", merged_into=target, resolved_at=now)
            self._logbook.keep(noted(merged, now, "merged", text), "merged", now, out)
        else:
            # People were shown it: weaker evidence alone does not take it back, only a better explanation does.
            for member in members:
                self._place(member, name)
