"""A profile of a table, and a table against a profile."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from fnmatch import fnmatchcase
from pathlib import Path

from quell.core.profiles.cells import even_bins
from quell.core.profiles.judge import Present, compared
from quell.model.distribution import record_of
from quell.model.drift_report import DriftReport, Limits
from quell.model.profile import Profile, ProfiledField, hashed
from quell.model.records import DistributionRecord
from quell.profiling.counting import counted
from quell.profiling.tables import Chunk, TableError

BINS = 10
"""Of equal share, in which numbers are compared."""


def profile_of(
    chunks: Iterable[Chunk],
    *,
    entity: str,
    version: str,
    at: float,
    author: str = "",
    source: str = "",
    time: str = "",
    without: Collection[str] = (),
) -> Profile:
    """A profile of all rows. Raises `TableError` when there are none, or no such time column."""
    counting = counted(chunks, {time: "time"} if time else None, time=time)
    told = counting.told()
    if not counting.rows:
        raise TableError(f"{source}: there are no rows; a profile of nothing would call everything drift")
    if time and time not in told:
        raise TableError(f'{source}: there is no column "{time}"; there are {", ".join(told)[:300]}')
    if time and counting.per_day() is None:
        raise TableError(f'{source}: the column "{time}" holds no times')
    fields = tuple(
        ProfiledField(name=name, values=values, bins=even_bins(values.numbers, BINS) if values.numeric else ())
        for name, values in told.items()
        if not any(fnmatchcase(name, one) for one in without)
    )
    profile = Profile(
        entity=entity, version=version, fields=fields, rows=counting.rows, per_day=counting.per_day(), time=time,
        created_at=float(round(at)), author=author, source=Path(source).name,
    )  # fmt: skip
    return hashed(profile)


def records_of(
    chunks: Iterable[Chunk],
    *,
    entity: str,
    version: str,
    at: float,
    time: str = "",
    without: Collection[str] = (),
) -> list[DistributionRecord]:
    """What all rows are like, as records, one a column."""
    counting = counted(chunks, {time: "time"} if time else None, time=time)
    return [
        record_of(
            values,
            entity=entity,
            field=name,
            at=at,
            version=version,
            samples=counting.samples.get(name, ()),
            source="quell profile",
            id=f"{entity}/{name}@{at:.3f}",
        )
        for name, values in counting.told().items()
        if not any(fnmatchcase(name, one) for one in without)
    ]


def table_against(
    profile: Profile,
    chunks: Iterable[Chunk],
    limits: Limits,
    *,
    version: str = "",
    now: float | None = None,
    pictures: bool = False,
) -> DriftReport:
    """The comparison of all rows with a profile; ``pictures`` of fields that did not drift as well."""
    types = {field.name: field.values.type for field in profile.fields if field.values.type}
    counting = counted(chunks, types, time=profile.time)
    told = counting.told()
    span = told.get(profile.time)
    known = span is not None and span.type == "time"
    present = Present(
        fields=told,
        version=version,
        from_time=span.numbers.low if known and span is not None else None,
        to_time=span.numbers.high if known and span is not None else None,
        now=now,
        samples=counting.samples,
    )
    return compared(profile, present, limits, pictures=pictures)
