"""Ids of records that have none: which delivery they came in, and the how-manieth of its records they are.

A sender that never heard an answer sends the same bytes again. So a record that its sender does not number is known by
the digest of all that it came with: told a second time it is the same part of the same delivery, and says nothing new.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import sha256

import msgspec

from quell.model.records import (
    AnyRecord,
    CallRecord,
    DistributionRecord,
    LogRecord,
    SampleRecord,
    SamplesRecord,
    SpanRecord,
    TotalsRecord,
)

MOST_PARTS = 1 << 16
"""Of one delivery."""
COUNTING = frozenset({CallRecord, DistributionRecord, LogRecord, SampleRecord, SamplesRecord, SpanRecord, TotalsRecord})
"""Kinds of records that say something else when they are told twice."""
_PREFIX = "part/"
_DIGITS = 32


def numbered(records: Iterable[AnyRecord], body: bytes) -> Iterator[AnyRecord]:
    """The records of a delivery; those that count and have no id get one. They must come the same way each time."""
    digest = sha256(body).hexdigest()[:_DIGITS]
    for number, record in enumerate(records):
        if type(record) in COUNTING and not record.id and number < MOST_PARTS:
            yield msgspec.structs.replace(record, id=f"{_PREFIX}{digest}/{number}")
        else:
            yield record


def part_of(record: AnyRecord) -> tuple[str, int] | None:
    """Delivery and number of a record that is known by them."""
    if not record.id.startswith(_PREFIX) or type(record) not in COUNTING:
        return None
    delivery, _, number = record.id[len(_PREFIX) :].rpartition("/")
    if not delivery or not number.isdecimal() or len(number) > len(str(MOST_PARTS)) or int(number) >= MOST_PARTS:
        return None
    return delivery, int(number)
