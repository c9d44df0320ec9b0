"""CEL expressions compiled once: conditions that hold or not, and values."""

from __future__ import annotations

import difflib
import importlib.machinery
import importlib.util
import marshal
import re
import sys
from collections.abc import Mapping
from functools import lru_cache
from types import ModuleType
from typing import Any

from quell.errors import ExpressionError
from quell.expressions.cel_text import (
    CALL_FUNCTION,
    FUNCTIONS,
    LABEL_FUNCTION,
    MACROS,
    MEMBERS_FUNCTION,
    Call,
    Token,
    bound_names,
    calls,
    members,
    paths,
    rewritten,
    tokens,
)
from quell.expressions.on_demand import OnDemand


def _cel() -> ModuleType:
    """The compiled half of the package ``cel``.

    Its ``__init__`` also imports the package's own command line (0.15 s of terminal libraries), which nobody here
    needs, so the extension is loaded by itself; if the package changes shape, it is imported as usual.
    """
    loaded = sys.modules.get("cel.cel")
    package = None if loaded else importlib.util.find_spec("cel")
    places = package.submodule_search_locations if package else None
    spec = importlib.machinery.PathFinder.find_spec("cel.cel", places) if places else None
    if spec is not None and spec.loader is not None:
        loaded = importlib.util.module_from_spec(spec)
        sys.modules["cel.cel"] = loaded  # the extension may be initialised once per process
        spec.loader.exec_module(loaded)
    return loaded or importlib.import_module("cel")


_CEL = _cel()
_PLACED = re.compile(r"<input>:(\d+):(\d+): (?:Syntax error: )?(.*)")
_UNDEFINED = re.compile(r"Undefined variable or function: '([^']*)'")
_UNEXPECTED = re.compile(r"(?:mismatched|extraneous) input '(.*?)' expecting|no viable alternative at input '(.*)'")


def _label(labels: Any, name: Any) -> Any:
    """A label's value, "" when it is missing, as in Prometheus."""
    if not isinstance(labels, dict):
        raise TypeError("labels are read from a mapping")
    return labels.get(name, "")


def _members(value: Any) -> Any:
    """What a macro goes over: of a map its names in order, as the evaluator takes them in another order each time."""
    return sorted(value, key=_by_kind) if isinstance(value, dict) else value


def _by_kind(key: Any) -> tuple[str, Any]:
    return type(key).__name__, key


_OWN = {LABEL_FUNCTION: _label, MEMBERS_FUNCTION: _members}
_EXACT = 2
"""The form of `marshal` that tells 1, 1.0 and true apart, and gives the same for the same."""
_LONGEST_WORDS, _MOST_VALUES = 400, 32
"""An expression over a few words is asked over the same ones again and again: its last values are remembered."""
_UNCHANGING = frozenset({bool, int, float, str, type(None)})


class Facts:
    """What several expressions are asked over, one after the other: handed to the evaluator once, by the first.

    Handing over costs far more than asking: an incident with 60 alerts a millisecond, a condition on it microseconds.
    """

    __slots__ = ("_shared", "context")

    def __init__(self, context: Mapping[str, Any]) -> None:
        self.context = context
        self._shared: Any = None

    def shared(self) -> Any:
        """The evaluator's own form of it."""
        if self._shared is None:
            values = {name: value for name, value in self.context.items() if not callable(value)}
            functions = {name: value for name, value in self.context.items() if callable(value)}
            self._shared = _CEL.Context(variables=values, functions={**functions, **_OWN})
        return self._shared


class Condition:
    """One CEL expression. ``names`` are the root names it needs, ``paths`` its plain dotted references.

    A missing label is "" anywhere below a name ``labels``; any other missing name is an `ExpressionError`, as are a
    syntax error (with its column), an unknown function, and text beyond 4 kB or nested too deep. Whole and floating
    numbers compare with each other but do not mix in arithmetic. ``calls`` are those with a dotted name, such as
    ``metrics.error_rate(app)``; the context answers them: its value of the name `CALL_FUNCTION` is called with the
    dotted name and the list of arguments. ``functions`` are names without a dot that it may call beside the built-in
    ones; the context holds what they do. ``members`` are what list macros read of each member of a list that is named.
    """

    __slots__ = (
        "_fields",
        "_functions",
        "_needed",
        "_program",
        "_values",
        "calls",
        "members",
        "names",
        "paths",
        "text",
    )

    def __init__(self, text: str, functions: frozenset[str] = frozenset()) -> None:
        self.text = text
        self._functions = functions
        words = tokens(text)
        _compiled(text)  # so that columns in a complaint are those of what the author wrote
        self._program = _compiled(rewritten(text, words))
        bound = bound_names(words)
        self.calls: tuple[Call, ...] = calls(words)
        called_at = {call.end for call in self.calls}
        self.paths = frozenset(path for path in paths(words) if path[0] not in bound)
        self.members = members(words)
        self._needed = tuple(self._program.variables())
        self.names = frozenset(self._needed) - bound - functions
        self._fields = _fields(self.paths, bound)
        self._values: dict[bytes, Any] = {}
        for function in words:
            called = text[function.start + len(function.text) :].lstrip().startswith("(")
            dotted = function.start + len(function.text) in called_at
            if function.kind == "name" and called and function.text not in FUNCTIONS | MACROS | functions | {"in"}:
                near = difflib.get_close_matches(
                    function.text, FUNCTIONS | MACROS | functions, 1, 0.8 if dotted else 0.6
                )
                if dotted and not near:
                    continue
                hint = f'; did you mean "{near[0]}"?' if near else ""
                raise ExpressionError(f'unknown function "{function.text}"{hint}', function.start + 1)

    def value(self, context: Mapping[str, Any]) -> Any:
        """The expression's value over plain dictionaries, lists, texts, numbers, times and durations."""
        read = {name: self._part(name, context[name]) for name in self._needed if name in context}
        if self.calls or self._functions:
            return self._evaluated(self._callable(read, context))
        try:
            words = marshal.dumps(read, _EXACT)
        except ValueError:  # times among them are hardly ever the same again
            words = b""
        if not 0 < len(words) <= _LONGEST_WORDS:
            return self._evaluated({**read, **_OWN})
        found = self._values.get(words, self)
        if found is self:
            found = self._evaluated({**read, **_OWN})
            if type(found) in _UNCHANGING:
                if len(self._values) >= _MOST_VALUES:
                    self._values.clear()
                self._values[words] = found
        return found

    def _callable(self, read: dict[str, Any], context: Mapping[str, Any]) -> dict[str, Any]:
        """What is read, and what is called."""
        variables = read | {name: context[name] for name in self._functions if name in context}
        variables |= _OWN
        if self.calls:
            if CALL_FUNCTION not in context:
                raise ExpressionError(f'unknown function "{self.calls[0].name}"', self.calls[0].start + 1)
            variables[CALL_FUNCTION] = context[CALL_FUNCTION]
        return variables

    def _evaluated(self, over: Any) -> Any:
        try:
            return _in_order(self._program.execute(over))
        except KeyError as error:
            raise ExpressionError(f'"{error.args[0]}" is not there in "{self.text}"') from None
        except Exception as error:  # noqa: BLE001 - the engine raises what it likes; all of it is told as one error
            raise ExpressionError(_told(error, self.text)) from None

    def _part(self, name: str, value: Any) -> Any:
        """What the expression reads of a variable: handing over an incident with 1,000 alerts costs 40 ms."""
        fields = self._fields.get(name)
        if fields is None or not isinstance(value, dict):
            return dict(value) if isinstance(value, OnDemand) else value
        return {field: value[field] for field in fields if field in value}

    def holds(self, context: Mapping[str, Any]) -> bool:
        """Whether the condition is true. Raises ExpressionError when it is neither true nor false."""
        return self._told(self.value(context))

    def holds_over(self, facts: Facts) -> bool:
        """As `holds`, over facts that other expressions are asked over too."""
        return self._told(self._evaluated(facts.shared()))

    def _told(self, value: Any) -> bool:
        if not isinstance(value, bool):
            raise ExpressionError(f'"{self.text}" is {type(value).__name__}, not true or false')
        return value


@lru_cache(maxsize=4096)
def condition_of(text: str, functions: frozenset[str] = frozenset()) -> Condition:
    """The condition of a text, compiled once: it is checked, looked at and asked in turn. Raises ExpressionError."""
    return Condition(text, functions)


def names_asked(text: str, functions: frozenset[str]) -> list[tuple[str, int]]:
    """The texts written out as the only argument of calls of ``functions``, each with its column, from 1."""
    words = tokens(text)
    return [
        (words[index + 2].text[1:-1], words[index + 2].start + 1)
        for index in range(len(words) - 3)
        if words[index].text in functions
        and [words[index + 1].text, words[index + 2].kind, words[index + 3].text] == ["(", "string", ")"]
    ]


def compared(text: str) -> list[tuple[tuple[str, ...], str, int]]:
    """Plain dotted references that are compared with a text by ``==``, with that text and its column, from 1.

    Raises ExpressionError.
    """
    words = tokens(text)
    found = []
    for index, word in enumerate(words):
        if word.text != "==" or not 0 < index < len(words) - 1:
            continue
        before, after = words[index - 1], words[index + 1]
        if after.kind == "string" and before.kind == "name":
            found.append((_path_ending(words, index - 1), after.text[1:-1], after.start + 1))
        elif before.kind == "string" and after.kind == "name":
            found.append((_path_from(words, index + 1), before.text[1:-1], before.start + 1))
    return found


def _path_ending(words: list[Token], index: int) -> tuple[str, ...]:
    path = [words[index].text]
    while index >= 2 and words[index - 1].text == "." and words[index - 2].kind == "name":
        index -= 2
        path.insert(0, words[index].text)
    return tuple(path)


def _path_from(words: list[Token], index: int) -> tuple[str, ...]:
    path = [words[index].text]
    while index + 2 < len(words) and words[index + 1].text == "." and words[index + 2].kind == "name":
        index += 2
        path.append(words[index].text)
    return tuple(path)


def _fields(paths: frozenset[tuple[str, ...]], bound: frozenset[str]) -> dict[str, frozenset[str]]:
    """The fields read of each variable that is only ever read by field."""
    roots = {path[0] for path in paths} - bound
    return {
        root: frozenset(path[1] for path in paths if path[0] == root and len(path) > 1)
        for root in roots
        if (root,) not in paths
    }


def _in_order(value: Any) -> Any:
    """The value with all maps by key: they come out of the evaluator in another order each time."""
    if type(value) is dict:
        return {key: _in_order(value[key]) for key in sorted(value, key=_by_kind)}
    return [_in_order(item) for item in value] if type(value) is list else value


def _compiled(text: str) -> Any:
    try:
        return _CEL.compile(text)
    except ValueError as error:
        found = _PLACED.search(str(error))
        if found is None:
            raise ExpressionError(f'"{text}" is not an expression') from None
        lines = text.split("\n")
        offset = sum(len(line) + 1 for line in lines[: int(found[1]) - 1])
        raise ExpressionError(_complaint(found[3]), offset + int(found[2])) from None


def _complaint(said: str) -> str:
    """The parser's complaint without its list of everything it would have liked better."""
    unexpected = _UNEXPECTED.match(said)
    if unexpected:
        text = unexpected[1] or unexpected[2]
        return "the expression ends too early" if text == "<EOF>" else f'unexpected "{text}"'
    return said.replace("token recognition error at: '", "cannot read '")


def _told(error: Exception, text: str) -> str:
    undefined = _UNDEFINED.search(str(error))
    if undefined:
        return f'unknown name "{undefined[1]}" in "{text}"'
    said = str(error).split(". ")[0].split("\n")[0]
    return f'"{text}" cannot be evaluated: {said}'
