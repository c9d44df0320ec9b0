"""What is within bounds goes on untouched, the rest is set aside one by one."""

from __future__ import annotations

import weakref

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quell.daemon import bounds as bounding
from quell.daemon.bounds import Bounds
from quell.daemon.inbox import TooMany
from quell.model.records import AlertRecord, AnyRecord, Tick
from quell.model.retold import Retold, Words

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


@given(st.lists(st.lists(RECORDS, max_size=5), max_size=8), st.booleans())
def test_what_was_looked_at_before_is_judged_alike(deliveries: list[list[AnyRecord]], again: bool) -> None:
    bounds = Bounds(5, 3, 5)
    for records in [*deliveries, *(deliveries if again else ())]:
        alerts = [each for each in records if isinstance(each, AlertRecord)]
        plain = bounds.plain(records)
        assert not plain or (records and records == alerts and all(map(fits, alerts)))
        assert list(bounds.split(records)[0]) == [each for each in records if fits(each)]
        if plain:
            assert bounds.plain([*records])


class Text(str):
    """A text that tells when nobody holds it any more."""

    __slots__ = ("__weakref__",)


def test_labels_that_were_seen_are_not_held_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounding, "_MOST_SEEN", 10)
    bounds, values = Bounds(5, 3, 5), []
    for n in range(40):
        value = Text(n)
        values.append(weakref.ref(value))
        assert bounds.plain([AlertRecord(at=1.0, status="firing", labels={"a": value})])
        del value
    assert [value() for value in values[:20]] == [None] * 20


def test_nor_are_those_of_deliveries_that_are_never_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounding, "_MOST_SEEN", 10)
    bounds, values = Bounds(5, 3, 5), []
    for n in range(40):
        value = Text(n)
        values.append(weakref.ref(value))
        bounds.split([AlertRecord(at=1.0, status="firing", labels={"a": value}), Tick(at=1.0)])
        del value
    assert [value() for value in values[:20]] == [None] * 20


def test_whole_deliveries_are_looked_at_once_by_each_bounds_and_not_held() -> None:
    bounds, stricter, values = Bounds(5, 3, 5), Bounds(5, 3, 1), []
    for n in range(40):
        value = Text(n)
        values.append(weakref.ref(value))
        said = AlertRecord(at=1.0, status="firing", labels={"a": "it"}, annotations={"value": value})
        words = Words([said], 10)
        for _ in range(2):
            assert bounds.plain(Retold(words, 1.0, 2.0))
            assert not stricter.plain(Retold(words, 1.0, 2.0))
        assert words.within is bounds
        assert not Bounds(0, 3, 5).plain(Retold(words, 1.0, 2.0))
        del value, said, words
    assert [value() for value in values] == [None] * 40
