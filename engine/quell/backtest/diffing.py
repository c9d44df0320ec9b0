"""The difference of two courses, all of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest

from quell.backtest.compare import Twins, rules_of
from quell.backtest.course import Case, Course, Firing, Planned
from quell.backtest.difference import (
    CauseDifference,
    Counts,
    Difference,
    IncidentDifference,
    IncidentNews,
    Limits,
    PageDifference,
    RunDifference,
    Side,
    VerdictDifference,
)
from quell.backtest.pages import closes, page_differences
from quell.backtest.versions import Version
from quell.errors import BacktestError

_ORDER = {"gone": 0, "opened": 1, "merged": 2, "split": 3, "other_alerts": 4}


def difference(was: Course, now: Course, versions: tuple[Version, Version], limits: Limits) -> Difference:
    """What differs. Raises `BacktestError` when the history says nothing: such a gate would always be open."""
    seen = max((was, now), key=lambda course: course.records)
    if seen.from_ is None or seen.to is None:
        raise BacktestError("the history holds no record of that time; nothing was compared")
    twins = Twins(was, now)
    pages = page_differences(twins, limits)
    incidents = sorted(_incidents(twins), key=lambda one: (_ORDER[one.what], one.at, one.was, one.now))
    failed = list(closes(pages, limits))
    opened = sum(one.what == "opened" for one in incidents)
    if limits.new_incidents is not None and opened > limits.new_incidents:
        failed.append(f"{opened} new incident{'s' * (opened != 1)}, {limits.new_incidents} allowed")
    return Difference(
        was=_side(versions[0], was),
        now=_side(versions[1], now),
        records=seen.records,
        from_time=seen.from_,
        to_time=seen.to,
        firings=len({index for _, _, index in seen.heard}),
        alarms=seen.alarms,
        left_out=max(was.left_out, now.left_out),
        failed=tuple(failed),
        notes=tuple(_notes(versions, (was, now), limits, pages)),
        pages=tuple(pages),
        incidents=tuple(incidents),
        verdicts=tuple(_verdicts(twins)),
        causes=tuple(_causes(twins)),
        runs=tuple(_runs(twins)),
    )


def _notes(
    versions: Sequence[Version], courses: Sequence[Course], limits: Limits, pages: Sequence[PageDifference]
) -> Iterator[str]:
    """What is no difference and should be known."""
    for version in versions:
        for text in version.left_out:
            yield f"{version.shown}: {text}; it was left out"
    used = {name for page in pages if page.allowed for name in (page.alert, page.mark, page.was)}
    for name in sorted(limits.allowed - used):
        yield f'no page of "{name}" was lost, which would have been allowed'
    if courses[0].left_out != courses[1].left_out:
        told = " and ".join(str(course.left_out) for course in courses)
        yield f"the versions cannot read the same lines of the history: {told} were left out"


def _side(version: Version, course: Course) -> Side:
    verdicts = Counter(course.firings[index].verdict for index in {index for _, _, index in course.heard})
    runs = Counter(run.mode for run in course.runs)
    since = course.from_ or 0.0
    return Side(
        name=version.shown,
        commit=version.commit,
        rules=course.rules,
        counts=Counts(
            incidents=sum(case.at >= since and case.status not in {"merged", "withdrawn"} for case in course.cases),
            pages=len(course.pages),
            page=verdicts["page"],
            hold=verdicts["hold"],
            digest=verdicts["digest"],
            muted=verdicts["muted"],
            runs=dict(sorted(runs.items())),
            took_s=round(course.took_s, 3),
        ),
    )


# Incidents and their causes


def _incidents(twins: Twins) -> Iterator[IncidentDifference]:
    pairing = twins.pairing
    absorbed, produced = _gathered(pairing.into), _gathered(pairing.out_of)
    for left, right in pairing.pairs.items():
        was, now = twins.was.cases[left], twins.now.cases[right]
        had, has = twins.atoms_was(was), twins.atoms_now(now)
        swallowed = [twins.was.cases[index] for index in absorbed.get(right, ())]
        born = [twins.now.cases[index] for index in produced.get(left, ())]
        if swallowed:
            yield _told(twins, "merged", [was, *swallowed], [now])
        if born:
            yield _told(twins, "split", [was], [now, *born])
        gained = (has - had).difference(*map(twins.atoms_was, swallowed))
        lost = (had - has).difference(*map(twins.atoms_now, born))
        if gained or lost:
            yield _told(twins, "other_alerts", [was], [now], gained=gained, lost=lost)
    for left, was in enumerate(twins.was.cases):
        if left not in pairing.pairs and left not in pairing.into and twins.atoms_was(was):
            yield _told(twins, "gone", [was], [])
    for right, now in enumerate(twins.now.cases):
        if right not in pairing.back and right not in pairing.out_of and twins.atoms_now(now):
            yield _told(twins, "opened", [], [now])


def _gathered(of: Mapping[int, int]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for one, other in sorted(of.items()):
        found.setdefault(other, []).append(one)
    return found


def _told(
    twins: Twins,
    what: IncidentNews,
    was: Sequence[Case],
    now: Sequence[Case],
    *,
    gained: Iterable[int] = (),
    lost: Iterable[int] = (),
) -> IncidentDifference:
    paged_was = {page.incident for page in twins.was.pages}
    paged_now = {page.incident for page in twins.now.pages}
    shown = (now or was)[0]
    return IncidentDifference(
        what=what,
        was=tuple(case.id for case in was),
        now=tuple(case.id for case in now),
        title=shown.title,
        severity=shown.severity,
        at=shown.at,
        alerts=len(twins.atoms_now(shown) if now else twins.atoms_was(shown)),
        paged_was=any(case.id in paged_was for case in was),
        paged_now=any(case.id in paged_now for case in now),
        gained=rules_of(map(twins.firing, sorted(gained))),
        lost=rules_of(map(twins.firing, sorted(lost))),
    )


def _causes(twins: Twins) -> Iterator[CauseDifference]:
    for left, right in sorted(twins.pairing.pairs.items()):
        was, now = twins.was.cases[left], twins.now.cases[right]
        if was.cause != now.cause:
            yield CauseDifference(
                was=was.id,
                now=now.id,
                title=now.title,
                at=now.at,
                was_cause=was.cause,
                now_cause=now.cause,
                was_confidence=round(was.confidence, 3),
                now_confidence=round(now.confidence, 3),
            )


# Verdicts


def _verdicts(twins: Twins) -> Iterator[VerdictDifference]:
    """By rule, the most frequent first."""
    found: dict[tuple[str, str, str, str], list[tuple[Firing | None, Firing | None]]] = {}
    for left, right in twins.atoms:
        was = None if left is None else twins.was.firings[left]
        now = None if right is None else twins.now.firings[right]
        if (was.verdict if was else "") != (now.verdict if now else ""):
            name = (now or was).name  # type: ignore[union-attr] # an atom is seen by one of them
            before, after = (one.verdict if one else "not seen" for one in (was, now))
            found.setdefault((name, before, after, now.code if now else ""), []).append((was, now))
    for (name, before, after, _), firings in sorted(found.items(), key=lambda item: (-len(item[1]), item[0])):
        was, now = firings[0]
        yield VerdictDifference(
            alert=name,
            was=before,
            now=after,
            count=len(firings),
            was_why=was.why if was else "",
            why=now.why if now else "",
            labels=(now or was).labels,  # type: ignore[union-attr]
        )


# Runs


def _runs(twins: Twins) -> list[RunDifference]:
    """Runs of one playbook for what is one incident are paired in order."""
    planned: dict[tuple[str, str], tuple[list[Planned], list[Planned]]] = {}
    for run in twins.was.runs:
        planned.setdefault((run.playbook, _known_as(twins, run.incident)), ([], []))[0].append(run)
    for run in twins.now.runs:
        planned.setdefault((run.playbook, run.incident), ([], []))[1].append(run)
    found = [
        one for before, after in planned.values() for was, now in zip_longest(before, after) if (one := _run(was, now))
    ]
    return sorted(found, key=lambda run: (run.at, run.playbook, run.incident, run.what))


def _known_as(twins: Twins, incident: str) -> str:
    """The id that an incident of the old version has under the new one; its own if it has none."""
    case = twins.case_was.get(incident)
    paired = None if case is None else twins.pairing.pairs.get(case)
    return incident if paired is None else twins.now.cases[paired].id


def _run(was: Planned | None, now: Planned | None) -> RunDifference | None:
    shown = now or was
    if shown is None or (was and now and _plan(was) == _plan(now)):
        return None
    return RunDifference(
        what="changed" if was and now else "new" if now else "gone",
        playbook=shown.playbook,
        incident=shown.incident,
        at=shown.at,
        was_mode=was.mode if was else None,
        now_mode=now.mode if now else None,
        was_state=was.state if was else None,
        now_state=now.state if now else None,
        was_steps=_steps(was) if was else (),
        now_steps=_steps(now) if now else (),
        why=shown.why,
    )


def _plan(run: Planned) -> tuple[object, ...]:
    return run.mode, run.state, run.steps


def _steps(run: Planned) -> tuple[str, ...]:
    return tuple(f"{name}: {action} ({state})" for name, action, state in run.steps)
