"""What is allowed in a playbook and most likely not meant: steps never reached, undo and guards missing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from quell.config.actions import Actions
from quell.config.fields import duration
from quell.config.nodes import Document, Path
from quell.config.references import bare_expression
from quell.config.step_file import APPROVAL_TIMEOUT_S, RUN_TIMEOUT_S
from quell.errors import ExpressionError, Problem
from quell.expressions.conditions import compared, condition_of
from quell.model.times import format_duration
from quell.sdk.spec import ActionSpec

_APPROVALS = frozenset({"approve", "approve_then"})
_GUARDING = "add guards, such as {each: [suspect.service], cooldown: 30m}"
_STEP_S = 60.0


@dataclass(frozen=True, slots=True)
class _Step:
    path: Path
    raw: dict[str, Any]
    spec: ActionSpec | None

    @property
    def name(self) -> str:
        return str(self.raw.get("id"))

    @property
    def do(self) -> str:
        return str(self.raw.get("do"))


@dataclass(slots=True)
class Lint:
    """Looks at one playbook as it stands in its file."""

    document: Document
    actions: Actions
    problems: list[Problem]
    warnings: list[Problem]

    def look(self) -> None:
        """Everything that is worth a word; what a mode makes dangerous is a problem."""
        raw = self.document.value
        steps = [_Step(path, step, self._spec(step)) for path, step in _steps(raw)]
        self._reached(steps)
        self._states(steps)
        self._undos(steps)
        self._guards(raw, steps)
        self._times(raw, steps)
        self._variables(raw)

    def _spec(self, step: dict[str, Any]) -> ActionSpec | None:
        name = step.get("do")
        return self.actions.find(name) if isinstance(name, str) else None

    def _warn(self, path: Path, message: str, hint: str = "", *, key: bool = False, offset: int = 0) -> None:
        self.warnings.append(self.document.problem(path, message, hint, key=key, offset=offset))

    def _reached(self, steps: list[_Step]) -> None:
        """Steps behind a check, or with a condition, that is false whatever happens."""
        for number, step in enumerate(steps):
            if _never(step.raw.get("if")):
                self._warn((*step.path, "if"), f'step "{step.name}" is never reached: its condition is always false')
            elif _never(step.raw.get("check")) and number + 1 < len(steps):
                message = f'nothing after step "{step.name}" is ever reached: its check is always false'
                self._warn(steps[number + 1].path, message, "take the steps out, or mend the check")
                return

    def _states(self, steps: list[_Step]) -> None:
        """Conditions that ask a step for a state that it cannot have by then."""
        reachable: dict[str, frozenset[str]] = {}
        for step in steps:
            for key in ("if", "check"):
                self._asked(step, key, reachable)
            reachable[step.name] = _states_of(step.raw)

    def _asked(self, step: _Step, key: str, reachable: dict[str, frozenset[str]]) -> None:
        text = step.raw.get(key)
        if not isinstance(text, str):
            return
        bare = bare_expression(text)
        for path, value, column in _compared(bare):
            if len(path) == 3 and path[0] == "steps" and path[2] == "state" and path[1] in reachable:
                states = reachable[path[1]]
                if value not in states:
                    message = f'step "{path[1]}" is never "{value}" here, it is {" or ".join(sorted(states))}'
                    hint = "" if value in {"done", "failed", "skipped"} else "a run goes on past no other state"
                    self._warn((*step.path, key), message, hint, offset=column + max(text.find(bare), 0))

    def _undos(self, steps: list[_Step]) -> None:
        undoable = False
        for step in steps:
            declared = step.spec.undo if step.spec is not None and step.spec.effect == "change" else ""
            undoable = undoable or "undo" in step.raw
            if declared and "undo" not in step.raw:
                message = f'step "{step.name}" changes something that {declared} takes back, and has no undo'
                self._warn((*step.path, "do"), message, "write undo: true, or undo: false if nothing is to")
            if step.raw.get("on_failure") == "undo" and not undoable:
                message = f'step "{step.name}" asks for an undo, and there is nothing to take back by then'
                self._warn((*step.path, "on_failure"), message, "give the steps that change something an undo")

    def _guards(self, raw: dict[str, Any], steps: list[_Step]) -> None:
        mode = str(raw.get("mode", "propose"))
        changing = [step for step in steps if step.spec is not None and step.spec.effect == "change"]
        if not changing or mode not in {"propose", "enforce"}:
            return
        place: Path = ("mode",) if "mode" in raw else ("playbook",)
        if not raw.get("guards"):
            first = steps.index(changing[0])
            approved = any(step.do in _APPROVALS for step in steps[: first + 1])
            if mode == "enforce" and not approved:
                message = "this playbook changes something by itself, without a guard or an approval before it"
                self.problems.append(self.document.problem(place, message, f"{_GUARDING}, or an approve step"))
            else:
                self._warn(
                    place, "this playbook changes something, and no guard keeps it from doing so often", _GUARDING
                )
        elif mode == "enforce" and not _mapping(raw, "guards").get("blast_radius"):
            message = "nothing limits how much this playbook may touch"
            self._warn(("guards",), message, "add blast_radius: {services: 1}", key=True)

    def _times(self, raw: dict[str, Any], steps: list[_Step]) -> None:
        """A step that may take longer than the run is cut off by the run's end, which is no failure of its own."""
        whole = _seconds(raw["timeout"]) if "timeout" in raw else RUN_TIMEOUT_S
        for step in steps:
            approval = step.do in _APPROVALS
            own = _seconds(step.raw.get("timeout"))
            span = own if own is not None else APPROVAL_TIMEOUT_S if approval else _STEP_S
            unsaid = approval and "timeout" not in raw  # then the run may take as much longer
            if step.do == "wait" or unsaid or whole is None or span <= whole:
                continue
            place = (*step.path, "timeout") if own is not None else step.path
            said = f'step "{step.name}" may take {format_duration(span)}, the whole run {format_duration(whole)}'
            self._warn(place, said, "give the playbook a longer timeout, or the step a shorter one")

    def _variables(self, raw: dict[str, Any]) -> None:
        variables = _mapping(raw, "vars")
        for name in variables:
            if isinstance(name, str) and not any(_speaks_of(text, name) for text in _texts(raw, but=name)):
                message = f'the variable "{name}" is used nowhere'
                self._warn(("vars", name), message, "take it out", key=True)


def _steps(raw: dict[str, Any]) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Steps in order with their places, those of groups too."""
    listed = raw.get("steps")
    for index, entry in enumerate(listed if isinstance(listed, list) else []):
        if not isinstance(entry, dict):
            continue
        members = entry.get("parallel")
        if not isinstance(members, list):
            yield ("steps", index), entry
            continue
        for number, member in enumerate(members):
            if isinstance(member, dict):
                yield ("steps", index, "parallel", number), member


def _never(text: Any) -> bool:
    """Whether a condition names nothing and is false: its author switched something off."""
    if not isinstance(text, str):
        return False
    try:
        condition = condition_of(bare_expression(text))
        return not condition.names and not condition.calls and condition.value({}) is False
    except ExpressionError:
        return False  # what is wrong with it is told elsewhere


def _compared(text: str) -> list[tuple[tuple[str, ...], str, int]]:
    try:
        return compared(text)
    except ExpressionError:
        return []


def _states_of(step: dict[str, Any]) -> frozenset[str]:
    """In which states a step may be once the next one is asked."""
    states = {"done"}
    if step.get("if"):
        states.add("skipped")
    if step.get("do") == "approve_then":
        states.add("skipped")
    if step.get("on_failure") == "continue":
        states.add("failed")
    return frozenset(states)


def _texts(value: Any, *, but: str) -> Iterator[str]:
    """Every text of a playbook except the value of one variable."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            if key == "vars" and isinstance(item, dict):
                yield from _texts([one for name, one in item.items() if name != but], but="")
            else:
                yield from _texts(item, but=but)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item, but=but)


def _speaks_of(text: str, name: str) -> bool:
    return re.search(rf"(?<![\w.\"'])(?:vars\.)?{re.escape(name)}(?!\w)", text) is not None


def _seconds(value: Any) -> float | None:
    try:
        return duration(value)
    except ValueError:
        return None


def _mapping(raw: dict[str, Any], key: str) -> dict[str, Any]:
    value = raw.get(key)
    return value if isinstance(value, dict) else {}
