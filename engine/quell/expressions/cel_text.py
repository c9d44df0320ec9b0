"""What can be told from the text of a CEL expression before it runs: its names, its depth, the labels it reads."""

from __future__ import annotations

import re
from dataclasses import dataclass

from quell.errors import ExpressionError

MAX_TEXT = 4096
"""Longest expression, in characters."""
MAX_DEPTH = 40
"""Deepest nesting of brackets, prefix operators and choices: the parser is recursive and runs on a small stack."""
MAX_MACROS = 2
"""Deepest nesting of list macros, the inner one over a list written out: their cost multiplies (1,000 alerts against
1,000 alerts take 16 s), and nothing can interrupt a running expression."""

LABEL_FUNCTION = "__label"
"""The reading of a label that may be missing is rewritten to a call of this function."""
MEMBERS_FUNCTION = "__members"
"""What `map` and `filter` go over is rewritten to a call of this function, which puts the names of a map in order."""
CALL_FUNCTION = "__call"
"""A call with a dotted name is rewritten to a call of this function, with the name and a list of the arguments."""

MACROS = frozenset({"all", "exists", "exists_one", "filter", "map"})
FUNCTIONS = frozenset({
    "size", "contains", "startsWith", "endsWith", "matches", "duration", "timestamp", "string", "int", "uint", "double",
    "bytes", "type", "dyn", "has", "getFullYear", "getMonth", "getDate", "getDayOfMonth", "getDayOfWeek",
    "getDayOfYear", "getHours", "getMinutes", "getSeconds", "getMilliseconds",
})  # fmt: skip
"""What an expression may call, besides the list macros."""
_WORDS = frozenset({"true", "false", "null", "in"})
_LISTS = frozenset({"alerts", "changes", "entities", "evidence", "impact", "suspects"})
"""What is known to be a list, and may be long."""
_TOKEN = re.compile(
    r"""
    (?P<blank>\s+|//[^\n]*)
  | (?P<string>[rRbB]{0,2}(?:\"\"\"(?:\\.|[^\\])*?\"\"\"|'''(?:\\.|[^\\])*?'''|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))
  | (?P<number>\d[\w.]*)
  | (?P<name>[A-Za-z_]\w*)
  | (?P<mark>&&|\|\||==|!=|<=|>=|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_PAIRS = {"(": ")", "[": "]", "{": "}"}


@dataclass(frozen=True, slots=True)
class Token:
    """One word of an expression; ``start`` counts characters from 0."""

    kind: str
    text: str
    start: int


@dataclass(frozen=True, slots=True)
class Call:
    """A call with a dotted name such as ``metrics.error_rate(app)``; ``start`` and ``end`` are of the name."""

    name: str
    start: int
    end: int
    arguments: int


def tokens(text: str) -> list[Token]:
    """The expression's words without blanks and comments. Raises ExpressionError when it is too long or too deep."""
    if len(text) > MAX_TEXT:
        raise ExpressionError(f"an expression may be {MAX_TEXT} characters long, this one has {len(text)}")
    if not text.strip():
        raise ExpressionError("the expression is empty", 1)
    found = [
        Token(match.lastgroup or "mark", match[0], match.start())
        for match in _TOKEN.finditer(text)
        if match.lastgroup != "blank"
    ]
    _check_depth(found)
    return found


def _check_depth(found: list[Token]) -> None:
    depth = prefixes = choices = 0
    macros: list[int] = []
    for index, token in enumerate(found):
        prefixes = prefixes + 1 if token.text in {"!", "-"} else 0
        choices += token.text == "?"
        if token.text in _PAIRS:
            depth += 1
            if token.text == "(" and _is_macro(found, index - 1):
                macros.append(depth)
        elif token.text in _PAIRS.values():
            if macros and macros[-1] == depth:
                macros.pop()
            depth -= 1
        if depth > MAX_DEPTH or prefixes > MAX_DEPTH or choices > MAX_DEPTH:
            raise ExpressionError(f"the expression is nested deeper than {MAX_DEPTH}", token.start + 1)
        if len(macros) > MAX_MACROS:
            raise ExpressionError(f"list macros may be nested {MAX_MACROS} deep at most", token.start + 1)
        if len(macros) > 1 and macros[-1] == depth and token.text == "(" and not _over_literal(found, index - 3):
            message = 'a list macro inside another may only go over a list written out, such as ["a", "b"]'
            raise ExpressionError(message, token.start + 1)


def _is_macro(found: list[Token], index: int) -> bool:
    return index > 0 and found[index].text in MACROS and found[index - 1].text == "."


def _over_literal(found: list[Token], index: int) -> bool:
    """Whether the value that ends there is a list written out."""
    opening = {last: first for first, last in _closing(found).items()}.get(index)
    if index < 0 or opening is None or found[opening].text != "[":
        return False
    before = found[opening - 1] if opening else None
    return before is None or before.text in _WORDS or (before.kind == "mark" and before.text not in {")", "]", "}"})


def bound_names(found: list[Token]) -> frozenset[str]:
    """Names that list macros bind, such as ``a`` in ``alerts.exists(a, a.firing)``."""
    return frozenset(
        found[index + 2].text
        for index in range(len(found) - 3)
        if _is_macro(found, index) and found[index + 1].text == "(" and found[index + 3].text == ","
    )


def members(found: list[Token]) -> frozenset[tuple[tuple[str, ...], tuple[str, ...]]]:
    """What list macros read of the members of a plainly named list: the list's path, and the path below a member.

    Of ``incident.changes.exists(c, c.age_s < 60)`` it is (("incident", "changes"), ("age_s",)).
    """
    closing = _closing(found)
    result: set[tuple[tuple[str, ...], tuple[str, ...]]] = set()
    for index in range(len(found) - 3):
        if not _is_macro(found, index) or found[index + 1].text != "(" or found[index + 3].text != ",":
            continue
        first, path = index - 2, list[str]()
        while first >= 0 and found[first].kind == "name":
            path.insert(0, found[first].text)
            if _text_at(found, first - 1) != ".":
                break
            first -= 2
        if first < 0 or found[first].kind != "name" or (first and found[first - 1].text == "."):
            continue
        name, end = found[index + 2].text, closing.get(index + 1, len(found))
        scope = paths(found[index + 4 : end])
        result.update((tuple(path), inner[1:]) for inner in scope if inner[0] == name and len(inner) > 1)
    return frozenset(result)


def paths(found: list[Token]) -> frozenset[tuple[str, ...]]:
    """The dotted references, such as ``("steps", "probe", "value")``, as far as they are plain names."""
    result = set()
    for index, token in enumerate(found):
        after_dot = index > 0 and found[index - 1].text == "."
        if token.kind != "name" or after_dot or token.text in _WORDS or _text_at(found, index + 1) == "(":
            continue
        if _is_dotted_call(found, index):
            continue
        path = [token.text]
        at = index + 1
        while _text_at(found, at) == "." and _kind_at(found, at + 1) == "name" and _text_at(found, at + 2) != "(":
            path.append(found[at + 1].text)
            at += 2
        result.add(tuple(path))
    return frozenset(result)


def _is_dotted_call(found: list[Token], index: int) -> bool:
    """Whether ``word.word(`` begins there, and is not a function of the language called on a value."""
    return (
        found[index].kind == "name"
        and (index == 0 or found[index - 1].text != ".")
        and _text_at(found, index + 1) == "."
        and _kind_at(found, index + 2) == "name"
        and _text_at(found, index + 3) == "("
        and found[index + 2].text not in FUNCTIONS | MACROS
    )


def calls(found: list[Token]) -> tuple[Call, ...]:
    """The calls with a dotted name; a name that a list macro binds is a value, on which there is nothing to call."""
    bound, closing = bound_names(found), _closing(found)
    return tuple(
        Call(
            f"{token.text}.{found[index + 2].text}",
            token.start,
            found[index + 2].start + len(found[index + 2].text),
            _arguments(found, index + 3, closing.get(index + 3, len(found))),
        )
        for index, token in enumerate(found)
        if _is_dotted_call(found, index) and token.text not in bound
    )


def _arguments(found: list[Token], opening: int, end: int) -> int:
    if end <= opening + 1:
        return 0
    depth = 0
    count = 1
    for token in found[opening + 1 : end]:
        depth += (token.text in _PAIRS) - (token.text in _PAIRS.values())
        count += token.text == "," and depth == 0
    return count


def _call_edits(found: list[Token]) -> list[tuple[int, int, str]]:
    closing = _closing(found)
    opening = {token.start: index for index, token in enumerate(found) if token.text == "("}
    edits = []
    for call in calls(found):
        bracket = min(start for start in opening if start >= call.end)
        partner = closing.get(opening[bracket])
        if partner is not None:
            end = found[partner].start
            edits.append((call.start, bracket + 1, f'{CALL_FUNCTION}("{call.name}", ['))
            edits.append((end, end + 1, "])"))
    return edits


def _member_edits(found: list[Token]) -> list[tuple[int, int, str]]:
    """Only where a map may stand: other macros have the same answer in any order."""
    return [
        (found[index - 1].start, found[index - 1].start, f".{MEMBERS_FUNCTION}()")
        for index in range(2, len(found))
        if _is_macro(found, index)
        and found[index].text in {"map", "filter"}
        and _text_at(found, index + 1) == "("
        and found[index - 2].text not in _LISTS
        and not _over_literal(found, index - 2)
    ]


def _text_at(found: list[Token], index: int) -> str:
    return found[index].text if index < len(found) else ""


def _kind_at(found: list[Token], index: int) -> str:
    return found[index].kind if index < len(found) else ""


def rewritten(text: str, found: list[Token]) -> str:
    """The expression with every reading of a label made one that gives "" when the label is missing.

    ``x.labels.team`` and ``x.labels["team"]`` become calls of `LABEL_FUNCTION`; inside ``has(…)`` they stay. Calls with
    a dotted name become calls of `CALL_FUNCTION`, and what macros make a list of is asked for by `MEMBERS_FUNCTION`.
    """
    edits = [*_call_edits(found), *_member_edits(found)]
    closing = _closing(found)
    spared_until = -1
    for index, token in enumerate(found):
        if token.text == "has" and _text_at(found, index + 1) == "(":
            spared_until = max(spared_until, closing.get(index + 1, -1))
        if token.text != "labels" or token.kind != "name" or index < spared_until:
            continue
        after = _text_at(found, index + 1)
        if after == "." and _kind_at(found, index + 2) == "name" and _text_at(found, index + 3) != "(":
            edits.append(_lenient(found, index))
        elif after == "[" and index + 1 in closing:
            start, end = found[index + 1].start, found[closing[index + 1]].start
            edits.extend([(start, start + 1, f".{LABEL_FUNCTION}("), (end, end + 1, ")")])
    for start, end, replacement in sorted(edits, reverse=True):
        text = text[:start] + replacement + text[end:]
    return text


def _lenient(found: list[Token], index: int) -> tuple[int, int, str]:
    """The edit that makes ``labels.team``, with ``labels`` at the index, "" where it is missing.

    Below plain names it asks whether the label is there, which takes half the time of a call.
    """
    name, first = found[index + 2], index
    while first >= 2 and found[first - 1].text == "." and found[first - 2].kind == "name":
        first -= 2
    end = name.start + len(name.text)
    nested = any(token.text == "labels" for token in found[first:index])
    if nested or (first and found[first - 1].text == "."):
        return name.start, end, f'{LABEL_FUNCTION}("{name.text}")'
    path = ".".join(token.text for token in found[first : index + 3 : 2])
    return found[first].start, end, f'(has({path}) ? {path} : "")'


def _closing(found: list[Token]) -> dict[int, int]:
    """For each opening bracket's index the index of its partner."""
    stack: list[int] = []
    result = {}
    for index, token in enumerate(found):
        if token.text in _PAIRS:
            stack.append(index)
        elif stack and token.text == _PAIRS[found[stack[-1]].text]:
            result[stack.pop()] = index
    return result
