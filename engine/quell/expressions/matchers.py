"""Label matchers as Alertmanager writes them: read once, then asked of every alert."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache

import re2

from quell.errors import ExpressionError
from quell.model.mute import Matcher

MAX_TEXT = 4096
"""Longest matcher text and regular expression, in characters."""

ANSWERS = 512
"""So many values each regular expression remembers its answer to: labels mostly have few."""
RULES = 2048
"""So many of the matchers of rules are kept compiled."""

_OPERATORS = {"=": (False, True), "!=": (False, False), "=~": (True, True), "!~": (True, False)}
_OPERATOR = re.compile(r"\s*(=~|!~|!=|=)\s*")
_PLAIN = re.compile(r"""[^\s{}!=~,\\"'`]+""")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_CLASSIC = re.compile(r"\s*([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(=~|!~|!=|=)\s*(.*?)\s*\Z", re.DOTALL)
_CLASSIC_SPLIT = re.compile(r'((?:[^,"\\]|\\.|"(?:[^"\\]|\\.)*")*)(?:,|\Z)', re.DOTALL)
_CLASSIC_ESCAPES = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}
_ESCAPE = re.compile(r'\\(["\\abfnrtv]|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}|.|\Z)', re.DOTALL)
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", '"': '"', "\\": "\\"}
_LITERALS = re.compile(r"(?:[^\\.+*?()\[\]{}^$]|\\[^a-zA-Z0-9])*", re.DOTALL)
_LITERAL_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_GROUP = re.compile(r"\((?:\?:)?([^()\\]*)\)")

_RE2 = re2.Options()
_RE2.log_errors = False


def parse_matcher(text: str) -> Matcher:
    """One matcher such as ``severity="critical"``, ``team=~db|web`` or ``"näme"!="x"``. Raises ExpressionError."""
    found = parse_matchers(text)
    if len(found) != 1:
        raise ExpressionError(f'"{text}" holds {len(found)} matchers where one is wanted', 1)
    return found[0]


def parse_matchers(text: str) -> tuple[Matcher, ...]:
    """Matchers joined by commas, with or without braces around. Raises ExpressionError with the column.

    As in Alertmanager, text that the strict UTF-8 grammar refuses is given a second chance with the older, laxer one
    (unquoted values with spaces, unknown escapes), and the strict grammar's complaint is shown if both refuse.
    """
    if len(text) > MAX_TEXT:
        raise ExpressionError(f"a matcher may be {MAX_TEXT} characters long, this one has {len(text)}", 1)
    try:
        found = _parse_strict(text)
    except ExpressionError as strict:
        lax = _parse_classic(text)
        if lax is None:
            raise strict from None
        found = lax
    for matcher in found:
        if matcher.is_regex:
            _regex(matcher.value, text)
    return tuple(found)


def matches_empty(matcher: Matcher) -> bool:
    """Whether the matcher holds for an alert that lacks the label."""
    return _predicate(matcher)("")


class Matching:
    """Matchers compiled once: `matches` tells whether all of them hold. Raises ExpressionError on a bad regex."""

    __slots__ = ("_equal", "_others", "matchers")

    def __init__(self, matchers: Iterable[Matcher]) -> None:
        self.matchers = tuple(matchers)
        self._equal = tuple((m.name, m.value) for m in self.matchers if m.is_equal and not m.is_regex)
        self._others = tuple((m.name, _predicate(m)) for m in self.matchers if m.is_regex or not m.is_equal)

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether every matcher holds; a missing label is the empty text, no matchers match everything."""
        get = labels.get
        for name, value in self._equal:
            if get(name, "") != value:
                return False
        for name, holds in self._others:  # noqa: SIM110 - a loop takes half the time of all()
            if not holds(get(name, "")):
                return False
        return True


@lru_cache(maxsize=RULES)
def matching_of(matchers: tuple[Matcher, ...]) -> Matching:
    """The matchers of a rule, compiled once for all who read the rules: they are read anew with every reload."""
    return Matching(matchers)


def _predicate(matcher: Matcher) -> Callable[[str], bool]:
    """A test of one label's value. Plain alternations become a set, so that the hot path avoids the regex engine."""
    if not matcher.is_regex:
        wanted = matcher.value
        return (lambda value: value == wanted) if matcher.is_equal else (lambda value: value != wanted)
    literals = _alternatives(matcher.value)
    if literals is not None:
        return literals.__contains__ if matcher.is_equal else (lambda value: value not in literals)
    fullmatch = _regex(matcher.value).fullmatch
    wanted_match = matcher.is_equal

    @lru_cache(maxsize=ANSWERS)
    def holds(value: str) -> bool:
        try:
            return (fullmatch(value) is not None) is wanted_match
        except UnicodeEncodeError:  # lone surrogates cannot reach RE2; a label with them is compared without them
            return (fullmatch(value.encode("utf-8", "replace").decode()) is not None) is wanted_match

    return holds


def _alternatives(pattern: str) -> frozenset[str] | None:
    """The texts a regex such as ``a|b|(?:c)`` stands for when it is nothing but literals, else None."""
    group = _GROUP.fullmatch(pattern)
    if group:
        pattern = group[1]
    if not _LITERALS.fullmatch(pattern):
        return None
    parts, last = [], 0
    position = 0
    while position < len(pattern):
        if pattern[position] == "|":
            parts.append(pattern[last:position])
            last = position + 1
        position += 2 if pattern[position] == "\\" else 1
    parts.append(pattern[last:])
    return frozenset(_LITERAL_ESCAPE.sub(r"\1", part) for part in parts)


def _regex(pattern: str, text: str = "") -> re2._Regexp:
    if len(pattern) > MAX_TEXT:
        raise ExpressionError(f"a regular expression may be {MAX_TEXT} characters long, this one has {len(pattern)}")
    try:
        return re2.compile(pattern, _RE2)
    except (re2.error, UnicodeEncodeError) as error:
        said = error.args[0] if error.args else error
        why = said.decode("utf-8", "replace") if isinstance(said, bytes) else "not text"
        column = text.find(pattern) + 1 if pattern in text else 0
        raise ExpressionError(f'"{pattern}" is not a regular expression (RE2): {why}', column) from None


def _parse_strict(text: str) -> list[Matcher]:
    position, end = _inner(text)
    found: list[Matcher] = []
    while True:
        position = _spaces(text, position, end)
        if position >= end:
            return found
        name, position = _word(text, position, end, "a label name")
        operator = _OPERATOR.match(text, position, end)
        if operator is None:
            raise ExpressionError(f'expected one of = != =~ !~ after "{name}"', position + 1)
        if not name:
            raise ExpressionError("a label name may not be empty", position + 1)
        value, position = _word(text, operator.end(), end, f'a value after "{name}{operator[1]}"')
        is_regex, is_equal = _OPERATORS[operator[1]]
        found.append(Matcher(name=name, value=value, is_regex=is_regex, is_equal=is_equal))
        position = _spaces(text, position, end)
        if position < end:
            if text[position] != ",":
                raise ExpressionError(f'expected a comma, found "{text[position]}"', position + 1)
            position += 1


def _inner(text: str) -> tuple[int, int]:
    """Where the matchers begin and end: inside the braces if there are any."""
    start, end = _spaces(text, 0, len(text)), len(text.rstrip())
    opened, closed = text[start:end].startswith("{"), text[start:end].endswith("}")
    if opened != closed:
        raise ExpressionError('expected a closing "}"' if opened else 'found "}" without "{"', end + opened)
    if not opened and start >= end:
        raise ExpressionError('expected a matcher such as severity="critical", found nothing', 1)
    return (start + 1, end - 1) if opened else (start, end)


def _spaces(text: str, position: int, end: int) -> int:
    while position < end and text[position].isspace():
        position += 1
    return position


def _word(text: str, position: int, end: int, what: str) -> tuple[str, int]:
    """A quoted or plain word and where it ends."""
    quoted = _QUOTED.match(text, position, end)
    if quoted:
        return _ESCAPE.sub(lambda found: _unescape(found, position), quoted[0][1:-1]), quoted.end()
    plain = _PLAIN.match(text, position, end)
    if plain:
        return plain[0], plain.end()
    found = f'"{text[position]}"' if position < end else "the end"
    if found == '"""':
        raise ExpressionError("a quoted text is not closed", position + 1)
    raise ExpressionError(f"expected {what}, found {found}", position + 1)


def _unescape(found: re.Match[str], offset: int) -> str:
    code = found[1]
    if code in _ESCAPES:
        return _ESCAPES[code]
    number = -1
    if code[:1] in {"x", "u", "U"} and len(code) > 1:
        number = int(code[1:], 16)
    elif len(code) == 3:
        number = int(code, 8)
    if 0 <= number < 0xD800 or 0xDFFF < number <= sys.maxunicode:  # half a surrogate pair is no character
        return chr(number)
    raise ExpressionError(f'"\\{code}" is not an escape', offset + found.start() + 2)


def _parse_classic(text: str) -> list[Matcher] | None:
    inner = text.strip()
    inner = inner.removeprefix("{").removesuffix("}") if inner.startswith("{") else inner
    found: list[Matcher] = []
    for part in _CLASSIC_SPLIT.finditer(inner):
        if not part[1].strip():
            continue
        matcher = _CLASSIC.fullmatch(part[1])
        value = _classic_value(matcher[3]) if matcher else None
        if matcher is None or value is None:
            return None
        is_regex, is_equal = _OPERATORS[matcher[2]]
        found.append(Matcher(name=matcher[1], value=value, is_regex=is_regex, is_equal=is_equal))
    return found or None


def _classic_value(raw: str) -> str | None:
    """The value without its quotes; None if a quote stands where it may not."""
    if raw.startswith('"'):
        if len(raw) < 2 or not _QUOTED.fullmatch(raw):
            return None
        raw = raw[1:-1]
    elif re.search(r'(?<!\\)"', raw):
        return None
    return re.sub(r'\\\\|\\"|\\n', lambda found: _CLASSIC_ESCAPES[found[0]], raw)
