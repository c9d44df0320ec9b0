"""The figures, for people and for programs."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence

from load.cases import QUICK, Case, Row, Took

PEER, OURS = "Alertmanager", "quell"
_HEAD = (
    "case", "server", "accepted/s", "× Alertm.", "decided over/s", "× Alertm.", "p50 ms", "p99 ms", "CPU s/10k",
    "peak MiB", "refused", "others",
)  # fmt: skip


def accepted(took: Took) -> float:
    """Alerts answered with 2xx a second."""
    return took.ran.rate


def decided(took: Took) -> float:
    """Alerts in an incident or judged a second, from the first request to the last decision."""
    return took.ran.drained_rate


def ratios(ours: Row, peer: Row, of: Callable[[Took], float]) -> list[float]:
    """Of each round, ours through what the peer accepted a second in the same round."""
    return [of(one) / other.ran.rate for one, other in zip(ours.took, peer.took, strict=False) if other.ran.rate]


def spread(values: Sequence[float], form: str) -> str:
    """Median [lowest-highest]; "-" without any."""
    if not values:
        return "-"
    middle = format(statistics.median(values), form)
    return middle if len(values) == 1 else f"{middle} [{format(min(values), form)}-{format(max(values), form)}]"


def lines(rows: Sequence[Row]) -> Iterator[str]:
    """A table in Markdown."""
    told = []
    for row in rows:
        if row.not_there and not row.took:
            told.append([row.case.name, row.server, _short(row.not_there), *[""] * (len(_HEAD) - 3)])
        elif row.took:
            told.append(_cells(row, _peer(rows, row)))
    return markdown(_HEAD, told)


def _short(reason: str) -> str:
    """A reason as a cell of a table: the end of it, where logs say what went wrong."""
    return " ".join(reason.replace("|", "/").split())[-200:]


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """A table."""
    for cells in (head, ["---"] * len(head), *rows):
        yield "| " + " | ".join(cells) + " |"


def _peer(rows: Sequence[Row], row: Row) -> Row | None:
    return next((one for one in rows if one.case is row.case and one.server == PEER and one is not row), None)


def _cells(row: Row, peer: Row | None) -> list[str]:
    took = row.took
    drained = [decided(one) for one in took if one.ran.drained]
    refused = sum(one.ran.refused + one.ran.lost for one in took)
    return [
        row.case.name,
        row.server,
        spread([accepted(one) for one in took], ",.0f"),
        spread(ratios(row, peer, accepted), ".2f") if peer else "-",
        spread(drained, ",.0f"),
        spread(ratios(row, peer, decided), ".2f") if peer and drained else "-",
        f"{row.middle(lambda one: one.ran.p50_ms):.1f}",
        f"{row.middle(lambda one: one.ran.p99_ms):.1f}",
        f"{row.middle(lambda one: one.cpu_per_10k):.3f}",
        f"{max(one.peak_mib for one in took):,.0f}",
        f"{refused:,}",
        f"{row.middle(lambda one: one.others_cores):.2f}",
    ]


def summary(rows: Sequence[Row], cases: Sequence[Case] = QUICK) -> dict[str, float | None]:
    """The ratios that are aimed at, of cases like `QUICK`; None where one side was not there."""
    unique, repeats, singles = cases

    def ratio(case: Case, of: Callable[[Took], float]) -> float | None:
        ours, peer = _row(rows, case, OURS), _row(rows, case, PEER)
        found = ratios(ours, peer, of) if ours and peer else []
        return round(statistics.median(found), 3) if found else None

    def figure(case: Case, server: str, of: Callable[[Took], float]) -> float | None:
        found = _row(rows, case, server)
        return round(found.middle(of), 4) if found and found.took else None

    return {
        "unique_batch_ratio": ratio(unique, accepted),
        "repeat_batch_ratio": ratio(repeats, accepted),
        "correlated_ratio": ratio(unique, decided),
        "single_per_s": figure(singles, OURS, accepted),
        "single_ratio": ratio(singles, accepted),
        "unique_per_s": figure(unique, OURS, accepted),
        "repeats_per_s": figure(repeats, OURS, accepted),
        "correlated_per_s": figure(unique, OURS, decided),
        "peer_unique_per_s": figure(unique, PEER, accepted),
        "peer_repeats_per_s": figure(repeats, PEER, accepted),
        "peer_single_per_s": figure(singles, PEER, accepted),
        "cpu_s_per_10k": figure(unique, OURS, lambda one: one.cpu_per_10k),
        "peer_cpu_s_per_10k": figure(unique, PEER, lambda one: one.cpu_per_10k),
        "peak_mib": figure(unique, OURS, lambda one: one.peak_mib),
        "others_cores": round(statistics.median(one.others_cores for row in rows for one in row.took), 2)
        if any(row.took for row in rows)
        else None,
    }


def _row(rows: Sequence[Row], case: Case, server: str) -> Row | None:
    return next((row for row in rows if row.case is case and row.server == server), None)
