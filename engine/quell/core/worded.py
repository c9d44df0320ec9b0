"""Parameters with their references replaced, and what may be put into a query.

Most of what references give are labels, which whoever sends alerts may choose, and stand between quotes in a query.
One that could end those is refused, whatever language the query is in; what is a parameter as a whole is handed on.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from quell.core.context import explained, plain, rendered
from quell.errors import ExpressionError
from quell.expressions.templates import filled, text_of

_QUOTES = frozenset("\"'`\\")


def params_of(with_: Mapping[str, Any], queries: Collection[str], context: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters as plain values; those named in ``queries`` are in a query language. Raises ExpressionError."""
    free = {name: value for name, value in with_.items() if name not in queries}
    found: dict[str, Any] = rendered(free, context)
    asked = {name: value for name, value in with_.items() if name in queries}
    return {**found, **harmless(asked, context, ", ".join(asked))} if asked else found


def harmless(with_: Mapping[str, Any], context: Mapping[str, Any], place: str) -> Any:
    """The same where all are in a query language; ``place`` is what is complained of. Raises ExpressionError."""
    try:
        return plain(filled(dict(with_), context, _within(place)))
    except ExpressionError as error:
        raise explained(error, context) from None


def _within(place: str) -> Callable[[Any], str]:
    def as_text(value: Any) -> str:
        if any(sign in _QUOTES or sign < " " for text in _texts(value) for sign in text):
            raise ExpressionError(
                f"{place}: an argument within a text may hold no quote, backslash or line break, as it would change "
                "what is asked for"
            )
        return text_of(value)

    return as_text


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield from (*_texts(name), *_texts(item))
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item)
