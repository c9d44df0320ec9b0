"""Deploys and releases of models and prompts: what they broke, when that was seen and over, and what users felt."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from quell.model.alert import Alert
from quell.model.incident import Incident
from quell.model.provenance import Provenance
from quell.model.run import Run
from quell.model.topology import Change, Dependency
from quell.stats.release_impact import Measure, Watch

RELEASES = frozenset({"deploy", "model", "prompt"})
FELT = frozenset({"kpi", "endpoint", "frontend"})
"""Kinds of entities at which users feel something."""
MOST_REACHED = 60
WINDOW_S = 3600.0
MOST_BESIDE = 10
MOST_RELEASES = 500
"""The latest are told."""
_NOT_THERE = frozenset({"merged", "withdrawn"})


class Blamed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An incident with the release as its first suspect. ``clear``: sure enough to be called the cause.

    Seconds are from the release on; ``resolve_s`` is None while it is not over.
    """

    id: str
    title: str
    status: str
    severity: str = ""
    confidence: float = 0.0
    clear: bool = True
    detect_s: float
    resolve_s: float | None = None


class TakenBack(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """``by`` is a person or a playbook, "" where nobody told; ``text`` says how it is known."""

    at: float
    by: str = ""
    text: str = ""


class Beside(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Another release that reaches the same users within the time that was looked at."""

    id: str
    at: float
    type: str
    entity: str
    revision: str = ""


class Release(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One release. ``detect_s`` and ``resolve_s`` are of the first incident it caused, and of the last to be over.

    ``beside`` are others of that time: what users felt may be theirs. ``measured_s`` is over how long that was looked
    at, where it was kept from then on and is not what was asked for (0: it is).
    """

    id: str
    at: float
    type: str
    entity: str
    revision: str = ""
    previous: str = ""
    commit: str = ""
    by: str = ""
    summary: str = ""
    url: str = ""
    incidents: tuple[Blamed, ...] = ()
    detect_s: float | None = None
    resolve_s: float | None = None
    taken_back: TakenBack | None = None
    impact: tuple[Measure, ...] = ()
    left_out: int = 0
    not_measured: str = ""
    beside: tuple[Beside, ...] = ()
    measured_s: float = 0.0


class Releases(msgspec.Struct, frozen=True, kw_only=True):
    """Those of a while, the newest first. ``known_from`` is since when samples are kept; ``more`` are not told."""

    from_time: float
    to_time: float
    window_s: float
    releases: tuple[Release, ...]
    known_from: float | None = None
    more: int = 0


def change_of(release: Release) -> Change:
    """The change that a release was told of as."""
    return Change(
        id=release.id,
        at=release.at,
        type=release.type,
        entity=release.entity,
        revision=release.revision,
        previous=release.previous,
        commit=release.commit,
        author=release.by,
        summary=release.summary,
        url=release.url,
    )


def changes_of(provenance: Mapping[str, Provenance]) -> Iterable[Change]:
    """The promotions that are remembered of models and prompts, as changes."""
    for entity, known in provenance.items():
        kind = entity.partition("/")[0]
        if kind not in {"model", "prompt"}:
            continue
        for one in known.promotions:
            if not one.found:
                yield Change(
                    id=one.change or f"promotion/{entity}@{one.alias}/{one.at:.3f}",
                    at=one.at,
                    type=kind,
                    entity=entity,
                    revision=one.version,
                    previous=one.previous,
                    author=one.by,
                    summary=f"{one.alias or 'what is in use'} points to version {one.version}",
                    source=one.source,
                )


def felt_at(entity: str, dependencies: Iterable[Dependency]) -> frozenset[str]:
    """The release's own entity, and whatever users feel that needs it, at most `MOST_REACHED`."""
    return felt(_needed_by(dependencies), entity)


def felt(needed_by: Mapping[str, Sequence[str]], entity: str) -> frozenset[str]:
    """The same over links that are in order already."""
    seen, todo = {entity}, [entity]
    while todo:
        for other in needed_by.get(todo.pop(), ()):
            if other not in seen:
                seen.add(other)
                todo.append(other)
    users = sorted(one for one in seen if one.partition("/")[0] in FELT)
    return frozenset([entity, *users[:MOST_REACHED]])


def _needed_by(dependencies: Iterable[Dependency]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in dependencies:
        found.setdefault(one.to, []).append(one.from_)
    return found


class Telling:
    """Puts releases together: changes first, then what became of them, then what was sampled.

    ``kept`` is what was told of releases before: for those of whose time records are gone.
    """

    def __init__(
        self,
        since: float,
        until: float,
        changes: Iterable[Change],
        window_s: float = WINDOW_S,
        kept: Iterable[Release] = (),
    ) -> None:
        self.since, self.until, self._window_s = since, until, window_s
        self._kept = {one.id: one for one in kept}
        known = [*map(change_of, self._kept.values()), *changes]
        every = {one.id: one for one in known if one.type in RELEASES and one.entity}
        self._by_entity: dict[str, list[Change]] = {}
        for change in sorted(every.values(), key=lambda one: (one.at, one.id)):
            self._by_entity.setdefault(change.entity or "", []).append(change)
        within = [one for one in every.values() if since <= one.at < until]
        within.sort(key=lambda one: (one.at, one.id), reverse=True)
        self.more = max(len(within) - MOST_RELEASES, 0)
        self._told = within[:MOST_RELEASES]
        self._ids = {one.id for one in self._told}
        self._incidents: dict[str, list[Incident]] = {}
        self._first: dict[str, float] = {}
        self._helped: dict[str, Run] = {}

    def incident(self, incident: Incident) -> None:
        """One incident, as it is now."""
        change = incident.suspects[0].change if incident.suspects else None
        if change in self._ids and incident.status not in _NOT_THERE:
            self._incidents.setdefault(change or "", []).append(incident)
            self._first[incident.id] = incident.opened_at

    def alert(self, alert: Alert) -> None:
        """One firing."""
        if alert.incident in self._first:
            self._first[alert.incident] = min(self._first[alert.incident], alert.starts_at)

    def run(self, run: Run) -> None:
        """A run that is done for real, with a release as what it was suspected for."""
        change = run.suspect.change if run.suspect is not None else None
        if change in self._ids and run.state == "done" and not run.dry and run.mode != "shadow":
            known = self._helped.get(change or "")
            if known is None or run.updated_at < known.updated_at:
                self._helped[change or ""] = run

    def watches(self, dependencies: Iterable[Dependency]) -> dict[str, Watch]:
        """What is to be sampled for each release: no further than to the release of the same thing next to it."""
        needed_by, found = _needed_by(dependencies), {}
        for change in self._told:
            near = [one.at for one in self._by_entity[change.entity or ""] if one.at != change.at]
            begin = max([change.at - self._window_s, *(at for at in near if at < change.at)])
            end = min([change.at + self._window_s, *(at for at in near if at > change.at)])
            found[change.id] = Watch(change.at, begin, end, felt(needed_by, change.entity or ""))
        return found

    def releases(self, watches: Mapping[str, Watch], known_from: float | None) -> Releases:
        """All of it. ``known_from`` is when the oldest record that is kept came in (None: there is none)."""
        beside = self._beside(watches)
        return Releases(
            from_time=self.since,
            to_time=self.until,
            window_s=self._window_s,
            releases=tuple(
                msgspec.structs.replace(self._release(one, watches[one.id], known_from), beside=beside.get(one.id, ()))
                for one in self._told
            ),
            known_from=known_from,
            more=self.more,
        )

    def _beside(self, watches: Mapping[str, Watch]) -> dict[str, tuple[Beside, ...]]:
        """For each release those of other things that fall into its time, and reach what it reaches."""
        found: dict[str, tuple[Beside, ...]] = {}
        told = sorted(self._told, key=lambda one: (one.at, one.id))
        times = [one.at for one in told]
        for change in told:
            watch = watches[change.id]
            near = told[bisect_left(times, watch.begin) : bisect_left(times, watch.end)]
            both = [
                Beside(id=one.id, at=one.at, type=one.type, entity=one.entity or "", revision=one.revision)
                for one in near
                if one.entity != change.entity and not watch.entities.isdisjoint(watches[one.id].entities)
            ]
            if both:
                found[change.id] = tuple(both[:MOST_BESIDE])
        return found

    def _release(self, change: Change, watch: Watch, known_from: float | None) -> Release:
        blamed = tuple(sorted((self._blamed(change, one) for one in self._incidents.get(change.id, ())), key=_when))
        sure = [one for one in blamed if one.clear]
        ends = [one.resolve_s for one in sure]
        impact, measured_s = tuple(watch.measures()), 0.0
        kept, why = self._kept.get(change.id), ""
        if kept is not None and kept.impact and (known_from is None or watch.begin < known_from):
            impact, measured_s = kept.impact, kept.measured_s if kept.measured_s != self._window_s else 0.0
        if not impact:
            places = ", ".join(sorted(watch.entities)[:4])
            why = f"nothing was sampled at {places}"
            if known_from is None or change.at < known_from:
                why = "there are no records of that time"
        return Release(
            id=change.id,
            at=change.at,
            type=change.type,
            entity=change.entity or "",
            revision=change.revision,
            previous=change.previous,
            commit=change.commit,
            by=change.author,
            summary=change.summary,
            url=change.url,
            incidents=blamed,
            detect_s=sure[0].detect_s if sure else None,
            resolve_s=None if not ends or None in ends else max(one for one in ends if one is not None),
            taken_back=self._taken_back(change),
            impact=impact,
            left_out=kept.left_out if kept is not None and impact is kept.impact else len(watch.left_out),
            not_measured=why,
            measured_s=measured_s,
        )

    def _blamed(self, change: Change, incident: Incident) -> Blamed:
        over = incident.resolved_at if incident.status == "resolved" else None
        kept = self._kept.get(change.id)
        before = (one.detect_s for one in (kept.incidents if kept is not None else ()) if one.id == incident.id)
        detect_s = max(self._first[incident.id] - change.at, 0.0)
        return Blamed(
            id=incident.id,
            title=incident.title,
            status=incident.status,
            severity=incident.severity,
            confidence=incident.suspects[0].confidence,
            clear=not incident.no_clear_cause,
            detect_s=min([detect_s, *before]),  # alerts are not kept as long as releases
            resolve_s=None if over is None else max(over - change.at, 0.0),
        )

    def _taken_back(self, change: Change) -> TakenBack | None:
        run = self._helped.get(change.id)
        later = [one for one in self._by_entity[change.entity or ""] if one.at > change.at and one.type == change.type]
        back = next((one for one in later if change.previous and one.revision == change.previous), None)
        if back is None or any(one.at < back.at and one.revision != change.revision for one in later):
            return None  # something newer came first: going back from that is no judgement of this one
        if run is not None:
            said = f"playbook {run.playbook}, run {run.id}"
            asked = run.approval.approved_by if run.approval is not None else ()
            by = f"{said}{', approved by ' + ', '.join(asked) if asked else ''}"
            return TakenBack(at=back.at, by=by, text=f"{change.previous} is in use again")
        return TakenBack(at=back.at, by=back.author, text=back.summary or f"{change.previous} is in use again")


def _when(blamed: Blamed) -> tuple[float, str]:
    return blamed.detect_s, blamed.id
