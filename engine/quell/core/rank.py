"""From a solved cause to ranked suspects: who, how sure, what speaks for and against, who lost and why."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import exp, log

import msgspec

from quell.core.bearing import counted, own_word, standing, with_unknown
from quell.core.blame import changed, nearest_change, too_late
from quell.core.conclude import Cause
from quell.core.confidence import certainty, shares
from quell.core.correlate import Correlator
from quell.core.edges import most_likely
from quell.core.families import COUNT, Family
from quell.core.graph import Graph
from quell.core.reach import HOP_LIMIT, Claim
from quell.core.symptoms import Case
from quell.core.trail import OF_DATA, Led, follows, trail
from quell.core.unreached import Unreached
from quell.core.walk import visits
from quell.core.witness import Testimony, surroundings, testimony
from quell.model.incident import Evidence, Suspect
from quell.model.state import State, Unit
from quell.model.topology import Change

MOST_SUSPECTS = 5
MOST_BETRAYED = 3
MOST_ONWARD = 3
IMPACT_HOPS = 4
IMPACT_BAR = 0.25
MOST_IMPACT = 12
MOST_KEPT = 5_000
"""Of so many causes it is remembered whom they reach."""
USER_KINDS = frozenset({"kpi", "endpoint", "frontend"})
Changes = Callable[[str], Iterable[Change]]
"""What changed lately at an entity."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A node that may be the cause: its key, what choosing it nets, and when it would have begun."""

    key: int
    net: float
    began: float


class Ranker:
    """Ranks over one graph and state."""

    def __init__(self, graph: Graph, correlator: Correlator, state: State) -> None:
        self._graph = graph
        self._by, self._changed = graph.weights.ranking, graph.weights.prices.changed
        self._correlator = correlator
        self._state = state
        self._unreached = Unreached(graph, correlator.web.units_at, state.units)
        self._impacts: dict[int, tuple[str, ...]] = {}

    def weigh_changes(self, nats: float) -> None:
        """What a change at once before is worth from now on."""
        self._changed = nats

    def entity(self, cause: Cause) -> str:
        """Where a cause is."""
        return self._name(cause.key)

    def suspects(self, cause: Cause, changes: Changes) -> list[Suspect]:
        """Best first; the runners-up say why they lost."""
        units = [self._state.units[unit_id] for unit_id in cause.units]
        told = self._told(cause, units)
        candidates = self._candidates(cause)
        candidates += self._betrayed(cause, told, candidates)
        led = self._led(cause, units, changes, candidates)
        candidates += [candidate for candidate, _ in led.values()]
        share = visits(self._graph, {self._key(unit): 1.0 for unit in units})
        least, most = min(share.values()), max(share.values())
        scored = []
        case = Case(units, self._correlator.web.claims)
        sent = self._sent(case)
        for candidate in candidates:
            walked = self._by.walk * log(max(share.get(candidate.key // COUNT, 0.0), least) / most)
            node = candidate.key // COUNT
            score = candidate.net + walked + told.nats(self._graph.name(node)) + sent.get(node, 0.0)
            scored.append((score, candidate))
        scored.sort(key=lambda one: (-one[0], one[1].key))
        starts = list(map(self._key, case.in_order))
        odds = [exp(min(0.0, (score - scored[0][0])) / self._by.temperature) for score, _ in scored]
        found = [
            self._suspect(
                candidate, case=case, starts=starts, told=told, changes=changes, score=score,
                whole=cause if candidate.key == cause.key else None,
            )
            for score, candidate in scored[:MOST_SUSPECTS]
        ]  # fmt: skip
        found = [follows(one, led[one.entity][1]) if one.entity in led else one for one in found]
        found = [self._along(one, units, changes) for one in found]
        found[0] = with_unknown(found[0], units, self._graph)
        margin = scored[0][0] - scored[1][0] if len(scored) > 1 else scored[0][0]
        first = standing(found[0], margin, len({unit.entity for unit in units}))
        sure = shares(certainty(first, self._graph.weights.confidence), odds)
        return [
            msgspec.structs.replace(
                suspect,
                confidence=round(confidence, 4),
                lost_because=self._lost(found[0], suspect, units) if at else "",
            )
            for at, (suspect, confidence) in enumerate(zip(found, sure, strict=False))
        ]

    def heard(self, cause: Cause, since: float) -> bool:
        """Whether telemetry of anything around a cause's symptoms was told since then."""
        if not self._state.signals:
            return False
        entities = [self._state.units[unit_id].entity for unit_id in cause.units]
        around = surroundings(self._graph, self._state, entities).names
        return any(self._state.signals[name].told_at >= since for name in around if name in self._state.signals)

    def _told(self, cause: Cause, units: Sequence[Unit]) -> Testimony:
        entities = [unit.entity for unit in units]
        if not self._state.signals:
            return testimony(self._graph, self._state, entities, [], cause.began)
        known = map(self._state.alerts.get, [mark for unit in units for mark, _ in unit.alerts])
        names = {alert.labels.get("alertname", "") for alert in known if alert is not None}
        began = min(cause.began, *(unit.onset for unit in units))
        return testimony(self._graph, self._state, entities, sorted(names), began)

    def _sent(self, case: Case) -> dict[int, float]:
        """What speaks for those that get no work though it is sent, and as much for where they stand."""
        found: dict[int, float] = {}
        for unit in case.units:
            nats = self._unreached.nats(unit, case) if unit.family == Family.IDLE else 0.0
            for node in self._correlator.web.itself.stands_at(self._graph.node(unit.entity)) if nats else ():
                found[node] = max(nats, found.get(node, 0.0))
        return found

    def _betrayed(self, cause: Cause, told: Testimony, found: Sequence[Candidate]) -> list[Candidate]:
        """Entities that telemetry alone speaks against, strongly."""
        known = {candidate.key // COUNT for candidate in found}
        strong = sorted(told.verdicts, key=lambda name: -told.nats(name))[:MOST_BETRAYED]
        return [
            Candidate(self._graph.node(name) * COUNT, 0.0, cause.began)
            for name in strong
            if told.nats(name) >= self._by.betrayed and self._graph.node(name) not in known
        ]

    def _led(
        self, cause: Cause, units: Sequence[Unit], changes: Changes, known: Sequence[Candidate]
    ) -> dict[str, tuple[Candidate, Led]]:
        """Changes of data beyond reach, where data are off and nothing was changed at the cause that was found."""
        here, nodes = self._name(cause.key), {candidate.key // COUNT for candidate in known}
        off = cause.key % COUNT == Family.DATA or any(unit.family == Family.DATA for unit in units)
        onset = min(unit.onset for unit in units)
        if not off or nearest_change(changes(here), cause.began, onset, self._changed)[0] is not None:
            return {}
        first = known[0]
        return {
            one.entity: (Candidate(self._graph.node(one.entity) * COUNT + Family.DATA, net, one.change.at), one)
            for one in trail(self._graph, changes, here, onset)
            if self._graph.node(one.entity) not in nodes and (net := first.net - self._by.far + one.nats) > 0.0
        }

    def _along(self, suspect: Suspect, units: Sequence[Unit], changes: Changes) -> Suspect:
        """With the longest way along lineage to a symptom, where that leads further than dependencies reach."""
        if suspect.kind not in OF_DATA:
            return suspect
        ways = (one for unit in units for one in trail(self._graph, changes, unit.entity, unit.onset))
        here = [one for one in ways if one.entity == suspect.entity and one.change.id == suspect.change]
        longest = max(here, key=lambda one: (len(one.path), one.path), default=None)
        return follows(suspect, longest) if longest is not None and len(longest.path) > len(suspect.path) else suspect

    def _candidates(self, cause: Cause) -> list[Candidate]:
        """The cause and its rivals, one per entity, the best family of each."""
        best: dict[int, Candidate] = {cause.key // COUNT: Candidate(cause.key, 0.0, cause.began)}
        rivals = cause.rivals()
        for rival_key, net, began in rivals:
            best.setdefault(rival_key // COUNT, Candidate(rival_key, net, began))
        top = max([net for _, net, _ in rivals], default=0.0)
        first = Candidate(cause.key, max(cause.net, top) + self._by.first, cause.began)
        return [first, *(one for node, one in best.items() if node != cause.key // COUNT)]

    def _suspect(
        self,
        candidate: Candidate,
        *,
        case: Case,
        starts: Sequence[int],
        told: Testimony,
        changes: Changes,
        score: float,
        whole: Cause | None,
    ) -> Suspect:
        """``whole``: what was concluded, if it is that: it stands for all symptoms, some of them through others."""
        entity = self._name(candidate.key)
        claims = case.claims(candidate.key)
        first = case.first
        if whole is None:
            explained = (onset for onset, claim in zip(case.onsets, claims, strict=True) if claim is not None)
            first = min(explained, default=first)
        change, bonus = nearest_change(changes(entity), candidate.began, first, self._changed)
        verdict = told.verdicts.get(entity)
        evidence = [*self._symptom_evidence(entity, case, claims), *(verdict.sentences() if verdict else ())]
        if whole is not None and whole.onward and None in claims:
            evidence.append(self._going_on(whole.onward))
        if change is not None:
            text = changed(change, entity, candidate.began)
            evidence.append(Evidence(code="change", text=text, weight=bonus))
        else:
            evidence.extend(too_late(changes(entity), entity, first))
        return Suspect(
            entity=entity,
            change=change.id if change else None,
            kind=change.type if change else "entity",
            score=round(score, 4),
            onset=candidate.began,
            path=self._path(candidate, starts),
            evidence=tuple(sorted(evidence, key=lambda one: -abs(one.weight))),
        )

    def _symptom_evidence(self, entity: str, case: Case, claims: Sequence[Claim | None]) -> list[Evidence]:
        reached = [at for at, claim in enumerate(claims) if claim is not None]
        places = len({case.entities[at] for at in reached})
        total = sum(case.alerts)
        alerts = sum([case.alerts[at] for at in reached]) if len(reached) < len(claims) else total
        weight = max(0.1, sum([max(0.0, 4.0 - claim[0]) for claim in claims if claim is not None]) / 4.0)
        found = [
            Evidence(
                code="explains",
                text=f"trouble at {entity} explains {alerts} of {counted(total, 'alert')}, at "
                f"{places} {'entity' if places == 1 else 'entities'}",
                weight=round(weight, 3),
            )
        ]
        found += own_word(entity, case, self._correlator.web.itself, self._unreached)
        left = len(claims) - len(reached)
        if left:
            such = case.entities[next(at for at, claim in enumerate(claims) if claim is None)]
            text = f"does not explain {left} of the {len(claims)} symptoms, such as {such}"
            if self._graph.gaps.some:
                text += f" (about {self._graph.gaps.share:.0%} of all dependencies are not known)"
            found.append(Evidence(code="unexplained", text=text, weight=-float(left)))
        return found

    def _going_on(self, onward: Sequence[int]) -> Evidence:
        """Why symptoms are among its own that it does not explain."""
        names = sorted({self._name(key) for key in onward})
        such = ", ".join(names[:MOST_ONWARD]) + (", ..." if len(names) > MOST_ONWARD else "")
        text = f"trouble that it brought about goes on at {such}: what that does to others later is part of it"
        return Evidence(code="goes_on", text=text, weight=0.0)

    def _path(self, candidate: Candidate, starts: Sequence[int]) -> tuple[str, ...]:
        """From the cause to the furthest symptom that it explains over known dependencies, the first of these keys."""
        best: list[int] = [candidate.key]
        path_to = self._correlator.web.reacher.path
        for start in starts:
            path = path_to(start, candidate.key)
            if len(path) > len(best):
                best = path
                if len(best) > HOP_LIMIT:
                    break  # no search goes further
        names = [self._name(step) for step in best]
        return tuple(name for at, name in enumerate(names) if at == 0 or names[at - 1] != name)

    def _lost(self, winner: Suspect, loser: Suspect, units: Sequence[Unit]) -> str:
        """The one sentence that tells most."""
        reasons = []
        missing = next((one.text for one in loser.evidence if one.code == "unexplained"), "")
        if missing:
            reasons.append(missing)
        if any(one.code == "silent" for one in loser.evidence) and any(unit.entity == winner.entity for unit in units):
            reasons.append("has no alert of its own")
        if loser.entity in winner.path:
            reasons.append(f"is itself explained by {winner.entity}")
        if not reasons:
            less = "less" if winner.score - loser.score >= 0.1 else "hardly less"
            reasons.append(f"fits the symptoms {less} well ({loser.score:.1f} against {winner.score:.1f} nats)")
        return "; ".join(reasons)

    def impact(self, cause: Cause) -> tuple[str, ...]:
        """Entities needed by users that the cause plausibly reaches; the graph alone says that."""
        known = self._impacts.get(cause.key)
        if known is None:
            if len(self._impacts) >= MOST_KEPT:
                self._impacts.clear()
            known = self._impacts[cause.key] = self._impact(cause.key)
        return known

    def _impact(self, cause: int) -> tuple[str, ...]:
        best: dict[int, float] = {cause // COUNT: 1.0}
        ring = [(cause // COUNT, cause % COUNT, 1.0)]
        known: dict[tuple[int, int], tuple[float, int]] = {}
        for _ in range(IMPACT_HOPS):
            reached = []
            for node, family, p in ring:
                for other, how, weight in self._graph.inn[node][:LIMIT_FANOUT]:
                    likely = known.get((id(how), family))
                    if likely is None:
                        likely = known[id(how), family] = most_likely(how, family)
                    onward, symptom = likely
                    if p * onward * weight >= IMPACT_BAR and p * onward * weight > best.get(other, 0.0):
                        best[other] = p * onward * weight
                        reached.append((other, symptom, p * onward * weight))
            ring = reached
        users = [node for node in best if self._needed_by_users(node)]
        users.sort(key=lambda node: (-best[node], self._graph.name(node)))
        return tuple(self._graph.name(node) for node in users[:MOST_IMPACT])

    def _needed_by_users(self, node: int) -> bool:
        entity = self._graph.entities[node]
        return entity.kind in USER_KINDS or entity.tier == 1 or not self._graph.inn[node]

    def _key(self, unit: Unit) -> int:
        return self._graph.node(unit.entity) * COUNT + unit.family

    def _name(self, key: int) -> str:
        return self._graph.name(key // COUNT)


LIMIT_FANOUT = 200
