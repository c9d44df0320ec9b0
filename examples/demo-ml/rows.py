"""Card transactions as the demo's shop makes them: the same for the profile, the training and the traffic."""

from __future__ import annotations

import csv
import itertools
import math
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TypedDict

COUNTRIES = {"DE": 0.4, "FR": 0.25, "NL": 0.15, "ES": 0.12, "PL": 0.08}
FEATURES = ("amount", "attempts", "merchant_risk", "card_age_days")


class Row(TypedDict):
    """A transaction; ``amount`` is in euros."""

    amount: float
    attempts: int
    merchant_risk: float
    card_age_days: int
    country: str


def rows(seed: int) -> Iterator[Row]:
    """Transactions without end, the same for the same seed."""
    draw = random.Random(seed)
    while True:
        yield {
            "amount": round(draw.lognormvariate(3.4, 0.6), 2),
            "attempts": 1 + min(int(draw.expovariate(1.6)), 5),
            "merchant_risk": round(draw.betavariate(2.0, 6.0), 4),
            "card_age_days": 1 + int(draw.expovariate(1 / 400)),
            "country": draw.choices(list(COUNTRIES), list(COUNTRIES.values()))[0],
        }


def fraud(row: Row, draw: random.Random) -> bool:
    """Whether it turned out to be fraud: rare, likelier for large amounts, many attempts, risky merchants."""
    odds = (
        -10.5
        + 1.4 * math.log(row["amount"])
        + 0.8 * row["attempts"]
        + 5.0 * row["merchant_risk"]
        - 0.002 * min(row["card_age_days"], 1000)
    )
    return draw.random() < 1 / (1 + math.exp(-odds))


def main(file: str, seed: int = 1, count: int = 20_000) -> None:
    """Writes transactions as a CSV file, for ``quell profile``."""
    with Path(file).open("w", encoding="utf-8", newline="") as table:
        writer = csv.DictWriter(table, [*FEATURES, "country"])
        writer.writeheader()
        writer.writerows(itertools.islice(rows(seed), count))


if __name__ == "__main__":
    main(sys.argv[1])
