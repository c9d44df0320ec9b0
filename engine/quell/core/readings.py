"""Reads that a step needs before it goes on: for its condition, the state before it acts, its check or a look.

They go through the ledger like every act, and their answers are kept in the run: a restart asks nothing twice. A
condition that reads something is evaluated as often as it takes: each time, what it lacks is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from quell.core.catalog import Catalog
from quell.core.context import holds, plain, value_of
from quell.core.desk import Desk
from quell.core.stand import current, with_current
from quell.core.worded import harmless
from quell.errors import ExpressionError
from quell.expressions.cel_text import CALL_FUNCTION
from quell.model.decision import Perform
from quell.model.playbook import Measure, Retry
from quell.model.records import StepFinished
from quell.model.run import Purpose, Reading, Run, StepRun
from quell.model.state import State

READ_AGAIN = Retry(times=2, wait_s=5.0)
"""How often a read that failed is asked again where its step does not say; a look is not, as the next one comes."""
MOST_READINGS = 20
"""So many readings one condition may need."""
GRACE_S = 30.0
"""How long after its time limit an answer may still come."""
_SORTED = msgspec.json.Encoder(order="sorted")


class Lack(NamedTuple):
    """A reading that a condition needs and that nobody asked for yet."""

    name: str
    measure: Measure
    arguments: dict[str, Any]


class Answers(Catalog):
    """Also answers calls of measures, from the readings at hand; ``lacking`` are those that are not.

    An answer that is lacking counts as null, and the whole evaluation is void; so is one that met a failed reading.
    """

    def __init__(self, state: State, measures: Iterable[Measure], readings: Iterable[Reading]) -> None:
        super().__init__(state)
        self._measures = {measure.name: measure for measure in measures}
        self._readings = {reading.name: reading for reading in readings}
        self.lacking: dict[str, Lack] = {}
        self.failed: list[str] = []

    def _other(self, name: str, arguments: list[Any]) -> Any:
        measure = self._measures.get(name)
        if measure is None or len(arguments) != len(measure.params):
            self.failed.append(f"there is no measure {name} with {len(arguments)} arguments")
            return None
        given = dict(zip(measure.params, plain(arguments), strict=True))
        called = f"{name}({', '.join(_SORTED.encode(value).decode() for value in given.values())})"
        reading = self._readings.get(called)
        if reading is None:
            self.lacking[called] = Lack(called, measure, given)
            return None
        if reading.state == "failed":
            self.failed.append(f"{called} could not be read: {reading.error}")
        return reading.value


def told(
    desk: Desk, run: Run, text: str, purpose: Purpose, at: float, *, result: Mapping[str, Any] | None = None
) -> bool | list[Lack]:
    """Whether a condition holds at the act where the run stands, or what must be read first. Raises ExpressionError."""
    act = current(run)
    assert act is not None, "only the conditions of an act are asked"
    readings = [reading for reading in act.readings if reading.purpose == purpose and reading.state != "asked"]
    answers = Answers(desk.state, desk.playbook(run).measures, readings)
    context = desk.context(run, at, result)
    context[CALL_FUNCTION] = answers
    found: bool | ExpressionError
    try:
        found = holds(text, context)
    except ExpressionError as error:
        found = error
    if answers.lacking:
        if len(readings) + len(answers.lacking) > MOST_READINGS:
            raise ExpressionError(f'"{text}" needs more than {MOST_READINGS} readings')
        return list(answers.lacking.values())
    if answers.failed:
        raise ExpressionError(answers.failed[0])
    if isinstance(found, ExpressionError):
        raise found
    return found


def asked(desk: Desk, run: Run, lacking: Iterable[Lack], purpose: Purpose, at: float) -> Run:
    """The run with these readings asked for. Raises ExpressionError when the parameters of one cannot be worded."""
    for lack in lacking:
        context = {**lack.arguments, CALL_FUNCTION: Catalog(desk.state)}
        params = harmless(lack.measure.with_, context, lack.name)
        run = ask(
            desk, run, Reading(name=lack.name, purpose=purpose, do=lack.measure.do, params=params),
            lack.measure.timeout_s, at,
        )  # fmt: skip
    return run


def ask(desk: Desk, run: Run, reading: Reading, timeout_s: float, at: float) -> Run:
    """The run with one reading asked for, again if it is known."""
    act = current(run)
    assert act is not None, "only an act needs readings"
    number = act.asked + 1
    key = f"{run.id}/{act.id}/{'before' if reading.purpose == 'before' else 'read'}/{number}"
    limit = max(timeout_s, 0.0)
    reading = replace(reading, key=key, state="asked", asked_at=at, due_at=at + limit + GRACE_S, error="")
    desk.decide(
        Perform(
            at=at,
            key=key,
            token=key,
            action=reading.do,
            params=reading.params,
            effect="read",
            repeat="state",
            timeout_s=timeout_s,
            run=run.id,
            incident=run.incident,
        )
    )
    known = [one for one in act.readings if (one.name, one.purpose) != (reading.name, reading.purpose)]
    act = replace(act, asked=number, started_at=at if act.started_at is None else act.started_at)
    return _with(run, act, (*known, reading))


def _with(run: Run, act: StepRun, readings: tuple[Reading, ...]) -> Run:
    due = [one.due_at for one in readings if one.due_at is not None]
    return replace(
        with_current(run, replace(act, state="reading", readings=readings, due_at=min(due, default=None))),
        state="running",
    )


def heard(run: Run, result: StepFinished, again: Retry | None, value: Callable[[Reading], Any], at: float) -> Run:
    """The run after the answer to one of the readings of the act where it stands."""
    act = current(run)
    assert act is not None, "only an act has readings"
    reading = next(one for one in act.readings if one.key == result.key)
    return _settled(run, act, reading, _told(reading, result, again, value, at))


def late(run: Run, again: Retry | None, at: float) -> tuple[Run, list[Reading]]:
    """The run after the time of some readings came: those with no answer failed; those to be asked again are given."""
    act = current(run)
    assert act is not None, "only an act has readings"
    once_more = []
    for reading in act.readings:
        if reading.due_at is None or reading.due_at > at:
            continue
        if reading.state == "waiting":
            once_more.append(replace(reading, attempt=reading.attempt + 1))
        else:
            missed = StepFinished(
                at=at, key=reading.key, outcome="failed", failure="timeout", error="its answer never came"
            )
            run = heard(run, missed, again, lambda _: None, at)
    return run, once_more


def _told(
    reading: Reading, result: StepFinished, again: Retry | None, value: Callable[[Reading], Any], at: float
) -> Reading:
    if result.outcome == "pending":
        return replace(reading, due_at=max(reading.due_at or at, at + (result.check_after_s or 0.0) + GRACE_S))
    if result.outcome == "done":
        reading = replace(reading, state="told", output=plain(result.output), sentence=result.sentence, due_at=None)
        try:
            return replace(reading, value=value(reading))
        except ExpressionError as untold:
            return replace(reading, state="failed", error=str(untold))
    failure = result.failure or "timeout"
    error = result.error or failure
    if again is not None and reading.attempt <= again.times and failure in again.on:
        wait_s = pause_s(again, reading.attempt, result.retry_after_s)
        return replace(reading, state="waiting", due_at=at + wait_s, error=error)
    return replace(reading, state="failed", due_at=None, error=error)


def _settled(run: Run, act: StepRun, reading: Reading, now: Reading) -> Run:
    return _with(run, act, tuple(now if one is reading else one for one in act.readings))


def all_told(act: StepRun) -> bool:
    """Whether no reading of the act is awaited."""
    return all(reading.state in {"told", "failed"} for reading in act.readings)


def measured(measures: Iterable[Measure], reading: Reading) -> Any:
    """The value of a measure's answer. Raises ExpressionError when it cannot be told."""
    name = reading.name.partition("(")[0]
    measure = next((one for one in measures if one.name == name), None)
    if measure is None or reading.purpose == "before" or reading.name == name:
        return None
    found = value_of(measure.value, {"result": reading.output})
    if found is None:
        raise ExpressionError(f"its answer holds no {measure.value}")
    return found


def pause_s(retry: Retry, attempt: int, retry_after_s: float | None) -> float:
    """Seconds until the next try after so many failed ones; never before the other side wants it."""
    wait_s = retry.wait_s * max(retry.backoff, 1.0) ** min(attempt - 1, 64)
    return max(min(wait_s, max(retry.most_s, retry.wait_s)), retry_after_s or 0.0, 0.0)
