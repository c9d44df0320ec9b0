"""What bears on a suspect besides what it explains: what its own alerts say, and what it asks that says nothing.

Who says that it is broken itself, or gets no work though it is sent, is seldom so by others. Who merely fails, and
asks much that does not alert, may be failed by any of that in silence: nothing that fires tells. And where many
dependencies are not known, the way to the cause may be one of these.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import inf, log1p

from msgspec.structs import replace

from quell.core.blame import AT_ONCE_S
from quell.core.confidence import Standing
from quell.core.graph import Graph
from quell.core.itself import Itself
from quell.core.symptoms import Case
from quell.core.unreached import Unreached, nats_of
from quell.model.incident import Evidence, Suspect
from quell.model.state import Unit
from quell.model.times import format_duration

BY_ITSELF = frozenset({"broken_itself", "unreached"})
"""Codes of evidence that an entity is not failed by what it asks."""
ASKS = "asks_quiet"
GAPS = "gaps"
TENTHS = 10.0
ITSELF_NATS = 2.0
MOST_NAMED = 3


def own_word(entity: str, case: Case, itself: Itself, unreached: Unreached) -> list[Evidence]:
    """What the alerts of an entity say, if it has any."""
    own = case.at(entity)
    if not own:
        return [Evidence(code="silent", text=f"{entity} has no alert of its own", weight=-3.0)]
    first = min(unit.onset for unit in own)
    rest = case.first_besides(entity)
    text = f"{entity} alerts itself"
    if first + AT_ONCE_S <= rest < inf:
        text += f", {format_duration(rest - first)} before any other"
    found = [Evidence(code="alerts_itself", text=text, weight=3.0)]
    if any(map(itself.concerns, own)):
        text = f"{entity} says that it is broken itself, as what it asks seldom makes it"
        found.append(Evidence(code="broken_itself", text=text, weight=ITSELF_NATS))
    go_on = max(unreached.peers(unit, case) for unit in own)
    if go_on:
        text = f"{entity} gets no work, though those who ask it go on asking {counted(go_on, 'other')}"
        found.append(Evidence(code="unreached", text=text, weight=round(nats_of(go_on), 3)))
    return found


def by_itself(evidence: Iterable[Evidence]) -> bool:
    """Whether something says that an entity is not failed by what it asks."""
    return any(one.code in BY_ITSELF for one in evidence)


def asked(evidence: Iterable[Evidence]) -> float:
    """How much may fail it in silence: the logarithm of one more than there are."""
    return _against(evidence, ASKS)


def unknown(evidence: Iterable[Evidence]) -> float:
    """The share of dependencies that is not known, in tenths."""
    return _against(evidence, GAPS)


def standing(first: Suspect, margin: float, entities: int) -> Standing:
    """What the confidence in a first suspect, so many nats ahead, depends on; ``entities`` alert in its incident."""
    return Standing(
        margin=margin,
        silent=any(one.code == "silent" for one in first.evidence),
        changed=first.change is not None,
        entities=entities,
        path=len(first.path),
        itself=by_itself(first.evidence),
        asks=asked(first.evidence),
        gaps=unknown(first.evidence),
        nats=first.score,
    )


def _against(evidence: Iterable[Evidence], code: str) -> float:
    return max((-one.weight for one in evidence if one.code == code), default=0.0)


def counted(count: int, noun: str) -> str:
    """Such as "3 alerts"."""
    return f"{count} {noun}{'s' * (count != 1)}"


def with_unknown(suspect: Suspect, units: Sequence[Unit], graph: Graph) -> Suspect:
    """A suspect with what may be the cause though nothing tells of it: what it asks, and what is not known to be asked.

    Of who says that it is broken itself it is not said what it asks.
    """
    told = [] if by_itself(suspect.evidence) else _asks(suspect.entity, units, graph)
    if graph.gaps.some:
        text = f"about {graph.gaps.share:.0%} of all dependencies are not known: the cause may lie beyond one of these"
        told.append(Evidence(code=GAPS, text=text, weight=-round(TENTHS * graph.gaps.share, 2)))
    if not told:
        return suspect
    return replace(suspect, evidence=tuple(sorted([*suspect.evidence, *told], key=lambda one: -abs(one.weight))))


def _asks(entity: str, units: Sequence[Unit], graph: Graph) -> list[Evidence]:
    alerting = {unit.entity for unit in units}
    needs = {graph.name(node) for node, how, _ in graph.out[graph.node(entity)] if not how.place}
    quiet = sorted(needs - alerting)
    if not quiet:
        return []
    such = ", ".join(quiet[:MOST_NAMED]) + (", ..." if len(quiet) > MOST_NAMED else "")
    does = "does not alert and may fail it" if len(quiet) == 1 else "do not alert and may fail it"
    text = f"{len(quiet)} of what it asks {does} in silence: {such}"
    return [Evidence(code=ASKS, text=text, weight=-round(log1p(len(quiet)), 3))]
