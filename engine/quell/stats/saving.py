"""Minutes that playbooks saved: how long incidents took in which one helped, beside those in which none did.

It is a comparison and no experiment. Whoever reads the figure must see what it was compared with, so that is told too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from quell.model.run import Run
from quell.stats.figures import Basis, Saved, Sureness
from quell.stats.incidents import Course
from quell.stats.spans import quantile

LEAST_ALIKE = 5
"""So many incidents without a playbook make something to compare with."""
LEAST_FAIR = 20
_ALL = ""


class _Usual(NamedTuple):
    """How long incidents take without a playbook, in seconds: a quarter, the middle, three quarters; of how many."""

    low: float
    middle: float
    high: float
    basis: Basis
    many: int


def saved(runs: Sequence[Run], changed: Collection[str], courses: Mapping[str, Course]) -> Iterator[Saved]:
    """For each playbook that changed something in an incident.

    A run counts if it was for real, is done, ``changed`` something, and its incident was over afterwards. Of several
    in an incident the first one counts: the time can be saved once.
    """
    helped: dict[str, Run] = {}
    by_playbook: dict[str, list[Run]] = {}
    count: dict[str, int] = {}
    for run in sorted(runs, key=lambda run: (run.updated_at, run.id)):
        if run.dry or run.mode == "shadow" or run.state != "done" or not run.incident or run.id not in changed:
            continue
        count[run.playbook] = count.get(run.playbook, 0) + 1
        course = courses.get(run.incident)
        over = course is not None and course.resolved_at is not None and course.resolved_at >= run.updated_at
        if over and run.incident not in helped:
            helped[run.incident] = run
            by_playbook.setdefault(run.playbook, []).append(run)
    usual = _by_rule(courses, {run.incident for run in runs if run.id in changed})
    for name in sorted(count):
        yield _saved(name, count[name], [courses[run.incident] for run in by_playbook.get(name, ())], usual)


def _by_rule(courses: Mapping[str, Course], touched: Collection[str]) -> dict[str, list[float]]:
    """How long incidents took that people had to do with and no playbook changed, by the rule that told of them first.

    Under `_ALL` there are all of them.
    """
    found: dict[str, list[float]] = {}
    for name, course in courses.items():
        if name not in touched and course.counts and course.of_people and course.took_s is not None:
            for rule in {course.first_rule, _ALL}:
                found.setdefault(rule, []).append(course.took_s)
    return {rule: sorted(spans) for rule, spans in found.items()}


def _usual(rule: str, known: Mapping[str, list[float]]) -> _Usual | None:
    choice: tuple[tuple[str, Basis], ...] = ((rule, "same rule"), (_ALL, "all incidents"))
    for name, basis in choice:
        spans = known.get(name, [])
        if len(spans) >= LEAST_ALIKE and not (name == _ALL and basis == "same rule"):
            low, middle, high = (quantile(spans, share) or 0.0 for share in (0.25, 0.5, 0.75))
            return _Usual(low, middle, high, basis, len(spans))
    return None


def _saved(name: str, runs: int, helped: Sequence[Course], known: Mapping[str, list[float]]) -> Saved:
    compared = [
        (course.took_s, usual)
        for course in helped
        if course.took_s is not None and (usual := _usual(course.first_rule, known)) is not None
    ]
    if not compared:
        return Saved(playbook=name, runs=runs)
    alike = all(usual.basis == "same rule" for _, usual in compared)
    fewest = min(usual.many for _, usual in compared)
    sure: Sureness = "fairly" if alike and min(fewest, len(compared)) >= LEAST_FAIR else "hardly"
    return Saved(
        playbook=name,
        runs=runs,
        compared=len(compared),
        minutes=_minutes(usual.middle - took for took, usual in compared),
        low=_minutes(usual.low - took for took, usual in compared),
        high=_minutes(usual.high - took for took, usual in compared),
        basis="same rule" if alike else "all incidents",
        with_=fewest,
        sure=sure,
    )


def _minutes(seconds: Iterator[float]) -> float:
    return round(sum(seconds) / 60.0, 1)
