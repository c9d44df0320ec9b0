"""One YAML file as plain values with the place of every key and value, and every surprise of YAML refused."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from quell.errors import Problem
from quell.model.playbook import Place

MAX_BYTES = 262_144
"""Largest file, in bytes."""
MAX_DEPTH = 20
"""Deepest nesting of lists and mappings."""

Path = tuple[str | int, ...]

_LONGEST_NUMBER = 40
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = frozenset({"true", "True", "TRUE"})
_FALSE = frozenset({"false", "False", "FALSE"})
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff]")
_LITERAL_SECRET = re.compile(
    r"(token|secret|password|passwd|key|credential)s?[\"']?\s*:\s*(?!\s|env:|file:|[\"']env:)|postgres(ql)?:"
    r"|://[^/\s]*@"
)
_LOADER: type[Any] = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a key or value stands; counted from 1. ``raw`` is a scalar's text, ``style`` its quote or "" or ``>|``."""

    line: int
    column: int
    width: int = 1
    raw: str = ""
    style: str = ""


@dataclass(slots=True)
class Document:
    """A file that could be read. ``value`` is None when it holds nothing but comments."""

    file: str
    lines: list[str]
    value: Any = None
    values: dict[Path, Spot] = field(default_factory=dict)
    keys: dict[Path, Spot] = field(default_factory=dict)
    private: bool = False
    commit: str = ""
    signer: str = ""

    def problem(
        self,
        path: Sequence[str | int],
        message: str,
        suggestion: str = "",
        *,
        key: bool = False,
        offset: int = 0,
        width: int = 1,
    ) -> Problem:
        """A problem at the value (or the ``key``) of that path, or of its nearest parent that exists.

        ``offset`` counts characters into a scalar's text from 1, for expressions with a column of their own; ``width``
        is how many characters there are meant.
        """
        spot = self.spot(path, key=key)
        if offset and not key:
            line, column = self._inside(spot, offset)
            return Problem(self.file, line, column, message, suggestion, self.excerpt(line, column, width))
        excerpt = self.excerpt(spot.line, spot.column, spot.width)
        return Problem(self.file, spot.line, spot.column, message, suggestion, excerpt)

    def spot(self, path: Sequence[str | int], *, key: bool = False) -> Spot:
        """Where that path stands, or its nearest parent."""
        at = tuple(path)
        if key and at in self.keys:
            return self.keys[at]
        while at and at not in self.values:
            at = at[:-1]
        return self.values.get(at, Spot(1, 1))

    def place(self, path: Sequence[str | int]) -> Place:
        """Where a value was written, and in whose commit."""
        return Place(file=self.file, line=self.line(path), commit=self.commit, signer=self.signer)

    def raw(self, path: Sequence[str | int]) -> str:
        """A scalar as it was written."""
        return self.spot(path).raw

    def line(self, path: Sequence[str | int]) -> int:
        """The line of a value."""
        return self.spot(path).line

    def excerpt(self, line: int, column: int, width: int = 1) -> str:
        """The line with a mark under the place; "" for a line that seems to hold a secret in plain text."""
        if not 0 < line <= len(self.lines):
            return ""
        text = self.lines[line - 1].replace("\t", " ")
        if (self.private and _LITERAL_SECRET.search(text)) or len(text) > 400:
            return ""
        carets = "^" * max(1, min(width, len(text) - column + 1))
        return f"{line:>5} | {text}\n{'':>5} | {'':>{column - 1}}{carets}"

    def _inside(self, spot: Spot, offset: int) -> tuple[int, int]:
        """The place of a character of a scalar; its beginning where folding and escapes make that a guess."""
        if spot.style in {"|", ">"}:
            return self._inside_block(spot, offset)
        quote = len(spot.style)
        start = spot.column - 1 + quote
        line = self.lines[spot.line - 1] if spot.line <= len(self.lines) else ""
        if line[start : start + len(spot.raw)] == spot.raw:
            return spot.line, start + offset
        return spot.line, spot.column

    def _inside_block(self, spot: Spot, offset: int) -> tuple[int, int]:
        body = self.lines[spot.line :]
        indent = next((len(line) - len(line.lstrip()) for line in body if line.strip()), 0)
        for number, line in enumerate(body, start=spot.line + 1):
            content = len(line) - indent
            if offset <= content + 1:
                return number, indent + offset
            offset -= content + 1
        return spot.line, spot.column


def read_document(file: str, data: bytes, *, private: bool = False) -> tuple[Document | None, list[Problem]]:
    """The file's document (None if it is beyond reading) and what is wrong with it as YAML."""
    if len(data) > MAX_BYTES:
        return None, [Problem(file, 0, 0, f"the file is larger than {MAX_BYTES // 1024} kB", "split it")]
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - (data.rfind(b"\n", 0, error.start) + 1) + 1
        return None, [Problem(file, line, column, "the file is not UTF-8 text here", "save it as UTF-8")]
    document = Document(file, text.splitlines(), private=private)
    control = _CONTROL.search(text)
    if control:
        line, column = text.count("\n", 0, control.start()) + 1, control.start() - text.rfind("\n", 0, control.start())
        return None, [Problem(file, line, column, f"a control character {control[0]!r} is not allowed in YAML")]
    builder = _Builder(document)
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        return None, [*builder.problems, _syntax(document, error)]
    except _Hopeless:
        return None, builder.problems
    return document, builder.problems


def _syntax(document: Document, error: yaml.MarkedYAMLError) -> Problem:
    """The parser's complaint in words that help, at the place that is wrong."""
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    text = document.lines[line - 1] if line <= len(document.lines) else ""
    message, suggestion = f"this is not YAML: {error.problem or error}", ""
    if text[column - 2 : column] == "${" and "flow" in (error.context or ""):
        column -= 1
        end = text.find("}", column)
        reference = text[column - 1 : end + 1] if end > 0 else "${…}"
        message = f'"{reference}" stands unquoted inside [ ] or {{ }}, where YAML reads its braces'
        suggestion = f'write it in quotes: "{reference}"'
    elif "tab" in message or text[column - 1 : column] == "\t":
        message, suggestion = "a tab may not indent YAML", "use spaces"
    elif "mapping values are not allowed" in message:
        suggestion = 'quote a text that holds ": "'
    elif "cannot start any token" in message:
        suggestion = f'quote a text that begins with "{text[column - 1 : column]}"'
    elif "unexpected end of stream" in message and error.context_mark:
        line, column = error.context_mark.line + 1, error.context_mark.column + 1
        message = "this is not YAML: a quoted text is not closed"
    return Problem(document.file, line, column, message, suggestion, document.excerpt(line, column))


class _Hopeless(Exception):
    """Reading on would make no sense."""


@dataclass(slots=True)
class _Frame:
    """A list or mapping that is being read; ``key`` is the mapping's key that waits for its value."""

    container: Any
    path: Path
    key: str | None = None
    skip: bool = False


class _Builder:
    """Turns parser events into a document, without recursion."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.problems: list[Problem] = []
        self._frames: list[_Frame] = []
        self._documents = 0

    def take(self, event: Any) -> None:
        if isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                self._give_up(event, "a file holds one YAML document", 'take out the second "---"')
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            self._frames.pop()
        elif isinstance(event, yaml.AliasEvent):
            self._complain(event, f'the alias "*{event.anchor}" is not allowed', "write the value out")
            self._place(event, None, "")
        elif isinstance(event, yaml.NodeEvent):
            self._node(event)

    def _node(self, event: Any) -> None:
        if event.anchor is not None:
            self._complain(
                event, f'the anchor "&{event.anchor}" is not allowed', "write the value out where it is used"
            )
        if event.tag is not None:
            tag = str(event.tag).replace("tag:yaml.org,2002:", "!!")
            self._complain(event, f'the tag "{tag}" is not allowed', "take it out")
        if isinstance(event, yaml.ScalarEvent):
            plain = not event.style
            if not self._key(event):
                self._place(event, _scalar(event.value) if plain else event.value, event.value)
            return
        if self._frames and isinstance(self._frames[-1].container, dict) and self._frames[-1].key is None:
            self._give_up(event, "a key must be plain text")
        if len(self._frames) >= MAX_DEPTH:
            self._give_up(event, f"lists and mappings are nested deeper than {MAX_DEPTH}")
        container: Any = {} if isinstance(event, yaml.MappingStartEvent) else []
        path, skip = self._place(event, container, "")
        self._frames.append(_Frame(container, path, skip=skip))

    def _key(self, event: Any) -> bool:
        """Takes the scalar as a key if a mapping waits for one."""
        frame = self._frames[-1] if self._frames else None
        if frame is None or not isinstance(frame.container, dict) or frame.key is not None:
            return False
        frame.key = key = event.value
        path = (*frame.path, key)
        if not key and not event.style:
            self._complain(event, "a key is missing before the colon")
        if frame.skip:
            return True
        if key in frame.container:
            first = self.document.keys[path].line
            self._complain(event, f'the key "{key}" stands here twice (first in line {first})', "take one out")
        else:
            self.document.keys[path] = _spot(event, key)
        return True

    def _place(self, event: Any, value: Any, raw: str) -> tuple[Path, bool]:
        """Puts a value where it belongs; values of a repeated key are read but kept nowhere."""
        if not self._frames:
            self.document.value = value
            self.document.values[()] = _spot(event, raw)
            return (), False
        frame = self._frames[-1]
        skip = frame.skip
        if isinstance(frame.container, dict):
            key = frame.key or ""
            path = (*frame.path, key)
            frame.key = None
            skip = skip or key in frame.container
            if not skip:
                frame.container[key] = value
        else:
            path = (*frame.path, len(frame.container))
            frame.container.append(value)
        if not skip:
            self.document.values[path] = _spot(event, raw)
        return path, skip

    def _complain(self, event: Any, message: str, suggestion: str = "") -> None:
        spot = _spot(event, "")
        excerpt = self.document.excerpt(spot.line, spot.column, spot.width)
        self.problems.append(Problem(self.document.file, spot.line, spot.column, message, suggestion, excerpt))

    def _give_up(self, event: Any, message: str, suggestion: str = "") -> None:
        self._complain(event, message, suggestion)
        raise _Hopeless


def _spot(event: Any, raw: str) -> Spot:
    start, end = event.start_mark, event.end_mark
    width = end.column - start.column if end.line == start.line else 1
    style = getattr(event, "style", "") or ""
    return Spot(start.line + 1, start.column + 1, max(1, width), raw, style)


def _scalar(text: str) -> Any:
    """A plain scalar by YAML 1.2's core schema: no dates, no sexagesimals, no yes and no."""
    if text in _NULL:
        return None
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    if len(text) > _LONGEST_NUMBER:
        return text
    if _INTEGER.fullmatch(text):
        return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))
    if _NUMBER.fullmatch(text):
        return float(
            text.replace(".inf", "inf").replace(".Inf", "inf").replace(".INF", "inf").lower().replace(".nan", "nan")
        )
    return text
