"""Patterns of personal things in texts: those that quell knows by a word, and expressions of one's own.

All of them are RE2 expressions, so that no text, however made, takes more than a time that is linear in its length.
What only looks like a card, an IBAN or an address is told apart by its check digits or by reading it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from fnmatch import translate
from functools import partial
from ipaddress import ip_address
from typing import Final, NamedTuple

import re2

from quell.errors import ExpressionError

MOST_LETTERS: Final = 500
"""Of one expression of one's own."""
_MOST_PROGRAM = 5_000
"""Instructions of one expression, as RE2 counts them."""
_BEFORE = r"(?:^|[^\pL\pN_.@+\-])"
_RE2 = re2.Options()
_RE2.log_errors = False
_SEPARATORS = re.compile(r"[ .\-/()]")
_WILD = re.compile(r"\[!?\]?[^\]]*\]|[*?]")
"""What stands in a glob for other letters."""
_PLAIN_SET = re.compile(r"(?:[a-z]-[a-z]|[0-9]-[0-9]|[a-z0-9_])+")
_SIMPLE = re.compile(
    r"(?:[A-Za-z0-9 _:/@#%=,;<>!~\-]|\\[dw.\-+/]|\[(?:[A-Z]-[A-Z]|[a-z]-[a-z]|\d-\d|[A-Za-z0-9_])+\]|[(){}|?*+])+"
)
"""Expressions that match a text exactly where they match it written as JSON: they know nothing of places and quotes."""


class Span(NamedTuple):
    """Where something stands in a text: its first byte, and the one behind it."""

    start: int
    end: int


def _card(text: str) -> int:
    """By its check digit (Luhn)."""
    for end in _ends(text):
        digits = _SEPARATORS.sub("", text[:end])
        numbers = (int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits)))
        if 13 <= len(digits) <= 19 and sum(one - 9 if one > 9 else one for one in numbers) % 10 == 0:
            return end
    return 0


def _iban(text: str) -> int:
    """By its check digits (modulo 97)."""
    for end in _ends(text):
        letters = text[:end].replace(" ", "").upper()
        number = "".join(str(int(one, 36)) for one in letters[4:] + letters[:4])
        if 15 <= len(letters) <= 34 and int(number) % 97 == 1:
            return end
    return 0


def _ends(text: str) -> list[int]:
    """Where it may end, the last first: a shorter number may be followed by another."""
    return [len(text), *(found.start() for found in reversed(list(_SEPARATORS.finditer(text))))]


def _ip(text: str) -> int:
    try:
        ip_address(text)
    except ValueError:
        return 0
    return len(text) if any(letter.isdigit() for letter in text) and text != "::1" else 0


class _Kind(NamedTuple):
    """How one kind is found: where it may begin, what it is, what must not follow, what else must hold."""

    expression: str
    hint: str
    """A looser expression that holds wherever the other does, also within JSON."""
    holds: Callable[[str], int] = len
    worth: Callable[[bytes], bool] = bool
    """A quick look at a text: False where nothing can be found."""
    behind: str = r"(?:[^\pL\pN_]|$)"


def _digits(text: bytes) -> int:
    return len(text) - len(text.translate(None, b"0123456789"))


_MAIL = r"[\pL\pN_.%+\-]+@[\pL\pN\-]+(?:\.[\pL\pN\-]+)+"
_V4 = r"(?:\d{1,3}\.){3}\d{1,3}"
_HEX = r"[0-9A-Fa-f]{1,4}"
_V6 = rf"(?:{_HEX}:){{2,7}}{_HEX}|(?:{_HEX}:){{1,7}}(?::{_HEX}){{0,6}}:?|::[0-9A-Fa-f:]{{1,39}}"
_ESC = "%(?:25){0,2}"
"""What begins a letter that a link escapes, also a link within a link."""
_KINDS: Final = {
    "email": _Kind(
        _MAIL, rf"(?:@|{_ESC}40)(?:[\pL\pN\-]|%[0-9A-F]{{2}})+\.", worth=lambda text: b"@" in text, behind=""
    ),
    "card": _Kind(
        r"[3-6]\d(?:[ \-]?\d){11,17}", r"[3-6]\d(?:[ \-]?\d){11}", _card, lambda text: _digits(text) >= 13
    ),
    "iban": _Kind(
        r"[A-Za-z]{2}\d\d(?: ?[A-Za-z0-9]{4}){2,7}(?: ?[A-Za-z0-9]{1,4})?",
        r"[A-Za-z]{2}\d\d(?: ?[A-Za-z0-9]{4}){2}", _iban,
        lambda text: len(text) >= 15 and _digits(text) > 1,
    ),
    "phone": _Kind(
        r"\+[1-9](?:[ .\-/()]{0,2}\d){6,14}|\(0?\d{2,5}\)[ \-]?\d{3,4}[ \-]?\d{2,8}"
        r"|0[1-9]\d{1,3}[ /]\d{3,4}[ \-]?\d{2,8}|[2-9]\d\d[\-. ]\d{3}[\-. ]\d{4}",
        rf"(?:\+|{_ESC}2B)[1-9](?:(?:[ .\-/()+]|{_ESC}2[089]){{0,2}}\d){{6}}"
        r"|\d\)[ \-]?\d{3}|0\d{1,4}[ /]\d{3}|\d{3}[\-. ]\d{3}[\-. ]\d{4}",
        worth=lambda text: _digits(text) >= 7,
    ),
    "ip": _Kind(f"{_V4}|{_V6}", r"(?:\d{1,3}\.){3}\d|[0-9A-Fa-f]{0,4}:[0-9A-Fa-f]{0,4}:", _ip,
               lambda text: text.count(b".") > 2 or text.count(b":") > 1,
               behind=r"(?:[^\pL\pN_.]|\.(?:[^\pL\pN]|$)|$)"),
}  # fmt: skip
KINDS: Final = tuple(_KINDS)
"""Words for the patterns that quell knows."""


class Pattern:
    """One pattern, compiled. ``hint`` finds, in a text or in JSON that holds it, whether it is worth a look.

    Of an expression with one group the group is what is meant, else all that matches.
    """

    def __init__(self, regex: re2._Regexp, hint: str | None, kind: _Kind | None = None, *, groups: bool) -> None:
        self.hint = hint
        self._regex = regex
        self._groups = range(1, regex.groups + 1) if groups else (0,)
        self._holds = kind.holds if kind is not None else len
        self._worth = kind.worth if kind is not None else bool
        self._partly = self._holds is not len

    def found(self, text: bytes) -> Iterator[Span]:
        """All places in UTF-8, in order, none of them empty. Bytes, for a text would be encoded for each place anew."""
        at = 0 if self._worth(text) else len(text) + 1
        while at <= len(text) and (match := self._regex.search(text, at)) is not None:
            span = next((Span(*found) for group in self._groups if (found := match.span(group))[0] >= 0), Span(0, 0))
            length = self._holds(text[span.start : span.end].decode("utf-8", "replace"))
            if length and span.start < span.end:
                # The length is only other than the whole where every letter is a byte.
                end = span.start + length if self._partly else span.end
                yield Span(span.start, end)
                at = end  # not the end of the match: the space that ends one may begin the next
            else:
                at = max(span.start, at) + 1


def known(kind: str) -> Pattern:
    """The pattern of that word."""
    one = _KINDS[kind]
    return Pattern(_compiled(f"{_BEFORE}({one.expression}){one.behind}"), one.hint, one, groups=True)


def own(expression: str) -> Pattern:
    """A pattern of one's own. Raises ExpressionError for one that is none, matches nothing or matches everywhere."""
    if len(expression) > MOST_LETTERS:
        raise ExpressionError(f"a pattern may be {MOST_LETTERS} characters long, this one has {len(expression)}")
    regex = _compiled(expression)
    if regex.programsize > _MOST_PROGRAM:
        raise ExpressionError(f'"{expression}" is too large (its counts multiply); write smaller counts')
    if regex.search("") is not None:
        raise ExpressionError(f'"{expression}" matches the empty text, so it would match everywhere')
    return Pattern(regex, expression if _SIMPLE.fullmatch(expression) else None, groups=regex.groups == 1)


def never(expression: str) -> bool:
    """Whether no text can match, as with a letter before the beginning of the text."""
    regex = _compiled(expression)
    try:
        least, most = regex.possiblematchrange(10)
    except re2.error:  # nothing is known of it
        return False
    if not least and not most:
        return True
    # RE2 does not look behind what stands before "^" or after "$".
    bare = re.sub(r"\\.|\[[^\]]*\]", "x", expression)
    return not re.search(r"[|(]", bare) and bool(re.search(r"[^(|]\^|\$.", bare.removeprefix("(?i)")))


class Names:
    """Names of fields, as globs (``customer_*``), upper case or not."""

    def __init__(self, globs: Iterable[str]) -> None:
        self.globs = tuple(glob.lower() for glob in globs)
        self._plain = frozenset(glob for glob in self.globs if not _is_glob(glob))
        several = [translate(glob) for glob in self.globs if _is_glob(glob)]
        self._several = re.compile("|".join(several)) if several else None

    def __bool__(self) -> bool:
        return bool(self.globs)

    def __contains__(self, name: str) -> bool:
        low = name.lower()
        return low in self._plain or (self._several is not None and self._several.match(low) is not None)

    @property
    def hint(self) -> str:
        """What stands in JSON in which one of them stands."""
        return "|".join(re2.escape(max(_WILD.split(glob), key=len)) for glob in self.globs)

    def within(self) -> Pattern:
        """Finds values in texts such as ``user_id=17``, ``"user_id": "x y"`` and ``?user_id=17&``.

        A dot behind one ends the sentence: the same value without it is the same.
        """
        names = "|".join(map(_as_expression, self.globs))
        before = rf"(?i)(?:^|[^\pL\pN_])(?:{names})(?:\\?[\"'])?\s{{0,3}}(?:=>|[=:])\s{{0,3}}"
        value = r"""(?:"((?:[^"\\]|\\.)+)|'((?:[^'\\]|\\.)+)|\\"([^"\\]+)"""
        value += r"""|([^\s"'\\<>{}\[\],;&)]*[^\s"'\\<>{}\[\],;&).:!?]))"""
        return Pattern(_compiled(before + value), None, groups=True)


def _is_glob(text: str) -> bool:
    return any(letter in text for letter in "*?[")


def _as_expression(glob: str) -> str:
    """A glob as RE2; a set of letters that is no plain one is any letter, so that nothing is overlooked."""
    wild = [_of_wild(found) for found in _WILD.findall(glob)]
    plain = [str(re2.escape(part)) for part in _WILD.split(glob)]
    return "".join(part + letters for part, letters in zip(plain, [*wild, ""], strict=True))


def _of_wild(found: str) -> str:
    letters = found[1:-1]
    plain = _PLAIN_SET.fullmatch(letters) and all(one[0] <= one[2] for one in re.findall(r".-.", letters))
    return f"[{letters}]" if plain else r"[\pL\pN_.\-]*" if found == "*" else r"[\pL\pN_.\-]"


def searcher(hints: Iterable[str | None]) -> Callable[[bytes], bool]:
    """Tells of JSON, as bytes, whether one of the hints is in it; without all hints, everything is worth a look."""
    told = list(hints)
    if None in told or "" in told:
        return lambda _json: True
    search = _compiled("(?i)" + "|".join(f"(?:{hint})" for hint in told)).search
    return partial(_found, search)


def _found(search: Callable[[bytes], object], text: bytes) -> bool:
    return search(text) is not None


def _compiled(expression: str) -> re2._Regexp:
    try:
        return re2.compile(expression, _RE2)
    except (re2.error, UnicodeEncodeError) as error:
        said = error.args[0] if error.args else error
        why = said.decode("utf-8", "replace") if isinstance(said, bytes) else "not text"
        raise ExpressionError(f'"{expression}" is not a regular expression (RE2): {why}') from None
