"""How a difference is said: the sentences that text and Markdown share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from quell.backtest.difference import Counts, Difference, IncidentDifference, PageDifference, RunDifference
from quell.model.times import format_duration, format_time

Row = tuple[str, ...]
_PAGE = {
    "lost": "LOST",
    "not_yet": "put off beyond the end of the history",
    "new": "new",
    "later": "later",
    "earlier": "earlier",
}
_INCIDENT = {
    "opened": "new",
    "gone": "gone",
    "merged": "merged",
    "split": "split",
    "other_alerts": "other alerts",
}
_PLACE = ("service", "job", "namespace", "instance", "pod", "cluster")
FIGURES = ("incidents", "pages", "page", "hold", "digest", "muted")
_FIGURE = {
    "incidents": "incidents",
    "pages": "pages",
    "page": "alerts of pages",
    "hold": "alerts held",
    "digest": "alerts for the digest",
    "muted": "alerts muted",
}


def headline(found: Difference) -> str:
    """One sentence: whether the gate is open, and what there is to see."""
    if found.failed:
        return "FAILED: " + "; ".join(found.failed)
    if found.nothing:
        return "No difference: both versions make the same of this history"
    parts = [
        f"{len(items)} {what}{'s' * (len(items) != 1)}"
        for what, items in (
            ("page", found.pages), ("incident", found.incidents), ("first cause", found.causes), ("run", found.runs),
        )
        if items
    ]  # fmt: skip
    verdicts = sum(one.count for one in found.verdicts)
    parts += [f"{verdicts} verdict{'s' * (verdicts != 1)} on alerts"] if verdicts else []
    lost = "no page is lost" if not any(page.what == "lost" for page in found.pages) else "all pages lost were allowed"
    return f"Fine, {lost}; different: {', '.join(parts)}"


def span(found: Difference) -> str:
    """What was replayed."""
    lasted = format_duration(found.to_time - found.from_time)
    left_out = f"; {found.left_out} lines could not be read" if found.left_out else ""
    return (
        f"{found.records} records from {moment(found.from_time)} to {moment(found.to_time)} ({lasted}): "
        f"{found.firings} alerts, {found.alarms} of them of severities that page{left_out}"
    )


def figures(found: Difference) -> Iterator[Row]:
    """What, before, after, difference."""
    was, now = found.was.counts, found.now.counts
    for name in FIGURES:
        before, after = getattr(was, name), getattr(now, name)
        yield _FIGURE[name], str(before), str(after), _signed(after - before)
    for mode in sorted({*was.runs, *now.runs}):
        before, after = was.runs.get(mode, 0), now.runs.get(mode, 0)
        yield f"runs in mode {mode}", str(before), str(after), _signed(after - before)


def pages(found: Difference) -> list[Row]:
    """What, alert, when, incident, why."""
    return [
        (_page(one), f"{one.alert or one.mark}{_where(one.labels)}", _times(one), _change(one.was, one.now), one.why)
        for one in found.pages
    ]


def incidents(found: Difference) -> list[Row]:
    """What, incidents, title, alerts, paged."""
    return [
        (_INCIDENT[one.what], _change(", ".join(one.was), ", ".join(one.now)), one.title, _alerts(one), _paged(one))
        for one in found.incidents
    ]


def verdicts(found: Difference) -> list[Row]:
    """Rule, how often, verdicts, why."""
    return [(one.alert or "(no name)", str(one.count), _change(one.was, one.now), one.why) for one in found.verdicts]


def causes(found: Difference) -> list[Row]:
    """Incident, title, before, after."""
    rows: list[Row] = []
    for one in found.causes:
        was, now = _cause(one.was_cause, one.was_confidence), _cause(one.now_cause, one.now_confidence)
        rows.append((_change(one.was, one.now), one.title, was, now))
    return rows


def runs(found: Difference) -> list[Row]:
    """What, playbook, incident, modes and states, steps."""
    return [(run.what, run.playbook, run.incident, _state(run), _steps(run)) for run in found.runs]


def moment(at: float) -> str:
    """A time to the second, in UTC."""
    return format_time(at)[:19] + "Z"


def _page(page: PageDifference) -> str:
    text = _PAGE[page.what] + (" (told as worse)" if page.rise else "")
    return text + (", allowed" if page.allowed else "")


def _times(page: PageDifference) -> str:
    if page.was_at is None:
        return moment(page.now_at or 0.0)
    if page.now_at is None:
        return moment(page.was_at)
    sign = "+" if page.later_s > 0 else "-"
    return f"{moment(page.was_at)} {sign}{format_duration(abs(page.later_s))}"


def _where(labels: Mapping[str, str]) -> str:
    name = next((name for name in _PLACE if labels.get(name)), "")
    return f" {name}={labels[name]}" if name else ""


def _change(was: str, now: str) -> str:
    return was if was == now else f"{was or '–'} → {now or '–'}"


def _alerts(one: IncidentDifference) -> str:
    parts = [str(one.alerts)]
    parts += [f"+ {_few(one.gained)}"] if one.gained else []
    parts += [f"− {_few(one.lost)}"] if one.lost else []
    return "; ".join(parts)


def _few(names: Sequence[str], most: int = 5) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _paged(one: IncidentDifference) -> str:
    return _change("paged" if one.paged_was else "no page", "paged" if one.paged_now else "no page")


def _cause(text: str, confidence: float) -> str:
    return f"{text} {confidence:.0%}" if text else "no clear cause"


def _state(run: RunDifference) -> str:
    was, now = (f"{mode} {state}" if mode else "" for mode, state in (
        (run.was_mode, run.was_state), (run.now_mode, run.now_state),
    ))  # fmt: skip
    return _change(was, now)


def _steps(run: RunDifference) -> str:
    steps = run.now_steps or run.was_steps
    return _few(steps) or run.why


def _signed(number: int) -> str:
    return f"+{number}" if number > 0 else str(number) if number else ""


def took(counts: Counts) -> str:
    """How long the replay took."""
    return f"{counts.took_s:.1f} s"
