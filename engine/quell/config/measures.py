"""Measures: named readings that rules describe and the conditions of playbooks call."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from quell.config.actions import Actions
from quell.config.nodes import Document, Path
from quell.config.references import Known, bare_expression, check_condition
from quell.config.rule_shapes import MeasureShape
from quell.errors import ExpressionError, Problem
from quell.expressions.cel_text import FUNCTIONS, MACROS
from quell.expressions.conditions import condition_of
from quell.model.playbook import Measure, Step

Written = tuple[Document, str, MeasureShape]
"""A measure as it stands in a file: which, under which name."""

_NAME = re.compile(r"([a-z][a-z0-9_]*)\.([a-z][a-z0-9_]*)")
_PARAM = re.compile(r"[a-z_][a-z0-9_]*")
_TAKEN = frozenset({"catalog", "slo"})


def measures_of(written: Iterable[Written], actions: Actions, problems: list[Problem]) -> dict[str, Measure]:
    """The measures by name; everything that is wrong with them is added to ``problems``."""
    found: dict[str, Measure] = {}
    for document, name, shape in written:
        path: Path = ("measures", name)
        _named(document, path, name, problems)
        if name in found:
            first = found[name].place
            message = f'measure "{name}" stands here twice (first in {first.file}:{first.line})'
            problems.append(document.problem(path, message, "take one out", key=True))
            continue
        _params(document, path, shape, problems)
        params = frozenset(shape.params)
        spec = actions.check(
            document,
            path,
            {"do": shape.do, "with": shape.with_},
            problems,
            known=Known(roots=params),
            built_in=False,
        )
        if spec is not None and spec.effect != "read":
            message = f'"{shape.do}" cannot be a measure: its effect is {spec.effect}'
            problems.append(document.problem((*path, "do"), message, "name an action that only reads"))
        check_condition(document, (*path, "value"), shape.value, Known(roots=frozenset({"result"})), problems)
        found[name] = Measure(
            name=name,
            place=document.place(path),
            do=shape.do,
            params=tuple(shape.params),
            with_=shape.with_,
            value=bare_expression(shape.value),
            timeout_s=shape.timeout,
        )
    return found


def _named(document: Document, path: Path, name: str, problems: list[Problem]) -> None:
    fits = _NAME.fullmatch(name)
    if fits is None:
        message = f'"{name}" is not a name for a measure'
        problems.append(document.problem(path, message, "write two words with a dot, such as metrics.errors", key=True))
    elif fits[1] in _TAKEN or fits[2] in FUNCTIONS | MACROS:
        taken = fits[1] if fits[1] in _TAKEN else fits[2]
        message = f'the measure "{name}" would hide "{taken}" of the language'
        problems.append(document.problem(path, message, "give it another name", key=True))


def _params(document: Document, path: Path, shape: MeasureShape, problems: list[Problem]) -> None:
    for index, param in enumerate(shape.params):
        if not _PARAM.fullmatch(param) or param in shape.params[:index]:
            message = f'"{param}" is not a name for a parameter, or stands here twice'
            problems.append(document.problem((*path, "params", index), message, 'use small letters, digits and "_"'))


def called_by(steps: Iterable[Step], measures: Mapping[str, Measure]) -> tuple[Measure, ...]:
    """The measures that the conditions of these steps call, by name."""
    names: set[str] = set()
    for step in steps:
        for text in (step.if_, step.check, step.wait.until if step.wait is not None else ""):
            names |= _called(text)
    return tuple(measures[name] for name in sorted(names & measures.keys()))


def unanswered(document: Document, measures: Iterable[Measure], actions: Actions) -> Iterator[Problem]:
    """The measures that a playbook calls and no configured source answers."""
    for measure in measures:
        if actions.instances.known and actions.find(measure.do) is None:
            source = measure.do.partition(".")[0]
            message = f'measure "{measure.name}" asks "{measure.do}"'
            yield document.problem(("steps",), message, f'quell.yaml has no source "{source}"; add it under sources:')


def _called(text: Any) -> set[str]:
    try:
        return {call.name for call in condition_of(text).calls} if text else set()
    except ExpressionError:
        return set()  # said already
