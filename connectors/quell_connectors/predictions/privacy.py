"""What may be kept of a value: itself, a token of it, what it looks like, or nothing."""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Any, Final

from quell.sdk.secret import Secret

PERSONAL: Final = (
    "name", "*first*name*", "*last*name*", "*full*name*", "*surname*", "*user*name*", "*customer*name*", "*mail*",
    "*phone*", "*mobile*number*", "*address*", "*birth*", "*ssn*", "*social_security*", "*iban*", "*card*number*",
    "*passport*", "*passw*", "*secret*", "ip", "*_ip", "ip_*",
)  # fmt: skip
"""Fields of which nothing is kept unless ``keep`` names them."""
MOST_TEXT = 64
MOST_WORDS = 6
_MOST_LOOKED_AT = 1000
_MOST_NAMES = 10_000
_TELLING = re.compile(r"[@\d]")
_MAIL = re.compile(r"[^\s@]{1,64}@[^\s@]{1,255}\.[^\s@]{2}")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_PHONE = re.compile(r"\+?\(?\d(?:[\s().\-/]{0,2}\d){6,14}")
_CARD = re.compile(r"[3-6](?:[ -]?\d){12,18}")
_DIGITS = re.compile(r"\d{9}")
_PRESENT = re.compile(r"\+|[\s().\-/]|^0")


class Dropped:
    """What is there instead of a value of which nothing is kept."""


DROPPED: Final = Dropped()


class Rules:
    """Entries of an option: globs over names of fields, and ``/patterns/`` over values.

    Raises re.error for a pattern that is none.
    """

    def __init__(self, entries: Iterable[Any]) -> None:
        told = [str(entry) for entry in entries]
        patterns = [one for one in told if len(one) > 2 and one[0] == one[-1] == "/"]
        self._globs = [one.lower() for one in told if one not in patterns]
        self._patterns = [re.compile(one[1:-1]) for one in patterns]

    def __bool__(self) -> bool:
        return bool(self._globs or self._patterns)

    def name(self, name: str) -> bool:
        """Whether it speaks of a field."""
        return any(fnmatchcase(name.lower(), glob) for glob in self._globs)

    def value(self, value: Any) -> bool:
        """Whether it speaks of a value."""
        return bool(self._patterns) and any(one.search(str(value)[:_MOST_LOOKED_AT]) for one in self._patterns)


class Guard:
    """Decides by name first, then by value; ``drop`` before ``tokenise`` before ``keep`` before what looks personal."""

    def __init__(self, drop: Sequence[Any], tokenise: Sequence[Any], keep: Sequence[Any], key: Secret | None) -> None:
        self._drop, self._tokenise, self._keep = Rules(drop), Rules(tokenise), Rules(keep)
        self._personal = Rules(PERSONAL)
        self._key = key
        self._named: dict[str, str] = {}

    def kept(self, name: str, value: Any) -> Any:
        """What is counted of a value: `DROPPED`, a token, "(email)" and such, or the value."""
        named = self._named.get(name) or self._of_name(name)
        if named == "drop":
            return DROPPED
        if value is None or isinstance(value, bool):
            return DROPPED if named == "personal" else value
        if self._drop.value(value):
            return DROPPED
        if named == "tokenise" or self._tokenise.value(value):
            return self._token(name, value)
        if named == "keep" or self._keep.value(value):
            return value
        return DROPPED if named == "personal" else looks_like(value) or value

    def _of_name(self, name: str) -> str:
        """What options say of a field."""
        rules = (("drop", self._drop), ("tokenise", self._tokenise), ("keep", self._keep), ("personal", self._personal))
        found = next((word for word, rule in rules if rule.name(name)), "none")
        if len(self._named) < _MOST_NAMES:
            self._named[name] = found
        return found

    def _token(self, name: str, value: Any) -> str:
        """Others for other fields, so that nobody can tell that two fields hold the same."""
        if self._key is None:
            return "(token)"
        told = f"{name}\x00{value}".encode("utf-8", "surrogatepass")
        return f"t_{hmac.new(self._key.reveal().encode(), told, 'sha256').hexdigest()[:16]}"


def looks_like(value: Any) -> str:
    """As what personal thing a value looks, such as "(email)"; "" when it looks like none."""
    if isinstance(value, (int, float)):
        return "(card)" if isinstance(value, int) and 0 < value < 10**19 and _is_card(str(value)) else ""
    text = str(value)
    if len(text) > MOST_TEXT or text.count(" ") >= MOST_WORDS:
        return "(long text)"
    if _TELLING.search(text) is None:
        return ""
    if _MAIL.search(text):
        return "(email)"
    bare = _DATE.sub("", text)
    card = _CARD.search(bare)
    if card is not None and _is_card(re.sub(r"[ -]", "", card[0])):
        return "(card)"
    phone = _PHONE.search(bare)
    if phone is not None and _PRESENT.search(phone[0]):
        return "(phone)"
    return "(digits)" if _DIGITS.search(bare) else ""


def _is_card(digits: str) -> bool:
    """Whether digits are as those of payment cards: their first, their number, and their check digit (Luhn)."""
    if not 13 <= len(digits) <= 19 or digits[0] not in "3456":
        return False
    total = 0
    for place, digit in enumerate(reversed(digits)):
        number = int(digit) * (1 + place % 2)
        total += number - 9 if number > 9 else number
    return total % 10 == 0
