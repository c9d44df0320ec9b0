"""What is within bounds goes on untouched, the rest is set aside one by one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quell.daemon.bounds import Bounds
from quell.daemon.inbox import TooMany
from quell.model.records import AlertRecord, AnyRecord, Tick

LABELS = st.dictionaries(st.text("abcdef", max_size=2), st.text("xyü", max_size=7), max_size=5)
RECORDS = st.builds(AlertRecord, at=st.just(1.0), status=st.just("firing"), labels=LABELS) | st.just(Tick(at=1.0))


def fits(record: AnyRecord) -> bool:
    return not isinstance(record, AlertRecord) or (
        len(record.labels) <= 3 and all(len(value) <= 5 for value in record.labels.values())
    )


@given(st.lists(RECORDS, max_size=5))
def test_each_record_is_judged_by_itself(records: list[AnyRecord]) -> None:
    good, rejected = Bounds(5, 3, 5).split(records)
    assert list(good) == [record for record in records if fits(record)]
    assert len(rejected) == len(records) - len(good)
    assert all(each.reason.startswith("labels: ") for each in rejected)


def test_a_delivery_has_a_bound_too() -> None:
    with pytest.raises(TooMany, match="6 records"):
        Bounds(5, 3, 5).split([Tick(at=1.0)] * 6)
