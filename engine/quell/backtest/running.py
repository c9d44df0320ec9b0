"""Two versions of the rules over one history, from names to a difference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from quell.backtest.course import Course, Span, Task
from quell.backtest.difference import Difference, Limits
from quell.backtest.diffing import difference
from quell.backtest.replaying import courses_of, rules_in
from quell.backtest.versions import Version, version_of
from quell.config.loading import Loaded
from quell.errors import BacktestError, Misconfigured, Problem


@dataclass(frozen=True, slots=True)
class Compared:
    """What differs, and the first lines of the history that could not be read."""

    difference: Difference
    problems: Sequence[Problem]


def versions_of(
    directory: Path, names: tuple[str, str], scratch: Path, config: Path | None = None
) -> tuple[Version, Version]:
    """Both versions, checked with their own quell.yaml or with that in ``config``.

    Raises `Misconfigured` with the problems of both, and `BacktestError`.
    """
    was, now = (version_of(name, directory, scratch / str(number)) for number, name in enumerate(names))
    problems: list[Problem] = []
    for version in (was, now):
        if version.directory is not None:
            try:
                _checked(version, config)
            except Misconfigured as error:
                problems += [_of(version, problem) for problem in error.problems]
    if problems:
        raise Misconfigured(problems)
    return was, now


def compared(
    versions: tuple[Version, Version],
    history: Sequence[Path],
    span: Span,
    limits: Limits,
    *,
    settle_s: float,
    strict: bool = False,
    config: Path | None = None,
    deeds: Path | None = None,
) -> Compared:
    """Replays the history under both versions at one time. The same rules are replayed once.

    ``deeds`` is a file with what was recorded of acts beside the history.

    Raises `Misconfigured`, also for a history that cannot be opened, and `BacktestError`.
    """
    was, now = versions
    files = tuple(map(str, history))
    tasks = [
        Task(
            directory=str(version.directory or ""),
            decode_as=str(version.directory or other.directory or ""),
            history=files,
            span=span,
            settle_s=settle_s,
            strict=strict,
            config=str(config or ""),
            deeds=str(deeds or ""),
        )
        for version, other in ((was, now), (now, was))
    ]
    courses = courses_of(tasks[:1] if _rules(was, config) == _rules(now, config) else tasks)
    refused = [problem for course in courses for problem in course.refused]
    if refused:
        raise Misconfigured(list(dict.fromkeys(refused)))
    first, last = courses[0], courses[-1]
    return Compared(difference(first, last, versions, limits), _worst(courses).problems)


def _worst(courses: Sequence[Course]) -> Course:
    return max(courses, key=lambda course: course.left_out)


def _rules(version: Version, config: Path | None) -> str:
    return "" if version.directory is None else _checked(version, config).rulebook.version


def _checked(version: Version, config: Path | None) -> Loaded:
    assert version.directory is not None
    try:
        return rules_in(version.directory, config)
    except BacktestError as error:
        raise BacktestError(f"{version.shown}: {error}") from error


def _of(version: Version, problem: Problem) -> Problem:
    """The problem with the version in front of its file, unless that is the directory as it is."""
    return replace(problem, file=f"{version.shown}: {problem.file}") if version.commit else problem
