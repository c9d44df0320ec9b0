"""What can be wrong with a playbook beyond its shape; looks at the raw file, so that one mistake hides no other."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from quell.config.actions import Actions
from quell.config.complaints import did_you_mean
from quell.config.fields import duration
from quell.config.nodes import Document, Path
from quell.config.playbook_file import is_name
from quell.config.playbook_lint import Lint
from quell.config.references import INCIDENT_ROOTS, Known, bare_expression, check_condition, check_templates
from quell.config.step_checks import RESULT_LATER, StepChecks, check_deeds
from quell.errors import ExpressionError, Problem
from quell.expressions.conditions import names_asked
from quell.expressions.cron import Cron

RUN_ROOTS = frozenset({"playbook", "run", "vars"})
ROOTS = INCIDENT_ROOTS | RUN_ROOTS
"""Names that every expression of a run may use that is about an incident."""
GUARD_FUNCTIONS = frozenset({"open_run"})
"""What a condition under ``unless`` may call: whether a playbook has a run that is not over."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_RESERVED = ROOTS | {
    "alert", "steps", "result", "item", "before", "catalog", "true", "false", "null", "in", "labels",
}  # fmt: skip
_RUN_LATER = "it is there once a run begins, not in the condition for it"


@dataclass(slots=True)
class PlaybookChecks:
    """Checks playbooks one by one and remembers their names; what is wrong is added to the lists."""

    actions: Actions
    problems: list[Problem]
    warnings: list[Problem]
    held_by: Collection[str] = ()
    """Names of freezes and maintenance windows."""
    measures: Mapping[str, int] = field(default_factory=dict)
    """How many arguments each measure takes, by name."""
    _names: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[Document, Path, str, int]] = field(default_factory=list)
    """Names of playbooks that were spoken of, each with its place and its column in the text there (0: all of it)."""

    def check(self, document: Document) -> None:
        """Everything but the shape."""
        raw = document.value
        if not isinstance(raw, dict):
            return
        self._name(document, raw.get("playbook"))
        variables = _mapping(raw, "vars")
        when = _mapping(raw, "when")
        about, absent = _about(when)
        roots = about | RUN_ROOTS
        never = (("result", RESULT_LATER), *absent)
        late = tuple((name, _RUN_LATER) for name in (*variables, *RUN_ROOTS) if name not in about)
        before_run = Known(roots=about, later=(*never, *late), measures=self.measures)
        self._when(document, when, before_run)
        self._variables(document, variables, roots, never)
        known = Known(roots=roots | frozenset(variables), later=never, measures=self.measures)
        self._guards(document, _mapping(raw, "guards"), variables, known)
        ids = self._steps(document, raw, known)
        after = Known(roots=known.roots | {"steps"}, steps=ids, all_steps=ids, later=known.later)
        check_deeds(self.actions, document, _list(raw, "on_failure"), after, self.problems)
        Lint(document, self.actions, self.problems, self.warnings).look()

    def _when(self, document: Document, when: dict[str, Any], known: Known) -> None:
        check_condition(document, ("when", "if"), when.get("if"), known, self.problems)
        schedule = when.get("schedule")
        if isinstance(schedule, str):
            try:
                Cron(schedule)
            except ExpressionError as error:
                path: Path = ("when", "schedule")
                self.problems.append(document.problem(path, str(error), offset=error.column))

    def _guards(self, document: Document, guards: dict[str, Any], variables: dict[str, Any], known: Known) -> None:
        early = tuple((name, "runs are told apart before variables are set") for name in variables)
        each = Known(roots=known.roots - frozenset(variables), later=(*early, *known.later))
        for index, text in enumerate(_list(guards, "each")):
            check_condition(document, ("guards", "each", index), text, each, self.problems)
        locks = guards.get("one_at_a_time")
        check_templates(document, ("guards", "one_at_a_time"), locks, known, self.problems)
        for index, text in enumerate(_list(_mapping(guards, "blast_radius"), "targets")):
            check_condition(document, ("guards", "blast_radius", "targets", index), text, known, self.problems)
        asking = replace(known, functions=GUARD_FUNCTIONS)
        for index, text in enumerate(_list(guards, "unless")):
            if isinstance(text, str):
                self._unless(document, ("guards", "unless", index), text, asking)

    def _unless(self, document: Document, path: Path, text: str, known: Known) -> None:
        if text in self.held_by:
            return
        if is_name(text, self.held_by):
            message = f'there is no freeze and no maintenance window "{text}"'
            hint = did_you_mean(text, self.held_by, "describe it under freezes: in rules/")
            self.problems.append(document.problem(path, message, hint))
            return
        check_condition(document, path, text, known, self.problems)
        for name, offset in names_asked(bare_expression(text), GUARD_FUNCTIONS):
            self.asked.append((document, path, name, offset + max(text.find(bare_expression(text)), 0)))

    def finish(self) -> None:
        """What can be told only when all playbooks are known."""
        for document, path, name, offset in self.asked:
            if name not in self._names:
                message = f'there is no playbook "{name}"'
                hint = did_you_mean(name, self._names)
                self.problems.append(
                    document.problem(path, message, hint, offset=offset, width=len(name) + 2 * bool(offset))
                )

    def _name(self, document: Document, name: Any) -> None:
        if not isinstance(name, str):
            return
        if name in self._names:
            message = f'the playbook name "{name}" is taken (first in {self._names[name]})'
            self.problems.append(document.problem(("playbook",), message, "give it another name"))
        else:
            self._names[name] = f"{document.file}:{document.line(('playbook',))}"

    def _variables(
        self, document: Document, variables: dict[str, Any], roots: frozenset[str], never: tuple[tuple[str, str], ...]
    ) -> None:
        earlier: set[str] = set()
        for name, value in variables.items():
            path: Path = ("vars", name)
            if not _NAME.fullmatch(name):
                message = f'"{name}" is not a name for a variable; use letters, digits and "_"'
                self.problems.append(document.problem(path, message, key=True))
            elif name in _RESERVED:
                message = f'the variable "{name}" would hide what quell gives under that name'
                self.problems.append(document.problem(path, message, "give it another name", key=True))
            later = tuple(
                (other, "a variable may use earlier ones only") for other in variables if other not in earlier
            )
            later = tuple((other, reason) for other, reason in later if other not in _RESERVED)
            known = Known(roots=roots | earlier, later=(*later, *never), measures=self.measures)
            check_templates(document, path, value, known, self.problems)
            earlier.add(name)

    def _steps(self, document: Document, raw: dict[str, Any], known: Known) -> frozenset[str]:
        steps = StepChecks(self.actions, self.problems, document, known, _seconds(raw.get("timeout")))
        steps.check(_list(raw, "steps"))
        return steps.ids


def _seconds(value: object) -> float | None:
    try:
        return duration(value)
    except ValueError:
        return None


def _about(when: dict[str, Any]) -> tuple[frozenset[str], tuple[tuple[str, str], ...]]:
    """What the expressions of a playbook may speak of by what begins it, and why not of the rest."""
    clock = [name for name in ("schedule", "every") if when.get(name) is not None]
    if clock:
        reason = "the clock begins this playbook, so there is no incident and no alert"
        return frozenset({"now"}), tuple((name, reason) for name in sorted((INCIDENT_ROOTS | {"alert"}) - {"now"}))
    if when.get("alert") is not None:
        return INCIDENT_ROOTS | {"alert"}, ()
    return INCIDENT_ROOTS, (("alert", 'only a playbook that an alert begins has one; "alerts" are the incident\'s'),)


def _mapping(raw: dict[str, Any], key: str) -> dict[str, Any]:
    value = raw.get(key)
    return value if isinstance(value, dict) else {}


def _list(raw: dict[str, Any], key: str) -> list[Any]:
    value = raw.get(key)
    return value if isinstance(value, list) else []
