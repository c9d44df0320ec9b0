"""The figures as a card, for wherever people talk: what matters first, short facts side by side, the diff as it is."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from quell.model.times import format_duration
from quell.sdk.chat import Card, Line
from quell.stats.figures import Figures
from quell.stats.spans import Share, Span
from quell.stats.text import MOST_DIFF, by_impact, sections

_OWN = frozenset({"From events to pages", "Judged by people", "From the first abnormal signal"})
"""Sections that are told as facts; the others are lists."""


def figures_card(figures: Figures, key: str = "stats") -> Card:
    """All that `quell.stats.text.plain` says."""
    days, rest = divmod(figures.to_time - figures.from_time, 86_400.0)
    span = f"{days:.0f} days" if days > 1 and not rest else format_duration(figures.to_time - figures.from_time)
    lines = [
        Line(_funnel(figures), "lead"),
        Line(f"From {_day(figures.from_time)} to {_day(figures.to_time)} UTC", "note"),
        *(Line(fact) for fact in _counts(figures)),
        *_under("From the first abnormal signal", [Line(fact) for fact in _times(figures)]),
        *_under("Judged by people", [Line(fact) for fact in _judged(figures)]),
    ]
    for head, told in sections(figures):
        if head not in _OWN:
            lines += _under(head, [Line(_clean(_spoken(one, figures)), "item") for one in told])
    lines += _under("Suggested change of the rules, not in force", _diff(figures))
    return Card(key=key, version=0, title=f"quell: the last {span}", lines=tuple(lines))


def _under(head: str, lines: list[Line]) -> list[Line]:
    return [Line(f"**{head}**", "cause"), *lines] if lines else []


def _spoken(line: str, figures: Figures) -> str:
    """Why alerts were held, in words and not by code: ``Low severity (digest): …``."""
    for held in figures.held:
        code = f"{held.handling} {held.code}: "
        if line.startswith(code):
            return f"{held.code.replace('_', ' ').capitalize()} ({held.handling}): {line.removeprefix(code)}"
    return line


def _funnel(figures: Figures) -> str:
    told = figures.funnel
    counts = ((told.events, "event"), (told.alerts, "alert"), (told.incidents, "incident"), (told.pages, "page"))
    return " → ".join(f"{count:,} {word}{'s' * (count != 1)}" for count, word in counts)


def _counts(figures: Figures) -> Iterator[str]:
    told = figures.funnel
    if told.pages:
        yield f"Alerts a page: {told.alerts / told.pages:.1f}"
    held = sum(one.firings for one in figures.held)
    if held:
        yield f"Held back: {held:,}, {sum(one.wanted for one in figures.held):,} wanted later"
    for word, count in (
        ("Reminders", told.reminders),
        ("Folded into incidents", told.folded),
        ("Incidents merged", told.merged),
        ("Incidents withdrawn", told.withdrawn),
    ):
        if count:
            yield f"{word}: {count:,}"
    if set(told.harms) - {"system"}:
        yield f"Incidents by impact: {by_impact(figures)}"


def _times(figures: Figures) -> Iterator[str]:
    told = figures.times
    for word, span in (
        ("Detected", told.detect),
        ("Paged", told.page),
        ("Acknowledged", told.acknowledge),
        ("Resolved", told.resolve),
    ):
        if span.count and span.median_s is not None:
            yield f"{word}: {_span(span)}"
    if told.never_acknowledged:
        yield f"Never acknowledged: {told.never_acknowledged}"


def _judged(figures: Figures) -> Iterator[str]:
    told = figures.judged
    if told.first_cause.of:
        yield f"First cause right: {_share(told.first_cause)}"
    if told.unjudged:
        yield f"First cause not judged: {told.unjudged}"
    if told.of_many or told.wrong_merges:
        yield f"Wrong merges: {told.wrong_merges} of {told.of_many}"
    for word, count in (
        ("Should have been one", told.wrong_splits),
        ("Taken apart by quell", told.own_splits),
        ("Not actionable", told.not_actionable),
        ("Pages missed", told.missed),
    ):
        if count:
            yield f"{word}: {count}"


def _diff(figures: Figures) -> list[Line]:
    if not figures.diff:
        return []
    told = figures.diff.rstrip().splitlines()
    cut = "; quell stats --diff prints all of it" if len(told) > MOST_DIFF else ""
    note = f"git apply takes it{cut}. It was not tried yet: quell backtest does."
    return [*(Line(line or " ", "quote") for line in told[:MOST_DIFF]), Line(note, "note")]


def _share(share: Share) -> str:
    return f"{share.hits} of {share.of}" + (f" ({share.rate:.0%})" if share.rate is not None else "")


def _span(span: Span) -> str:
    middle = format_duration(span.median_s or 0.0)
    return middle if span.count == 1 or span.p90_s is None else f"{middle} (9 of 10: {format_duration(span.p90_s)})"


def _day(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%a %d %b %Y %H:%M")


def _clean(text: str) -> str:
    """Names that others gave, in which our marks mean nothing."""
    return " ".join(text.replace("**", "* *").replace("`", "'").split())
