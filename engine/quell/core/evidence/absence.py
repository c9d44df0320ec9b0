"""What is not there any more: requests that are due and do not come, and processes of which nothing is left.

A service that is down measures neither its waiting nor its failures. Two things give it away. Its callers have as many
requests as ever, and only to it they do not come: each of them is a failed request (`lost`). And it holds nothing: one
without work idles, but keeps its memory; of one that is gone all resources are (`gone`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import isnan, log1p

import numpy as np

from quell.core.evidence.findings import MOST, Finding
from quell.core.evidence.scales import TINY, Floats, spread
from quell.core.evidence.surroundings import Surroundings
from quell.core.evidence.table import Table

ALONE_KEEPS = 0.5
"""Where a caller calls nothing else, requests that do not come are as likely its own doing as the callee's."""
MOST_EXPECTED = 1.5
LEAST_FALL = 0.5
"""Less than half gone is not gone."""
BY_CHANCE = 0.01
"""What is told now and then only is not over when it is not told for a while."""
LEFT = 0.1
"""Where a tenth of the requests that are due still comes, somebody answers: fewer come because callers want fewer."""


class Requests:
    """By node its requests: usual, seldom fewer (the first tenth), and lately; NaN where nobody measures."""

    def __init__(self, table: Table, size: int) -> None:
        self.usual, self.least, self.late = (np.full(size, np.nan) for _ in range(3))
        told = ended(table)
        for kind in ("load", "wait"):
            for at, column in enumerate(table.columns):
                if column.meaning.kind != kind or column.meaning.outgoing or column.meaning.version == 0:
                    continue
                if np.isnan(self.usual[column.node]) and table.middle[at] > TINY:
                    self._take(table, at, told[at], load=kind == "load")

    def _take(self, table: Table, at: int, ended_here: bool, *, load: bool) -> None:
        node = table.columns[at].node
        if load:
            self.usual[node], self.least[node] = table.middle[at], max(float(table.low[at]), 0.0)
            came = float(table.came[at])
            self.late[node] = 0.0 if ended_here or isnan(came) else came
        else:  # where requests are not counted, that their time is told shows that there are any
            self.usual[node] = self.least[node] = 1.0
            self.late[node] = 0.0 if ended_here else 1.0

    def kept(self, around: Surroundings) -> Floats:
        """By node the share left of the requests that its callers' own let expect, at most 1; 1 where unknown."""
        with np.errstate(invalid="ignore"):
            left = np.minimum(self.late / self.usual, MOST_EXPECTED)
        found = np.ones(len(self.usual))
        told = np.flatnonzero(~np.isnan(left))
        for node in told.tolist():
            known = [caller for caller in around.inn[node] if not np.isnan(left[caller])]
            if known:
                weight = sum(float(self.usual[caller]) for caller in known)
                expected = sum(float(self.usual[caller] * left[caller]) for caller in known) / weight
            else:
                expected = 1.0 if around.known else float(np.median(left[told]))
            if known or not around.known:
                least = float(self.least[node]) * expected
                if least > TINY:
                    found[node] = min(1.0, float(self.late[node]) / least)
        return found

    def others(self, around: Surroundings, kept: Floats, caller: int, node: int) -> float:
        """The share left of what the caller's other callees get."""
        others = [other for other in around.out[caller] if other != node and not np.isnan(self.usual[other])]
        calls = sum(float(self.usual[other]) for other in others)
        return sum(float(self.usual[other] * kept[other]) for other in others) / calls if others else ALONE_KEEPS


def ended(table: Table) -> list[bool]:
    """By column whether it was told until trouble began and is not told any more, as often as others are."""
    over = []
    for block in table.blocks:
        told = ~np.isnan(block.after)
        chance = np.mean(np.isnan(block.before), axis=1) ** np.sum(told.any(axis=0))
        over.append((~told.any(axis=1) & (chance < BY_CHANCE)).tolist())
    return [over[column.block][column.row] for column in table.columns]


def lost(
    table: Table, around: Surroundings, fails: Mapping[int, float]
) -> dict[int, tuple[float, float, float, float]]:
    """By node the requests that are due and do not come for its own sake; before (and seldom fewer), and now.

    A caller that gives up half-way calls none of those it would have called after. So what its other callees do not
    get either is not held against one of them, as far as so many of the caller's requests fail (``fails``, shares).
    """
    requests = Requests(table, len(around))
    kept = requests.kept(around)
    found = {}
    for node in np.flatnonzero(kept < LEFT).tolist():
        callers = [caller for caller in around.inn[node] if not np.isnan(requests.usual[caller])]
        whole = sum(float(requests.usual[caller]) for caller in callers)
        share = 0.0 if callers else ALONE_KEEPS
        for caller in callers:
            keeps = requests.others(around, kept, caller, node)
            if fails.get(caller, 0.0) > TINY:
                keeps = max(keeps, 1.0 - fails[caller])
            share += max(0.0, keeps - float(kept[node])) * float(requests.usual[caller]) / whole
        least = float(requests.least[node])
        much = least * share * (1.0 - float(kept[node]) / LEFT)
        if much > TINY:
            found[node] = (much, float(requests.usual[node]), least, float(requests.late[node]))
    return found


def gone(table: Table, around: Surroundings) -> Iterator[Finding]:
    """Per node all of whose resources fell away: how far the one did that fell least, less if its callers' did."""
    over = ended(table)
    scale = spread(table.low, table.high, table.middle)
    left = {node: _left(table, columns, over) for node, columns in _held(table).items()}
    falls = {node: 1.0 - share for node, (share, _) in left.items() if share < LEAST_FALL}
    for node, fall in falls.items():
        at = left[node][1]
        above = max((falls.get(caller, 0.0) for caller in around.inn[node]), default=0.0)
        far = fall * float(table.middle[at] / scale[at])
        weight = min(MOST, 2.0 * log1p(far)) * fall * (1.0 - above) * (fall / sum(falls.values())) ** 0.5
        came = "nothing" if over[at] else f"{table.came[at]:.4g}"
        text = f"of all it uses little is left: {table.columns[at].metric} went from {table.middle[at]:.4g} to {came}"
        yield Finding(node, "gone", text, weight)


def _held(table: Table) -> dict[int, list[int]]:
    """By node the columns of what a process holds while it runs: memory, or where that is not told, any resource."""
    found: dict[int, list[int]] = {}
    for at, column in enumerate(table.columns):
        still = table.low[at] == table.high[at] == table.came[at]  # a limit, not a use
        if column.meaning.kind == "resource" and table.low[at] > TINY and column.meaning.version is None and not still:
            found.setdefault(column.node, []).append(at)
    for node, columns in found.items():
        found[node] = [at for at in columns if table.columns[at].meaning.holds] or columns
    return found


def _left(table: Table, columns: Sequence[int], over: Sequence[bool]) -> tuple[float, int]:
    """The share left of memory (the median of all that tell of it), or of the resource that fell least; and which."""
    left = [float(table.came[at] / table.middle[at]) for at in columns]
    shares = sorted(
        (0.0 if over[at] else 1.0 if isnan(one) else one, at) for one, at in zip(left, columns, strict=True)
    )
    return shares[len(shares) // 2] if table.columns[columns[0]].meaning.holds else shares[-1]
