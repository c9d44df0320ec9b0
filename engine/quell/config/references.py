"""Whether the expressions and ``${…}`` references of a file can be read, and speak only of what will be there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from quell.config.complaints import did_you_mean
from quell.config.nodes import Document, Path
from quell.errors import ExpressionError, Problem
from quell.expressions.cel_text import Call
from quell.expressions.conditions import condition_of
from quell.expressions.templates import Template

ANY = -1
"""So many arguments takes a measure that could not be read."""
CATALOG = "catalog"
"""Looks up what is known of an entity: ``catalog.service(name)``."""
BUDGET = "slo.budget"
"""Looks up the budget of a service level: ``slo.budget(name)``, or ``slo.budget(name, entity)``."""

FIELDS: Mapping[str, frozenset[str]] = {
    "incident": frozenset({
        "id", "version", "title", "severity", "status", "opened_at", "age", "alerts", "entities", "impact", "harm",
        "no_clear_cause", "suspects", "evidence", "changes",
    }),
    "suspect": frozenset({
        "entity", "entity_kind", "service", "name", "owner", "kind", "confidence", "score", "path", "change",
        "evidence", "points_for", "points_against", "lost_because",
    }),
    "change": frozenset({
        "id", "type", "entity", "at", "age", "age_s", "before_s", "author", "summary", "commit", "url", "revision",
        "previous", "suspicion",
    }),
    "alert": frozenset({
        "fingerprint", "name", "kind", "labels", "annotations", "severity", "entity", "status", "starts_at", "value",
    }),
    "playbook": frozenset({"name", "version"}),
    "run": frozenset({"id", "by", "dry", "error"}),
    "drift": frozenset({
        "model", "dataset", "summary", "columns", "effect", "test", "dataset_version", "profile", "samples",
        "histograms",
    }),
}  # fmt: skip
"""What the core tells about an incident and a run; `quell.core.context` makes the values."""

_POINT = frozenset({"kind", "text", "weight"})
MEMBERS: Mapping[tuple[str, ...], frozenset[str]] = {
    ("alerts",): FIELDS["alert"] - {"annotations", "value"},
    ("incident", "alerts"): FIELDS["alert"] - {"annotations", "value"},
    ("incident", "suspects"): FIELDS["suspect"],
    ("incident", "evidence"): _POINT | {"entity", "rank"},
    ("incident", "changes"): FIELDS["change"],
    ("suspect", "evidence"): _POINT,
}
"""What the core tells about each member of a list; `quell.core.seen` makes the values."""

STEP_FIELDS = frozenset({"state", "output", "sentence", "before"})
"""What is known of a step that is over."""

INCIDENT_ROOTS = frozenset({"incident", "suspect", "alerts", "change", "drift", "now"})
"""Names that every expression about an incident may use."""


@dataclass(frozen=True, slots=True)
class Known:
    """The root names an expression may use at one place, and the steps whose results it may use there.

    ``later`` are names that exist elsewhere, with the reason why not here; ``all_steps`` all ids of the playbook.
    ``functions`` are those that it may call beside the built-in ones. ``measures`` says how many arguments each measure
    takes; they are read only where it is ``readable``.
    """

    roots: frozenset[str]
    steps: frozenset[str] = frozenset()
    all_steps: frozenset[str] = frozenset()
    later: tuple[tuple[str, str], ...] = ()
    functions: frozenset[str] = frozenset()
    measures: Mapping[str, int] = field(default_factory=dict)
    readable: bool = False


def check_condition(document: Document, path: Path, text: Any, known: Known, problems: list[Problem]) -> None:
    """A CEL condition, bare or as one ``${…}``."""
    if not isinstance(text, str):
        return
    bare = bare_expression(text)
    shift = text.find(bare) if bare != text else 0
    try:
        found = condition_of(bare, known.functions)
    except ExpressionError as error:
        offset = error.column + shift if error.column else 0
        problems.append(document.problem(path, f"the condition cannot be read: {error}", offset=offset))
        return
    _check_paths(document, path, found.paths, known, problems, text=text)
    _check_members(document, path, found.members, problems, text=text)
    _check_calls(document, path, found.calls, known, problems, text=text)


def check_templates(document: Document, path: Path, value: Any, known: Known, problems: list[Problem]) -> None:
    """Every text inside a value."""
    if isinstance(value, dict):
        for name, item in value.items():
            check_templates(document, (*path, name), item, known, problems)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            check_templates(document, (*path, index), item, known, problems)
    elif isinstance(value, str) and "${" in value:
        try:
            found = Template(value)
        except ExpressionError as error:
            problems.append(document.problem(path, f"the ${{…}} cannot be read: {error}", offset=error.column))
            return
        _check_paths(document, path, found.paths, known, problems, text=value)
        _check_members(document, path, found.members, problems, text=value)
        _check_calls(document, path, found.calls, known, problems, text=value)


def bare_expression(text: str) -> str:
    """The expression of a condition, which may be written as one ``${…}``."""
    stripped = text.strip()
    if stripped.startswith("${") and stripped.endswith("}"):
        return stripped[2:-1].strip()
    return text


def _check_paths(
    document: Document,
    path: Path,
    references: Iterable[tuple[str, ...]],
    known: Known,
    problems: list[Problem],
    *,
    text: str,
) -> None:
    for reference in sorted(references):
        message, suggestion, length = _wrong_with(reference, known)
        if message:
            word = ".".join(reference[:length])
            offset = text.find(word) + 1
            problems.append(document.problem(path, message, suggestion, offset=offset, width=len(word)))


def _check_members(
    document: Document,
    path: Path,
    read: Iterable[tuple[tuple[str, ...], tuple[str, ...]]],
    problems: list[Problem],
    *,
    text: str,
) -> None:
    """What list macros read of the members of a list."""
    for over, inner in sorted(read):
        fields, name = MEMBERS.get(over), inner[0]
        if fields is None:
            continue
        of_change = name == "change" and len(inner) > 1
        if of_change:
            fields, name = FIELDS["change"], inner[1]
        if name not in fields:
            whose = "the change of a member" if of_change else "a member"
            message = f'{whose} of "{".".join(over)}" has no "{name}"'
            offset = text.find(f".{name}") + 2
            problems.append(document.problem(path, message, did_you_mean(name, fields), offset=offset, width=len(name)))


def _check_calls(
    document: Document, path: Path, calls: Iterable[Call], known: Known, problems: list[Problem], *, text: str
) -> None:
    for call in calls:
        message, suggestion = _wrong_call(call, known)
        if message:
            offset = text.find(call.name) + 1
            problems.append(document.problem(path, message, suggestion, offset=offset, width=len(call.name)))


def _wrong_call(call: Call, known: Known) -> tuple[str, str]:
    """Message and suggestion; "" when it is fine."""
    root = call.name.partition(".")[0]
    if root == "slo" and "now" in known.roots:
        if call.name != BUDGET:
            return f'unknown function "{call.name}"', f"did you mean {BUDGET}?"
        return ("", "") if call.arguments in {1, 2} else (f'"{BUDGET}" takes the name of a service level', "")
    wanted = 1 if root == CATALOG and "now" in known.roots else known.measures.get(call.name)
    if wanted is None:
        if "now" not in known.roots:
            return f'unknown function "{call.name}"', ""
        otherwise = f"describe it under measures: in rules/, or look it up with {CATALOG}.KIND(name)"
        return f'unknown measure "{call.name}"', did_you_mean(call.name, known.measures, otherwise)
    if root != CATALOG and not known.readable:
        return f'the measure "{call.name}" cannot be read here', "read it in check or if of a step, or wait until"
    if wanted not in {call.arguments, ANY}:
        return f'"{call.name}" takes {wanted} argument{"s" * (wanted != 1)}, found {call.arguments}', ""
    return "", ""


def _wrong_with(reference: tuple[str, ...], known: Known) -> tuple[str, str, int]:
    """Message, suggestion, and how many parts of the reference they are about; "" when it is fine."""
    root, inner = reference[0], reference[1:]
    later = dict(known.later)
    if root in later:
        return f'"{root}" is not known here', later[root], 1
    if root not in known.roots:
        return f'unknown name "{root}"', did_you_mean(root, known.roots), 1
    if root == "steps" and inner:
        return _wrong_with_step(inner, known)
    fields = FIELDS.get(root)
    if fields is not None and inner and inner[0] not in fields:
        return f'"{root}" has no "{inner[0]}"', did_you_mean(inner[0], fields), 2
    if reference[:2] == ("suspect", "change") and len(inner) > 1 and inner[1] not in FIELDS["change"]:
        return f'"suspect.change" has no "{inner[1]}"', did_you_mean(inner[1], FIELDS["change"]), 3
    return "", "", 0


def _wrong_with_step(inner: tuple[str, ...], known: Known) -> tuple[str, str, int]:
    step = inner[0]
    if step not in known.all_steps:
        return f'unknown step "{step}"', did_you_mean(step, known.all_steps), 2
    if step not in known.steps:
        return f'step "{step}" has no result yet at this place', "refer to earlier steps only", 2
    if len(inner) > 1 and inner[1] not in STEP_FIELDS:
        return f'a step has no "{inner[1]}"', f"write steps.{step}.output.{inner[1]} for a part of its answer", 3
    return "", "", 0
