"""Evidence of single metrics: a resource far above its band, new code that does worse than old at the same time.

A rise counts by how far it leaves the band in which the metric was before, and by its share in all the rises of that
metric among the neighbours: when one service burns a whole processor, the services around it that use a little more
are not suspects, too. So no unit or limit need be known.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import log1p

import numpy as np

from quell.core.evidence.scales import TINY, quantiles, spread
from quell.core.evidence.table import Table

MOST = 8.0
"""No single kind of evidence is worth more nats than this."""
BAND_BAR = 3.0
SHIFT_BAR = 4.0
LEAST_PAIRS = 2


@dataclass(frozen=True, slots=True)
class Finding:
    """What one metric says of a node: nats, and the sentence."""

    node: int
    code: str
    text: str
    weight: float


def resources(table: Table) -> Iterator[Finding]:
    """Per node the resource that left its band most."""
    limit = np.fmax(table.top, table.held)
    rise = np.nan_to_num(np.maximum(table.came - limit, 0.0))
    scale = spread(table.low, table.high, table.middle)
    total: dict[str, float] = {}
    kept = [at for at, column in enumerate(table.columns) if column.meaning.kind == "resource" and rise[at] > 0.0]
    for at in kept:
        metric = table.columns[at].metric
        total[metric] = total.get(metric, 0.0) + float(rise[at])
    best: dict[int, Finding] = {}
    for at in kept:
        column = table.columns[at]
        far, share = float(rise[at] / scale[at]), float(rise[at]) / total[column.metric]
        weight = min(MOST, 2.0 * log1p(far)) * share**0.5
        text = (
            f"{column.metric} went from {table.middle[at]:.4g} to {table.came[at]:.4g}, {far:.1f} robust deviations "
            f"above its band and {share:.0%} of its rise around here"
        )
        if column.node not in best or weight > best[column.node].weight:
            best[column.node] = Finding(column.node, "resource", text, weight)
    yield from best.values()


def shifts(table: Table) -> Iterator[Finding]:
    """Per node the metric of no known meaning that moved most, either way; a hint and no more."""
    scale = spread(table.low, table.high, table.middle)
    best: dict[int, Finding] = {}
    for at, column in enumerate(table.columns):
        if column.meaning.kind != "other" or np.isnan(table.middle[at]) or np.isnan(table.came[at]):
            continue
        up, down = table.came[at] - table.middle[at], table.middle[at] - table.fell[at]
        after = table.came[at] if up >= down else table.fell[at]
        far = float(max(up, down) / scale[at])
        if far < SHIFT_BAR:
            continue
        text = f"{column.metric} went from {table.middle[at]:.4g} to {after:.4g}, {far:.1f} robust deviations"
        weight = min(1.0, far / 20.0)
        if column.node not in best or weight > best[column.node].weight:
            best[column.node] = Finding(column.node, "metric_shift", text, weight)
    yield from best.values()


def versions(table: Table) -> Iterator[Finding]:
    """Per node where two versions run side by side: the metric in which new code does worst against old.

    Old and new see the same minutes and the same callers, so what befalls both is no evidence here (as in a canary
    analysis). ``success`` and ``load`` that fall, everything else that rises is worse.
    """
    pairs: dict[tuple[int, str], dict[str, int]] = {}
    for at, column in enumerate(table.columns):
        if column.meaning.version:
            pairs.setdefault((column.node, column.meaning.pair), {})[column.meaning.version] = at
    best: dict[int, Finding] = {}
    for (node, _), pair in pairs.items():
        if len(pair) < LEAST_PAIRS:
            continue
        (new, row_new), (old, row_old) = table.column(pair["new"]), table.column(pair["old"])
        column = table.columns[pair["new"]]
        if column.meaning.kind in {"load", "traffic"}:
            continue
        sign = -1.0 if column.meaning.kind == "success" else 1.0
        came, was = new.after[row_new : row_new + 1], old.after[row_old : row_old + 1]
        usual = np.concatenate((old.before[row_old : row_old + 1], was), axis=1)
        (here,), (there,) = quantiles(came, (0.5,))[0], quantiles(was, (0.5,))[0]
        low, middle, high = quantiles(usual, (0.1, 0.5, 0.9))
        scale = max(float(spread(low, high, middle)[0]), TINY)
        far = sign * float(here - there) / scale - BAND_BAR
        if not far > 0.0:
            continue
        text = f"{column.metric} is {here:.4g} for the new version and {there:.4g} for the old at the same time"
        weight = min(MOST, 2.0 * log1p(far))
        if node not in best or weight > best[node].weight:
            best[node] = Finding(node, "new_version", text, weight)
    yield from best.values()
