"""Releases in words, for a terminal or a message."""

from __future__ import annotations

from collections.abc import Iterator

from quell.model.times import format_duration, format_time
from quell.stats.release_impact import ERRORS, Measure
from quell.stats.releases import Blamed, Release, Releases

MOST_MEASURES = 4
MOST_BESIDE = 3


def plain(told: Releases) -> str:
    """All of them, a block each, the newest first."""
    if not told.releases:
        return "no deploy and no release of a model or prompt is known of that time"
    blocks = ["\n".join(lines_of(one, told.window_s)) for one in told.releases]
    if told.more:
        blocks.append(f"{told.more} older ones are not shown; ask for a shorter time")
    return "\n\n".join(blocks)


def lines_of(one: Release, window_s: float) -> Iterator[str]:
    """One release."""
    to = one.revision or "a revision nobody told"
    before = f", before {one.previous}" if one.previous else ""
    who = f" by {one.by}" if one.by else ", nobody told by whom"
    yield f"{one.type} {one.entity} {to}{before}, {format_time(one.at)}{who}"
    if not one.incidents:
        yield "  caused     no incident that is known"
    for at, each in enumerate(one.incidents):
        yield f"  {'caused' if not at else '':<10} {_blamed(each)}"
    if one.incidents:
        yield f"  detected   {_after(one.detect_s, 'blamed for nothing with certainty')}"
        yield f"  resolved   {_after(one.resolve_s, 'not over, or not blamed with certainty')}"
    if one.taken_back is not None:
        back = one.taken_back
        by = f" by {back.by}" if back.by else ", nobody told by whom"
        yield f"  taken back {format_duration(back.at - one.at)} after it{by}: {back.text}"
    elif one.incidents:
        yield "  taken back no"
    span = format_duration(one.measured_s or window_s)
    if not one.impact:
        yield f"  users      not measured: {one.not_measured}"
    how = f" (up to {span} before against after)"
    for at, measure in enumerate(one.impact[:MOST_MEASURES]):
        yield f"  {'users' if not at else '':<10} {measured(measure)}{how if not at else ''}"
    if one.beside and one.impact:
        names = ", ".join(f"{each.type} {each.entity} {each.revision}".rstrip() for each in one.beside[:MOST_BESIDE])
        rest = f" and {len(one.beside) - MOST_BESIDE} more" if len(one.beside) > MOST_BESIDE else ""
        yield f"  {'':<10} at that time, too: {names}{rest}; what users felt may be theirs"
    more = len(one.impact) - MOST_MEASURES + one.left_out
    if more > 0:
        yield f"  {'':<10} and {more} more: --json"


def measured(one: Measure) -> str:
    """``kpi/x approval_rate 0.91 → 0.62: -0.29 (-0.31 to -0.27), Welch, 60 and 48 minutes``."""
    name = f"{one.entity} {one.metric}"
    if one.delta is None or one.before is None or one.after is None or one.low is None or one.high is None:
        return f"{name}: not measured, {one.why}"
    of = "calls" if one.metric == ERRORS and one.method == "two proportions" else "minutes"
    sure = "" if one.shows else ", which may be chance"
    return (
        f"{name} {one.before.value:.4g} → {one.after.value:.4g}: {one.delta:+.3g} ({one.low:+.3g} to {one.high:+.3g})"
        f"{sure}; {one.method}, {one.before.count:,} and {one.after.count:,} {of}"
    )


def _blamed(one: Blamed) -> str:
    sure = f"{one.confidence:.0%} sure" if one.clear else f"suspected only, {one.confidence:.0%} sure"
    return f"{one.id} {one.title} ({one.status}, {sure})"


def _after(seconds: float | None, otherwise: str) -> str:
    return otherwise if seconds is None else f"after {format_duration(seconds)}"
