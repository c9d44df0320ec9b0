"""Log statements from log lines: what a program wrote in its code, without what varied (after Drain).

Method: P. He, J. Zhu, Z. Zheng, M. R. Lyu, *Drain: An Online Log Parsing Approach with Fixed Depth Tree*, ICWS 2017.
Drain masks what is known to vary and then merges lines of one length that agree in most of their words, which makes a
line's template depend on the lines before it. Only the masking is kept here, together with Drain's rule that words with
digits are parameters: so a line always gives the same statement, whatever was read before and in which order.
"""

from __future__ import annotations

import re
from functools import lru_cache

MOST_CHARACTERS = 2000
MOST_WORDS = 40
ANY = "<*>"
_MASKS = re.compile(
    r"""
    (?:[a-z][a-z0-9+.-]{0,30}://\S+)                             # addresses of the web
    | (?<![\w.+-])[\w.+-]+@[\w-]+\.[\w.]+                        # of mail
    | "[^"]*" | '[^']*'                                          # quoted values
    | \b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b
    | \b0x[0-9a-f]+\b
    | \b(?=[a-f]*[0-9])[0-9a-f]{12,}\b                           # hashes
    | (?:/[\w.%-]+){2,}                                          # paths
    """,
    re.VERBOSE | re.IGNORECASE,
)
_WORD = re.compile(r"[^\s=:,;()\[\]{}<>|]+|[=:,;()\[\]{}<>|]")
_DIGIT = re.compile(r"\d")
_STARS = re.compile(r"<\*>(?: ?<\*>)+")


@lru_cache(maxsize=20_000)
def statement(line: str) -> str:
    """The words of a line that do not vary; ``<*>`` stands for those that do."""
    masked = _MASKS.sub(" \x00 ", line[:MOST_CHARACTERS])
    words = _WORD.findall(masked)[:MOST_WORDS]
    kept = [ANY if word == "\x00" or _DIGIT.search(word) else word for word in words]
    return _STARS.sub(ANY, " ".join(kept))
