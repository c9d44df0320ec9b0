"""Tables that were fine once, and what became of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from quell.core.profiles.arrays import numbers, texts
from quell.core.profiles.cells import even_bins
from quell.model.distribution import Distribution, record_of
from quell.model.profile import PerDay, Profile, ProfiledField, hashed
from quell.model.records import DistributionRecord

PAYMENTS = "dataset/payments"
Floats = NDArray[np.float64]


def amounts(rows: int, seed: int = 1) -> Floats:
    """What people pay."""
    return np.random.default_rng(seed).lognormal(3.0, 1.0, rows)


def ages(rows: int, seed: int = 2) -> Floats:
    """Whole years."""
    return np.round(np.random.default_rng(seed).normal(40.0, 12.0, rows).clip(18, 99))


def currencies(rows: int, euro: float = 0.7, seed: int = 3, others: tuple[str, str] = ("USD", "GBP")) -> Distribution:
    """Mostly EUR."""
    told = np.random.default_rng(seed).choice(["EUR", *others], rows, p=[euro, (1 - euro) / 2, (1 - euro) / 2])
    names, counts = np.unique(told, return_counts=True)
    return texts(names.tolist(), counts.tolist(), 0)


def fine(rows: int, seed: int = 0) -> dict[str, Distribution]:
    """Three fields as they should be."""
    return {
        "amount": numbers(amounts(rows, seed + 1)),
        "age": numbers(ages(rows, seed + 2)),
        "currency": currencies(rows, seed=seed + 3),
    }


def profile(
    fields: Mapping[str, Distribution] | None = None, *, version: str = "v3", entity: str = PAYMENTS, time: str = ""
) -> Profile:
    """Of 20,000 rows a day."""
    told = fields if fields is not None else fine(20_000)
    return hashed(
        Profile(
            entity=entity,
            version=version,
            rows=20_000,
            per_day=PerDay(days=30, mean=20_000.0, least=18_000, most=22_000),
            created_at=1_770_000_000.0,
            time=time,
            fields=tuple(
                ProfiledField(name=name, values=values, bins=even_bins(values.numbers, 10) if values.numeric else ())
                for name, values in told.items()
            ),
        )
    )


def records(
    at: float, told: Mapping[str, Distribution], *, version: str = "v3", samples: Iterable[str] = (), segment: str = ""
) -> list[DistributionRecord]:
    """As a sender tells them."""
    return [
        record_of(
            values, entity=PAYMENTS, field=name, at=at, over_s=60.0, version=version, samples=samples, segment=segment
        )
        for name, values in told.items()
    ]
