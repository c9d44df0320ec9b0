"""Types of columns that SQLite and PostgreSQL do not call or treat alike."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Dialect, Integer, Text
from sqlalchemy.types import TypeDecorator, TypeEngine

NUMBER: TypeEngine[int] = BigInteger().with_variant(Integer(), "sqlite")
"""64 bits. SQLite's integers have them under their plain name, and only that one counts rows by itself."""
WORDS: TypeEngine[str] = Text().with_variant(Text(collation="C"), "postgresql")
"""How migrations make a column of `Words`: in the order of code points everywhere."""

_ESCAPE = "\x1a"


class Words(TypeDecorator[str]):
    """Text of any characters, and equal when it is read again.

    PostgreSQL's text cannot hold the character NUL, which a sender may put anywhere. There it is written as an
    escape and a digit, and the escape, a control character that nobody uses, likewise.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        if value is None or dialect.name != "postgresql" or not (_ESCAPE in value or "\0" in value):
            return value
        return value.replace(_ESCAPE, f"{_ESCAPE}1").replace("\0", f"{_ESCAPE}0")

    def process_result_value(self, value: Any | None, dialect: Dialect) -> str | None:
        if value is None or dialect.name != "postgresql" or _ESCAPE not in value:
            return value
        return str(value).replace(f"{_ESCAPE}0", "\0").replace(f"{_ESCAPE}1", _ESCAPE)
