"""What does not fit a declared shape, in words for people: the whole place first, then what was expected."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

_SAID = re.compile(r"^(?P<text>.*?)(?: - at `(?P<place>[^`]*)`)?$", re.DOTALL)
_EXPECTED = re.compile(r"^Expected `(?P<wanted>[^`]*)`, got `(?P<got>[^`]*)`$")
_STEP = re.compile(r"\.(?P<key>[^.\[]+)|\[(?P<index>\d+)\]|(?P<any>\[\.\.\.\])")
_WORDS = {
    "str": "text",
    "int": "a number",
    "float": "a number",
    "bool": "true or false",
    "null": "null",
    "array": "a list",
    "object": "an object",
}


def not_utf8(text: bytes, error: UnicodeDecodeError) -> str:
    """What is said of ``text`` that is not UTF-8, by its first such byte; the error may count from within a value."""
    try:
        text.decode()
    except UnicodeDecodeError as whole:
        error = whole
    return f"not UTF-8: byte {error.start} cannot be read"


def place_and_reason(error: msgspec.DecodeError, value: Any = None) -> tuple[str, str]:
    """Where (such as ``alerts[3].labels.foo``, "" for the whole) and why, said by msgspec of ``value``.

    The library does not name the keys of mappings; they are found by looking through ``value`` for what it complains
    of, and stay ``[...]`` when it is not given.
    """
    said = _SAID.match(str(error))
    assert said is not None, "every text fits"
    place = said["place"] or ""
    fits = _EXPECTED.match(said["text"])
    if "[...]" in place and fits is not None:
        steps = [*_STEP.finditer(place.removeprefix("$"))]
        place = next(_places(value, steps, fits["got"]), place)
    field = place.removeprefix("$").removeprefix(".")
    return field, said["text"] if fits is None else f"expected {_words(fits['wanted'])}, got {_words(fits['got'])}"


def kind_in_words(value: Any) -> str:
    """What a decoded value is, as people call it: a list, a number."""
    return _words(_kind(value))


def _places(value: Any, steps: Sequence[re.Match[str]], got: str) -> Iterator[str]:
    """The places that ``steps`` may mean and that hold what is complained of."""
    if not steps:
        if _kind(value) == got:
            yield ""
        return
    step, rest = steps[0], steps[1:]
    if step["any"] is not None:
        inside: Iterator[tuple[str, Any]] = (
            ((f".{key}", item) for key, item in value.items())
            if isinstance(value, Mapping)
            else ((f"[{index}]", item) for index, item in enumerate(value if isinstance(value, list) else ()))
        )
    elif step["index"] is not None:
        index = int(step["index"])
        inside = iter([(f"[{index}]", value[index])] if isinstance(value, list) and index < len(value) else [])
    else:
        key = step["key"]
        inside = iter([(f".{key}", value[key])] if isinstance(value, Mapping) and key in value else [])
    for name, item in inside:
        for deeper in _places(item, rest, got):
            yield name + deeper


def _kind(value: Any) -> str:
    """The library's name for a decoded value's type."""
    if value is None:
        return "null"
    for kind, types in (("bool", bool), ("int", int), ("float", float), ("str", str), ("array", (list, tuple))):
        if isinstance(value, types):
            return kind
    return "object"


def _words(kinds: str) -> str:
    words = dict.fromkeys(_WORDS.get(kind, kind) for kind in kinds.split(" | "))
    return " or ".join(words)
