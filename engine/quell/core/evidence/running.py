"""Metrics as exporters hold them: running totals become rates, and a sum beside its count becomes a mean.

A processor's seconds, requests and bytes are mostly told as totals that only rise until a process begins anew. What
counts is how fast they rise. A name may say that it is a total and yet be a rate already (a recording rule kept the
name), so the numbers decide, too: a total never falls but to begin anew.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from quell.core.evidence.scales import Floats
from quell.core.evidence.words import meaning

LEAST_STEPS = 8
UNNAMED_STEPS = 20
"""So many rises and hardly a fall make a total of a count of requests whose name does not say so."""
MOST_RESETS = 0.05
"""The share of steps at which a total may begin anew."""
RISES = 5
"""A total rises so many times as often as it begins anew."""
SUM, COUNT, MEAN = "sum", "count", "mean"


def as_rates(metrics: Sequence[str], times: Floats, rows: Floats) -> Floats:
    """The rows, and where one is a running total, how fast it rises per second, told at the end of each step."""
    places = [at for at, metric in enumerate(metrics) if may_run(metric)]
    if not places:
        return rows
    steps: Floats = np.diff(rows[places], axis=1)
    found = rows
    for at, often in zip(places, np.sum(steps < 0.0, axis=1).tolist(), strict=True):
        if often <= 1 + MOST_RESETS * len(times):
            told = _rates(metrics[at], times, rows[at])
            if told is not None:
                found = rows.copy() if found is rows else found
                found[at] = told
    return found


def _rates(metric: str, times: Floats, values: Floats) -> Floats | None:
    told = np.flatnonzero(~np.isnan(values))
    steps: Floats = np.diff(values[told])
    said = meaning(metric)
    named = said.total
    falls, rises = int(np.count_nonzero(steps < 0.0)), int(np.count_nonzero(steps > 0.0))
    if len(steps) < (LEAST_STEPS if named else UNNAMED_STEPS) or rises < (RISES * falls or 1):
        return None
    seldom = rises < len(steps) / 2  # as a count of failures is told anew, but not one of what is in use
    if falls > 1 + MOST_RESETS * len(steps) or (seldom and (not named or said.kind == "resource")):
        return None
    if falls and not _begins_anew(values[told], steps):
        return None
    found = np.full(len(values), np.nan)
    found[told[1:]] = np.where(steps >= 0.0, steps / np.diff(times[told]), np.nan)
    return found


def may_run(metric: str) -> bool:
    """Whether a metric of this name may be a running total: its name says so, or it counts something."""
    said = meaning(metric)
    return said.total or (said.kind in {"load", "failure", "traffic"} and not said.outgoing)


def _begins_anew(values: Floats, steps: Floats) -> bool:
    """Whether all falls are to where a process begins: nearly to nothing, or far below."""
    at = np.flatnonzero(steps < 0.0)
    return bool((values[at + 1] <= 0.5 * values[at]).all())


def means(columns: Sequence[tuple[int, str]]) -> dict[int, tuple[int, str]]:
    """By place of a sum of waiting, in columns of a node and a metric: the place of its count, and the mean's name."""
    place = {column: at for at, column in enumerate(columns)}
    found = {}
    for at, (node, metric) in enumerate(columns):
        head, mark, tail = metric.rpartition(SUM)
        if mark and not tail.strip("_. ") and head[-1:] in {"_", ".", " "} and meaning(metric).kind == "wait":
            count = place.get((node, f"{head}{COUNT}{tail}"))
            if count is not None:
                found[at] = (count, f"{head}{MEAN}{tail}")
    return found
