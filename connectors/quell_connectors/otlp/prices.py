"""What tokens of a model cost, by a table that a team keeps in git: never guessed, never nought for being unknown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from math import isfinite
from typing import Any

from quell.errors import Misconfigured, Problem
from quell.sdk.moments import read_moment

PER = 1_000_000
"""Prices are for so many tokens."""
CURRENCY = "USD"
_FIELDS = ("input", "output", "cached_input", "cache_write", "currency", "from")


@dataclass(frozen=True, slots=True)
class Price:
    """For a million tokens, from a time on (seconds since 1970)."""

    input: float
    output: float
    cached_input: float
    cache_write: float
    currency: str
    since: float


class Prices:
    """A table as read: prices by model or by a pattern such as ``gpt-4o*``, the latest first."""

    def __init__(self, table: Mapping[str, list[Price]]) -> None:
        self._exact = {name.lower(): prices for name, prices in table.items() if "*" not in name}
        # The longest pattern says most.
        patterns = [(name.lower(), prices) for name, prices in table.items() if "*" in name]
        self._patterns = sorted(patterns, key=lambda pair: (-len(pair[0]), pair[0]))

    def of(self, models: Iterable[str], at: float) -> Price | None:
        """The price of the first of these names that has one at that time."""
        for model in models:
            name = model.lower()
            listed = self._exact.get(name)
            if listed is None:
                listed = next((prices for pattern, prices in self._patterns if fnmatchcase(name, pattern)), [])
            price = next((price for price in listed if price.since <= at), None)
            if price is not None:
                return price
        return None

    def __bool__(self) -> bool:
        return bool(self._exact or self._patterns)


def read_prices(table: Mapping[str, Any], source: str) -> Prices:
    """Raises `Misconfigured` with every mistake."""
    problems: list[Problem] = []

    def wrong(place: str, message: str, suggestion: str = "") -> None:
        problems.append(Problem(f'otlp "{source}"', 0, 0, f"prices.{place}: {message}", suggestion))

    def price(place: str, told: Any) -> Price | None:
        if not isinstance(told, Mapping):
            wrong(place, "expected {input: …, output: …}", f"both for {PER:,} tokens")
            return None
        for name in told:
            if name not in _FIELDS:
                wrong(f"{place}.{name}", "is not known", f"use {', '.join(_FIELDS)}")
        numbers = {}
        for name in ("input", "output", "cached_input", "cache_write"):
            number = told.get(name, 0.0 if name == "output" else told.get("input"))
            if isinstance(number, bool) or not isinstance(number, (int, float)) or not isfinite(number) or number < 0:
                wrong(f"{place}.{name}", f'"{number}" is not a price' if name in told else "is missing")
                number = 0.0
            numbers[name] = float(number)
        try:
            since = read_moment(_day(told.get("from"))) or 0.0
        except ValueError as error:
            wrong(f"{place}.from", str(error))
            since = 0.0
        return Price(currency=str(told.get("currency", CURRENCY)).upper(), since=since, **numbers)

    found: dict[str, list[Price]] = {}
    for model, told in table.items():
        listed = told if isinstance(told, list) else [told]
        prices = [each for number, one in enumerate(listed) if (each := price(_place(model, told, number), one))]
        found[str(model)] = sorted(prices, key=lambda each: -each.since)
    if problems:
        raise Misconfigured(problems)
    return Prices(found)


def _place(model: object, told: object, number: int) -> str:
    return f"{model}[{number}]" if isinstance(told, list) else str(model)


def _day(value: Any) -> Any:
    """A day is its first moment, in UTC."""
    text = value if isinstance(value, str) else value.isoformat() if hasattr(value, "isoformat") else value
    return f"{text}T00:00:00Z" if isinstance(text, str) and len(text) == len("2026-01-01") else text
