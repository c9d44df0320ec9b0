"""Texts and named values without what is personal in them."""

from __future__ import annotations

import hmac
import re
from bisect import bisect_right
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote, unquote

import msgspec

from quell.expressions.personal import Names, Pattern, known, own, searcher
from quell.privacy.rules import Do, PrivacyRules

TOKEN: Final = re.compile(r"t_[0-9a-f]{16}")
"""What stands for a value. One that comes in is left alone, so that nothing becomes a token of a token."""
_WITHIN: Final = re.compile(rb"(?<![0-9A-Za-z_])t_[0-9a-f]{16}(?![0-9A-Za-z])")
_ESCAPED: Final = re.compile(r"%[0-9A-Fa-f]{2}")
_MOST_ESCAPED: Final = 3
"""So often a link may stand within a link."""
_RUN: Final = re.compile(r"[^\s\"'<>]+")
_IN_LINKS: Final = "/:?#[]@!$&'()*+,;=%~…"
_TOKEN_LENGTH: Final = 18
_GONE: Final = "…"
_NAME_BEFORE: Final = re.compile(rb"([\w.\-]+)[^\w]{0,12}$")
_LONGEST_NAME: Final = 200
_REMEMBERED: Final = 20_000
_SHORT: Final = 300
"""Longer texts are not remembered; labels are shorter, and come again and again."""
_DEEPEST: Final = 64
_MOST_NAMES: Final = 20_000


class Texts:
    """The rules at work. Memory is bounded: short texts and names of fields that came lately are remembered."""

    def __init__(self, rules: PrivacyRules) -> None:
        self._key = rules.key
        self._fields = [(Names(rule.fields), rule.do) for rule in rules.rules if rule.fields]
        self._within = [(names.within(), do) for names, do in self._fields]
        self._patterns: list[tuple[Pattern, str, Do]] = []
        for rule in rules.rules:
            self._patterns += [(known(word), word, rule.do) for word in rule.patterns]
            self._patterns += [(own(one), "personal", rule.do) for one in rule.own]
        self._keep = Names(rules.keep)
        self._keep_values = [own(one) for one in rules.keep_values]
        hints = [pattern.hint for pattern, _, _ in self._patterns] + [names.hint for names, _ in self._fields]
        self.suspects = searcher(hints)
        """Whether JSON may hold anything personal; where it does not, nothing needs to be looked at."""
        self._named: dict[str, Do | None] = {}
        self._short = lru_cache(_REMEMBERED)(self._cleaned)
        self._short_names = lru_cache(_REMEMBERED)(self._cleaned_name)

    def token(self, value: object) -> str:
        """The token of a value: the same for the same value wherever it comes from."""
        text = _word(value)
        if TOKEN.fullmatch(text):
            return text
        return f"t_{hmac.digest(self._key, text.encode('utf-8', 'surrogatepass'), 'sha256').hex()[:16]}"

    def rule_of(self, name: str) -> Do | None:
        """What is to be done with the values of a field of that name."""
        try:
            return self._named[name]
        except KeyError:
            found = None if name in self._keep else next((do for names, do in self._fields if name in names), None)
            if len(self._named) < _MOST_NAMES and len(name) <= _LONGEST_NAME:
                self._named[name] = found
            return found

    def text(self, text: str) -> str:
        """A text in which people read."""
        return self._short(text) if len(text) <= _SHORT else self._cleaned(text)

    def name(self, text: str) -> str:
        """A text that tells things apart, such as an id: whatever the rule says, what is personal becomes a token."""
        return self._short_names(text) if len(text) <= _SHORT else self._cleaned_name(text)

    def identity(self, name: str, value: str) -> str:
        """The value of a field so that values which differ still do: what is personal in it becomes a token."""
        if name in self._keep:
            return value
        return self.token(value) if value and self.rule_of(name) is not None else self.name(value)

    def value(self, name: str, value: Any) -> Any:
        """What becomes of the value of a field by its rule; None of a value that is dropped."""
        if name in self._keep:
            return value
        do = self.rule_of(name)
        if do is None or value is None or value == "" or isinstance(value, bool):
            return self.anything(value)
        if do == "drop":
            return None
        if isinstance(value, (Mapping, list, tuple)):
            return self.token(repr(value)) if do == "token" else f"({name})"
        return self.token(value) if do == "token" else f"({name})"

    def anything(self, value: Any, depth: int = 0) -> Any:
        """Whatever JSON holds."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return self._number(value)
        if depth > _DEEPEST:
            return None if isinstance(value, (Mapping, list, tuple)) else value
        if isinstance(value, Mapping):
            return self.named(value, depth)
        if isinstance(value, (list, tuple)):
            return [self.anything(one, depth + 1) for one in value]
        return value

    def named(self, values: Mapping[Any, Any], depth: int = 0) -> dict[Any, Any]:
        """Values by the names of their fields; those that are dropped are not among them."""
        kept: dict[Any, Any] = {}
        for name, value in values.items():
            if not isinstance(name, str):
                kept[name] = self.anything(value, depth + 1)
            elif self.rule_of(name) is None:
                kept[self.name(name)] = value if name in self._keep else self.anything(value, depth + 1)
            elif (told := self.value(name, value)) is not None or value is None:
                kept[self.name(name)] = told
        return kept

    def _number(self, value: float) -> Any:
        """A card or a phone may come as a number."""
        text = str(value)
        if not self._patterns or len(text) < 9:
            return value
        told = self.text(text)
        return value if told == text else told

    def _cleaned(self, text: str) -> str:
        if text[:1] in {"{", "["} and self.suspects(text.encode("utf-8", "surrogatepass")):
            text = self._document(text)
        return self._replaced(text, names=False)

    def _document(self, text: str) -> str:
        """A text that is JSON, as many log lines are: by the names in it, also where lists and objects have them."""
        try:
            document = msgspec.json.decode(text)
            told = self.anything(document)
            return text if told == document else msgspec.json.encode(told).decode()
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return text

    def _cleaned_name(self, text: str) -> str:
        return self._replaced(text, names=True)

    def _replaced(self, text: str, *, names: bool, escaped: int = 0) -> str:
        """The text with all that is found replaced, one pattern after another."""
        told = text.encode("utf-8", "surrogatepass")
        if not self.suspects(told):
            return text
        if b"%" in told and escaped < _MOST_ESCAPED and _ESCAPED.search(text):
            text = _RUN.sub(lambda run: self._unescaped(run[0], names=names, escaped=escaped + 1), text)
            told = text.encode("utf-8", "surrogatepass")
        for pattern, do in self._within if b"=" in told or b":" in told else ():
            told = self._without(told, pattern, ("", do), names=names)
        for pattern, word, do in self._patterns:
            told = self._without(told, pattern, (word, do), names=names)
        return told.decode("utf-8", "surrogatepass")

    def _unescaped(self, run: str, *, names: bool, escaped: int) -> str:
        """A link may hold values as links do: ``user_id%3D17``, ``ann%40example.org``."""
        if not _ESCAPED.search(run):
            return run
        read = unquote(run, errors="surrogateescape")
        told = self._replaced(read, names=names, escaped=escaped)
        return run if told == read else quote(told, safe=_IN_LINKS, errors="surrogateescape")

    def _without(self, text: bytes, pattern: Pattern, rule: tuple[str, Do], *, names: bool) -> bytes:
        parts: list[bytes] = []
        end = 0
        tokens = [one.start() for one in _WITHIN.finditer(text)] if b"t_" in text else []
        for span in pattern.found(text):
            if (before := bisect_right(tokens, span.start)) and span.end <= tokens[before - 1] + _TOKEN_LENGTH:
                continue  # an expression of one's own, such as five digits, may fit a part of a token
            found = text[span.start : span.end].decode("utf-8", "surrogatepass")
            if TOKEN.fullmatch(found) or self._kept(found) or (not rule[0] and self._kept_name(text, span.start)):
                continue
            parts += (text[end : span.start], self._instead(found, *rule, names=names).encode())
            end = span.end
        return b"".join([*parts, text[end:]]) if parts else text

    def _instead(self, found: str, word: str, do: Do, *, names: bool) -> str:
        if do == "token" or names:
            return self.token(found)
        return _GONE if do == "drop" else f"({word or 'personal'})"

    def _kept_name(self, text: bytes, start: int) -> bool:
        """Whether the field whose value begins there is one that is left alone."""
        if not self._keep:
            return False
        before = _NAME_BEFORE.search(text[max(0, start - _LONGEST_NAME) : start])
        return before is not None and before[1].decode("utf-8", "replace") in self._keep

    def _kept(self, found: str) -> bool:
        told = found.encode("utf-8", "surrogatepass")
        return any(next(iter(one.found(told)), None) is not None for one in self._keep_values)


def _word(value: object) -> str:
    """A number and the text of it are the same value."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return str(value)
