"""What pydantic has to say about a file, as problems with places, in words for people."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from quell.config.fields import plain
from quell.config.nodes import Document
from quell.errors import Problem

NOT_YET = frozenset({"limit_for"})
"""Words of the playbook language that this version does not speak; saying so beats "unknown key"."""

CHOICES = frozenset({"a step", "a group"})
"""What pydantic puts into the place of a complaint for a choice between shapes; no key is called so."""

_WANTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}
_KINDS: dict[type, str] = {
    type(None): "nothing", bool: "true or false", int: "a number", float: "a number", str: "text", list: "a list",
    dict: "a mapping",
}  # fmt: skip

Shaped = TypeVar("Shaped", bound=BaseModel)


def shaped(
    shape: type[Shaped], document: Document, problems: list[Problem], *, path: tuple[str | int, ...] = (), value: Any
) -> Shaped | None:
    """The value in its shape; None, and everything that is wrong with it added to ``problems``, if it does not fit."""
    try:
        return shape.model_validate(value)
    except ValidationError as error:
        problems.extend(_problem(document, shape, path, details) for details in error.errors(include_url=False))
        return None


def did_you_mean(word: str, known: Iterable[str], otherwise: str = "") -> str:
    """A suggestion that names the nearest known word, or lists them when they are few."""
    choices = sorted(known)
    near = difflib.get_close_matches(word, choices, 1, cutoff=0.6)
    if near:
        return f'did you mean "{near[0]}"?'
    if otherwise or not choices:
        return otherwise
    return f"known here: {', '.join(choices)}" if len(choices) <= 12 else ""


def wrong_type(value: Any, wanted: str, raw: str = "") -> tuple[str, str]:
    """Message and suggestion for a value of the wrong type."""
    kind = _KINDS.get(type(value), type(value).__name__)
    shown = raw if raw else plain(value)
    if value is None:
        return f"expected {wanted}, found nothing", ""
    if wanted == "text" and isinstance(value, (int, float)):
        return f"expected text, found {shown}", f'write "{shown}" in quotes'
    if isinstance(value, (dict, list)):
        return f"expected {wanted}, found {kind}", ""
    return f'expected {wanted}, found "{shown}"', ""


def _problem(document: Document, shape: type[BaseModel], base: tuple[str | int, ...], details: ErrorDetails) -> Problem:
    kind, ctx = details["type"], details.get("ctx", {})
    loc = tuple(part for part in details["loc"] if part not in CHOICES)
    path = (*base, *loc)
    if kind == "extra_forbidden":
        word = str(loc[-1])
        if word in NOT_YET:
            return document.problem(path, f'"{word}" is not supported yet', "take it out", key=True)
        inside = shape_at(shape, loc[:-1]) if "parallel" not in _beside(document, path) else None
        return document.problem(
            path, f'unknown key "{word}"', did_you_mean(word, keys_of(inside) if inside else ()), key=True
        )
    if kind == "missing":
        parent = path[:-1]
        where = f'"{parent[-1]}" needs' if parent and isinstance(parent[-1], str) else "this needs"
        return document.problem(parent, f'{where} "{loc[-1]}"', key=bool(parent) and isinstance(parent[-1], str))
    message, suggestion = _said(details, document.raw(path) if path in document.values else "", ctx)
    return document.problem(path, message, suggestion, offset=int(ctx.get("offset", 0)))


def _beside(document: Document, path: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """The keys of the mapping that a path leads into."""
    here: Any = document.value
    for part in path[:-1]:
        try:
            here = here[part]
        except (KeyError, IndexError, TypeError):
            return ()
    return tuple(here) if isinstance(here, dict) else ()


def _said(details: ErrorDetails, raw: str, ctx: Mapping[str, Any]) -> tuple[str, str]:
    kind, given = details["type"], details["input"]
    if kind in _WANTED:
        return wrong_type(given, _WANTED[kind], raw)
    if kind == "literal_error":
        expected = [choice.strip("'") for choice in str(ctx.get("expected", "")).replace(" or ", ", ").split(", ")]
        return f'"{plain(given)}" is not one of {", ".join(expected)}', _near(str(given), expected)
    if kind == "value_error":
        return str(ctx.get("error", details["msg"])), ""
    if kind == "too_short":
        return f"at least {ctx.get('min_length')} is needed here, found {ctx.get('actual_length')}", ""
    if kind == "string_too_short":
        return "this may not be empty", ""
    message = details["msg"]
    if kind.startswith(("greater_than", "less_than")):
        message = f'"{raw or plain(given)}" is out of range: {message}'
    return message.replace("Input should be", "it should be"), ""


def _near(word: str, known: list[str]) -> str:
    near = difflib.get_close_matches(word, known, 1, cutoff=0.6)
    return f'did you mean "{near[0]}"?' if near else ""


def keys_of(shape: type[BaseModel]) -> list[str]:
    """The keys a shape knows, as written in files."""
    return [field.alias or name for name, field in shape.model_fields.items()]


def shape_at(shape: type[BaseModel], loc: tuple[str | int, ...]) -> type[BaseModel] | None:
    """The shape that a location inside another shape has."""
    here: Any = shape
    for step in loc:
        if isinstance(step, str) and isinstance(here, type) and issubclass(here, BaseModel):
            fields = {field.alias or name: field for name, field in here.model_fields.items()}
            here = _inner(fields[step].annotation) if step in fields else None
    return here if isinstance(here, type) and issubclass(here, BaseModel) else None


def _inner(annotation: Any) -> Any:
    """The shape inside ``list[X]``, ``dict[str, X]`` or ``X | None``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _inner(part)) is not None), None)
