"""The figures in words, for a terminal, a message or a mail: plain text, a few lines a section."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from quell.model.times import format_duration
from quell.stats.figures import Figures, Held, Noisy, Saved
from quell.stats.spans import Share, Span

MOST_HELD = 8
MOST_NOISY = 5
MOST_DIFF = 40
"""Lines of the suggested change in a text; a message has its limits."""


def sections(figures: Figures) -> Iterator[tuple[str, list[str]]]:
    """A head and its lines; sections with nothing to say are left out."""
    yield "From events to pages", list(_funnel(figures))
    for head, lines in (
        ("Held back", [_held(held) for held in figures.held[:MOST_HELD]]),
        ("Judged by people", list(_judged(figures))),
        ("From the first abnormal signal", list(_times(figures))),
        ("Playbooks", list(_playbooks(figures))),
        ("Noisiest rules", [_noisy(noisy) for noisy in figures.noisiest[:MOST_NOISY]]),
    ):
        if lines:
            yield head, lines


def title(figures: Figures) -> str:
    """What and of when."""
    span = format_duration(figures.to_time - figures.from_time)
    return f"quell, {span} from {day(figures.from_time)} to {day(figures.to_time)}"


def plain(figures: Figures) -> str:
    """All sections in one text; with the changes that are suggested, as a diff, at its end."""
    blocks = ["\n".join([head, *(f"  {line}" for line in lines)]) for head, lines in sections(figures)]
    if figures.diff:
        lines = figures.diff.rstrip().splitlines()
        if len(lines) > MOST_DIFF:
            lines = [*lines[:MOST_DIFF], "… quell stats --diff prints all of it"]
        blocks.append("\n".join(["Suggested change of the rules, not in force:", *lines]))
    return "\n\n".join(blocks)


def day(at: float) -> str:
    """A day in UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _funnel(figures: Figures) -> Iterator[str]:
    told = figures.funnel
    alerts = f"{_many(told.events, 'event')} → {_many(told.alerts, 'alert')}"
    yield f"{alerts} → {_many(told.incidents, 'incident')} → {_many(told.pages, 'page')}"
    more = []
    if told.pages:
        more.append(f"{told.alerts / told.pages:.1f} alerts a page")
    if told.reminders:
        more.append(f"{_many(told.reminders, 'reminder')}")
    if told.early:
        more.append(f"{_many(told.early, 'incident')} told of as early signs only")
    if told.merged or told.withdrawn:
        more.append(f"beside {told.merged} merged and {told.withdrawn} withdrawn incidents")
    if told.folded:
        more.append(f"{_many(told.folded, 'alert')} told of by their incident")
    if more:
        yield ", ".join(more)
    if set(told.harms) - {"system"}:
        yield f"Incidents by impact: {by_impact(figures)}"


def by_impact(figures: Figures) -> str:
    """How many incidents harmed what, the gravest first."""
    return ", ".join(f"{count:,} {name}" for name, count in figures.funnel.harms.items())


def _held(held: Held) -> str:
    text = f"{held.handling} {held.code}: {_many(held.firings, 'alert')}"
    if not held.wanted:
        return f"{text}, none wanted later"
    parts = [
        f"{count} {word}"
        for count, word in (
            (held.paged_later, "paged later"),
            (held.acted_on, "acted on without a page"),
            (held.said, "said to be missed"),
        )
        if count
    ]
    wait = f", after {_span(held.wait)}" if held.wait.count else ""
    return f"{text}, {held.wanted} wanted later ({', '.join(parts)}{wait})"


def _judged(figures: Figures) -> Iterator[str]:
    told = figures.judged
    if told.first_cause.of:
        yield f"first cause right in {_share(told.first_cause)}; {told.unjudged} not judged"
    elif told.unjudged:
        yield f"first cause: nobody confirmed or denied any of {told.unjudged}"
    if told.of_many or told.wrong_merges:
        yield f"wrong merges: {told.wrong_merges}, of {_many(told.of_many, 'incident')} with more than one alert"
    if told.wrong_splits:
        yield f"should have been one: {told.wrong_splits}"
    if told.own_splits:
        yield f"taken apart by quell itself: {told.own_splits}"
    if told.not_actionable:
        yield f"not actionable: {told.not_actionable}"
    if told.missed:
        yield f"pages missed: {told.missed}"


def _times(figures: Figures) -> Iterator[str]:
    told = figures.times
    for word, span in (
        ("detected", told.detect),
        ("paged", told.page),
        ("acknowledged", told.acknowledge),
        ("resolved", told.resolve),
    ):
        if span.count:
            yield f"{word} after {_span(span)} ({_many(span.count, 'incident')})"
    if told.never_acknowledged:
        yield f"paged and never acknowledged: {told.never_acknowledged}"


def _playbooks(figures: Figures) -> Iterator[str]:
    saved = {one.playbook: one for one in figures.saved}
    for score in figures.playbooks:
        if not score.runs and not score.held and not score.shadow.runs:
            continue
        outcomes = ", ".join(f"{count} {state.replace('_', ' ')}" for state, count in score.outcomes.items())
        parts = [outcomes or ("none for real" if score.shadow.runs else "no run")]
        if score.held:
            parts.append(f"{sum(score.held.values())} held by guards")
        if score.shadow.runs:
            known = score.shadow.agreed + score.shadow.disagreed
            if known:
                parts.append(f"shadow agreed in {score.shadow.agreed} of {known}")
            else:
                parts.append(f"{_many(score.shadow.runs, 'run')} in shadow, none to compare with what people did yet")
        if score.playbook in saved:
            parts.append(_saved(saved[score.playbook]))
        yield f"{score.playbook}: {'; '.join(parts)}"


def _saved(saved: Saved) -> str:
    if saved.minutes is None or saved.low is None or saved.high is None:
        return "minutes saved: not known, there is nothing to compare with"
    return (
        f"minutes saved: {saved.minutes:g} ({saved.low:g} to {saved.high:g}; {_many(saved.compared, 'run')} against "
        f"{saved.with_} incidents, {saved.basis}; {saved.sure} sure)"
    )


def _noisy(noisy: Noisy) -> str:
    useless = f", {noisy.useless_pages} of them for nothing" if noisy.useless_pages else ""
    text = f": {noisy.text}" if noisy.change else ""
    return f"{noisy.rule}: fired {_times_of(noisy.firings)}, {_many(noisy.pages, 'page')}{useless}{text}"


def _share(share: Share) -> str:
    if share.rate is None or share.low is None or share.high is None:
        return "none of none"
    return f"{share.hits} of {share.of} ({share.rate:.0%}; truly {share.low:.0%} to {share.high:.0%})"


def _span(span: Span) -> str:
    if span.median_s is None or span.p90_s is None:
        return "-"
    middle = format_duration(span.median_s)
    return middle if span.count == 1 else f"{middle} (nine of ten within {format_duration(span.p90_s)})"


def _times_of(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _many(count: int, word: str) -> str:
    return f"{count:,} {word}{'s' * (count != 1)}"
