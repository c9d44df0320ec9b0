"""Evidence of single metrics: a resource far above its band, new code that does worse than old at the same time.

A rise counts by how far it leaves the band in which the metric was before, and by its share in all the rises of that
metric among the neighbours: when one service burns a whole processor, the services around it that use a little more
are not suspects, too. So no unit or limit need be known.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import log1p
from statistics import median

import numpy as np

from quell.core.evidence.bearing import Bearing
from quell.core.evidence.findings import MOST, Finding
from quell.core.evidence.scales import TINY, Floats, quantiles, spread
from quell.core.evidence.table import Table

BAND_BAR = 3.0
SHIFT_BAR = 4.0
SHIFT_HALF = 20.0
"""So many deviations of a metric that nobody understands are worth half a nat."""
LEAST_PAIRS = 2
OF_MOST = 0.1
"""What a metric was never seen to do anywhere has no scale: this share of the most that any node came to is one."""
MOST_MOVE = 1000.0


def scales(table: Table) -> Floats:
    """Robust deviations by column; of what never was anything but 0, those of the same metric elsewhere.

    Where it never was anything else anywhere, a share of the most that came.
    """
    found = spread(table.low, table.high, table.middle)
    still = np.flatnonzero(found <= TINY).tolist()
    if still:
        metrics = [column.metric for column in table.columns]
        wanted = {metrics[at] for at in still}
        most: dict[str, float] = {}
        peers: dict[str, list[float]] = {}
        for at, came in enumerate(np.nan_to_num(np.abs(table.came)).tolist()):
            if metrics[at] in wanted:
                most[metrics[at]] = max(most.get(metrics[at], 0.0), came)
                if found[at] > TINY:
                    peers.setdefault(metrics[at], []).append(float(found[at]))
        for at in still:
            scale = median(peers[metrics[at]]) if metrics[at] in peers else OF_MOST * most[metrics[at]]
            found[at] = max(TINY, scale)
    return found


def resources(table: Table, bears: Bearing) -> Iterator[Finding]:
    """Per node the resource that left its band most, but for what waiting for others accounts for."""
    led = np.array([bears.grown(column) for column in table.columns])
    limit = np.fmax(np.fmax(table.top, table.held), table.middle * led)
    rise = np.nan_to_num(np.maximum(table.came - limit, 0.0))
    rise[np.isnan(table.middle)] = 0.0  # what was told of too seldom before has no band to leave
    scale = scales(table)
    total: dict[str, float] = {}
    kept = [at for at, column in enumerate(table.columns) if column.meaning.kind == "resource" and rise[at] > 0.0]
    for at in kept:
        metric = table.columns[at].metric
        total[metric] = total.get(metric, 0.0) + float(rise[at])
    best: dict[int, Finding] = {}
    for at in kept:
        column = table.columns[at]
        far, share = float(rise[at] / scale[at]), float(rise[at]) / total[column.metric]
        weight = min(MOST, 2.0 * log1p(far)) * share**0.5 * bears.worth(column)
        text = (
            f"{column.metric} went from {table.middle[at]:.4g} to {table.came[at]:.4g}, {far:.1f} robust deviations "
            f"above its band and {share:.0%} of its rise around here"
        )
        if column.node not in best or weight > best[column.node].weight:
            best[column.node] = Finding(column.node, "resource", text, weight)
    yield from best.values()


def shifts(table: Table) -> Iterator[Finding]:
    """Per node the metric of no known meaning that moved most, either way; a hint and no more."""
    scale = scales(table)
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
        weight = far / (far + SHIFT_HALF)
        if column.node not in best or weight > best[column.node].weight:
            best[column.node] = Finding(column.node, "metric_shift", text, weight)
    yield from best.values()


def moves(table: Table) -> dict[int, float]:
    """Per node how far the metric that moved most left its usual level, in robust deviations, whatever it measures."""
    if not table.columns:
        return {}
    away = np.fmax(np.abs(table.came - table.middle), np.abs(table.fell - table.middle))
    far = np.nan_to_num(away / scales(table))
    found: dict[int, float] = {}
    for column, much in zip(table.columns, far.tolist(), strict=True):
        found[column.node] = max(found.get(column.node, 0.0), min(much, MOST_MOVE))
    return found


def versions(table: Table) -> Iterator[Finding]:
    """Per node where two versions run side by side: the metric in which new code does worst against old.

    Old and new see the same minutes and the same callers, so what befalls both is no evidence here (as in a canary
    analysis). ``success`` and ``load`` that fall, everything else that rises is worse.
    """
    pairs: dict[tuple[int, str], list[tuple[int, int]]] = {}
    for at, column in enumerate(table.columns):
        if column.meaning.version is not None and column.meaning.kind not in {"load", "traffic"}:
            pairs.setdefault((column.node, column.meaning.pair), []).append((column.meaning.version, at))
    best: dict[int, Finding] = {}
    for (node, _), versions_of in pairs.items():
        if len(versions_of) < LEAST_PAIRS:
            continue
        (_, old), (_, new) = sorted(versions_of)[-2:]
        far, here, there = _worse(table, new, old)
        if not far > BAND_BAR:
            continue
        metric = table.columns[new].metric
        text = f"{metric} is {here:.4g} for the new version and {there:.4g} for the old at the same time"
        weight = min(MOST, 2.0 * log1p(far - BAND_BAR))
        if node not in best or weight > best[node].weight:
            best[node] = Finding(node, "new_version", text, weight)
    yield from best.values()


def _worse(table: Table, new: int, old: int) -> tuple[float, float, float]:
    """How many deviations of the old version the new one is worse, beyond what it always was; the medians of both."""
    (block_new, row_new), (block_old, row_old) = table.column(new), table.column(old)
    old_rows = [part[row_old : row_old + 1] for part in (block_old.before, block_old.after)]
    here = float(quantiles(block_new.after[row_new : row_new + 1], (0.5,))[0][0])
    there = float(quantiles(old_rows[1], (0.5,))[0][0])
    low, middle, high = quantiles(np.concatenate(old_rows, axis=1), (0.1, 0.5, 0.9))
    scale = max(float(spread(low, high, middle)[0]), TINY)
    always = float(np.nan_to_num(table.middle[new] - table.middle[old]))
    sign = -1.0 if table.columns[new].meaning.kind == "success" else 1.0
    return sign * (here - there - always) / scale, here, there
