"""Whether the expressions and ``${…}`` references of a file can be read, and speak only of what will be there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from quell.config.complaints import did_you_mean
from quell.config.nodes import Document, Path
from quell.errors import ExpressionError, Problem
from quell.expressions.conditions import Condition
from quell.expressions.templates import Template


@dataclass(frozen=True, slots=True)
class Known:
    """The root names an expression may use at one place, and the steps whose results it may use there.

    ``later`` are names that exist elsewhere, with the reason why not here; ``all_steps`` all ids of the playbook.
    """

    roots: frozenset[str]
    steps: frozenset[str] = frozenset()
    all_steps: frozenset[str] = frozenset()
    later: tuple[tuple[str, str], ...] = ()


def check_condition(document: Document, path: Path, text: Any, known: Known, problems: list[Problem]) -> None:
    """A CEL condition, bare or as one ``${…}``."""
    if not isinstance(text, str):
        return
    bare = bare_expression(text)
    shift = text.find(bare) if bare != text else 0
    try:
        found = Condition(bare)
    except ExpressionError as error:
        offset = error.column + shift if error.column else 0
        problems.append(document.problem(path, f"the condition cannot be read: {error}", offset=offset))
        return
    _check_paths(document, path, found.paths, known, problems, text=text)


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
        root = reference[0]
        offset = _offset(text, ".".join(reference[:2]))
        later = dict(known.later)
        if root in later:
            problems.append(document.problem(path, f'"{root}" is not known here', later[root], offset=offset))
        elif root not in known.roots:
            suggestion = did_you_mean(root, known.roots)
            problems.append(document.problem(path, f'unknown name "{root}"', suggestion, offset=offset))
        elif root == "steps" and len(reference) > 1 and reference[1] not in known.steps:
            step = reference[1]
            if step in known.all_steps:
                message, suggestion = f'step "{step}" has no result yet at this place', "refer to earlier steps only"
            else:
                message, suggestion = f'unknown step "{step}"', did_you_mean(step, known.all_steps)
            problems.append(document.problem(path, message, suggestion, offset=offset))


def _offset(text: str, reference: str) -> int:
    return max(0, text.find(reference)) + 1 if reference in text else 0
