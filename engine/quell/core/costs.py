"""What opening a cause costs, in nats: less where something changed, more where it is silent or lacks symptoms."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Collection
from math import inf
from typing import NamedTuple

import msgspec

from quell.core.blame import BAR, change_bonus
from quell.core.families import COUNT, Family, overdue
from quell.core.graph import LIKELY, Graph
from quell.core.nearness import window
from quell.core.tardy import quiet
from quell.core.trail import OF_DATA
from quell.core.web import Web
from quell.core.worth import MOST_ASKED
from quell.model.state import State, Unit
from quell.model.topology import Change

ABSENCE_FANOUT = 40
"""So many dependents at most are asked whether they show trouble."""
MOST_KEPT = 10_000
"""Of so many causes it is kept what they cost at least."""
NOWHERE: tuple[tuple[int, ...], array[float]] = (), array("d")
"""Where a cause shows on which nothing depends."""


class _Least(NamedTuple):
    """The least that a cause costs: if it is told of itself, if only other trouble there is, if nothing is."""

    told: float
    beside: float
    silent: float
    entity: str


class Costs:
    """``prices`` are those in force; a cause is the key of a node and a family of trouble there."""

    def __init__(self, graph: Graph, state: State, web: Web) -> None:
        self._graph = graph
        self._state = state
        self._web = web
        self.prices, self._timing = graph.weights.prices, graph.weights.timing
        self._expected: dict[int, tuple[tuple[int, ...], array[float]]] = {}
        self._leasts: dict[int, _Least] = {}

    def weigh_changes(self, nats: float) -> None:
        """What a change at once before is worth from now on."""
        if nats != self.prices.changed:
            self.prices = msgspec.structs.replace(self.prices, changed=nats)

    def opening(self, cause: int, began: float, changed: Collection[Change], first: float, now: float) -> float:
        """What a cause that ``began`` then costs; ``changed`` is what was done there, ``first`` its first symptom."""
        price = self.unchanged(cause, began, now)
        if not changed:
            return price
        bonus = change_bonus(changed, began, first, self.prices.changed)
        return min(price, self._of_data(cause, changed, bonus)) - bonus

    def least(self, cause: int, changes: Callable[[str], Collection[Change]]) -> float:
        """The least that a cause may cost, whenever it began; ``changes`` tells what was done at an entity."""
        known = self._leasts.get(cause) or self._know_least(cause)
        if self._web.units_at(cause):
            price = known.told
        else:
            price = known.beside if self._web.alerting(cause // COUNT) else known.silent
        changed = changes(known.entity)
        if not changed:
            return price
        bonus = self.prices.changed
        return min(price, self._of_data(cause, changed, bonus)) - bonus

    def unchanged(self, cause: int, began: float, now: float) -> float:
        """What a cause costs without a change: more when it is silent or lacks expected symptoms."""
        ripe = min(1.0, max(0.0, (now - began) / self._timing.absence_ripe_s))
        latest = began + self._timing.late_s
        missing, before = quiet(self._web, self._state.units, cause, latest, lambda: self._expects(cause))
        price = self._bare(cause, -inf if before else began)
        return price + min(self.prices.absence_limit, self.prices.absence * missing) * ripe

    def _bare(self, cause: int, began: float) -> float:
        """The price of a cause before anything is said of its symptoms and changes."""
        node = cause // COUNT
        units = [self._state.units[unit] for unit in self._web.units_at(cause)]
        own = [unit for unit in units if abs(unit.onset - began) <= window(unit.family)]
        price = self._base(cause)
        if self._graph.made(node):
            by_itself = bool(own) and self._by_itself(node, own)
            price += self.prices.made_by_itself if by_itself else self.prices.made_opening
        if own:
            return price
        return price + self._unheard(cause, alerting=self._web.alerting(node))

    def _base(self, cause: int) -> float:
        """What a cause of its kind costs wherever it is: work that does not arrive is somebody else's doing."""
        return self.prices.opening + (self.prices.starved_opening if cause % COUNT == Family.IDLE else 0.0)

    def _know_least(self, cause: int) -> _Least:
        """What a cause costs at least without a change, which the graph alone says but for who alerts."""
        if len(self._leasts) >= MOST_KEPT:
            self._leasts.clear()
        node = cause // COUNT
        price, made = self._base(cause), self._graph.made(node)
        told = price + min(self.prices.made_by_itself, self.prices.made_opening) if made else price
        other = price + self.prices.made_opening if made else price
        known = self._leasts[cause] = _Least(
            told,
            other + self._unheard(cause, alerting=True),
            other + self._unheard(cause, alerting=False),
            self._graph.name(node),
        )
        return known

    def _unheard(self, cause: int, *, alerting: bool) -> float:
        """What a cause costs besides of which nothing is told there: data seldom go wrong where they are only used."""
        node, kind = divmod(cause, COUNT)
        price = self.prices.other_family_opening if alerting else self.prices.silent_opening
        return price + (
            self.prices.handled_opening if kind == Family.DATA and not self._graph.made_of_data(node) else 0.0
        )

    def _by_itself(self, node: int, units: list[Unit]) -> bool:
        """Whether what others make may be in trouble by itself: a KPI is not, and what is late waits for them."""
        if self._graph.shown(node):
            return False
        marks = {mark for unit in units for mark, _ in unit.alerts[:MOST_ASKED]}
        return not any(overdue(self._state.alerts[mark]) for mark in marks if mark in self._state.alerts)

    def _of_data(self, cause: int, changed: Collection[Change], bonus: float) -> float:
        """The price where data themselves were changed: nothing on their way need show, and nobody made them fail."""
        if bonus < BAR or cause % COUNT != Family.DATA or not any(change.type in OF_DATA for change in changed):
            return inf
        return self.prices.opening + (0.0 if self._web.units_at(cause) else self.prices.silent_opening)

    def _expects(self, cause: int) -> tuple[tuple[int, ...], array[float]]:
        """The dependents at which a cause should show, and how surely at each."""
        known = self._expected.get(cause)
        if known is None:
            node, kind = divmod(cause, COUNT)
            sure = [
                (other, p)
                for other, how, weight in self._graph.inn[node][:ABSENCE_FANOUT]
                if (p := how.p[kind][kind] * weight) > LIKELY
            ]
            known = tuple([other for other, _ in sure]), array("d", [p for _, p in sure])
            known = self._expected[cause] = known if sure else NOWHERE
        return known
