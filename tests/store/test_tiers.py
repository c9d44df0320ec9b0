"""Records grow less with age: raw contexts go first, distributions last."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from quell.model.records import AlertRecord, AnyRecord, DistributionRecord, LogRecord, SpanRecord
from quell.store.opening import open_for_reading
from quell.store.port import Accepted, Store

NEVER = {"incidents_before": 0.0, "audit_before": 0.0}


def records(at: float) -> list[AnyRecord]:
    return [
        AlertRecord(at=at, status="firing", labels={"alertname": "a"}),
        LogRecord(at=at, entity="service/a", text="line 17", template="line <*>"),
        LogRecord(at=at, entity="service/a", text="line alone"),
        SpanRecord(at=at, trace="t", span="s", attributes={"a": "b"}),
        DistributionRecord(at=at, entity="model/m", field="amount", type="number", count=1, zero=1, samples=["0"]),
    ]


def filled(store: Store, groups: int = 4) -> None:
    for number in range(groups):
        store.accept(Accepted(now=1000.0 + number, records=records(1000.0 + number)))
    store.save_snapshot(groups - 1, b"a")
    store.save_snapshot(groups, b"b")


def texts(store: Store) -> list[list[str]]:
    return [
        [one.text for one in group.records if isinstance(one, LogRecord)]
        + [one.span for one in group.records if isinstance(one, SpanRecord)]
        + [one.samples[0] for one in group.records if isinstance(one, DistributionRecord) and one.samples]
        for group in store.groups_after(0)
    ]


def test_raw_contexts_go_and_what_they_were_counted_in_stays(store: Store) -> None:
    filled(store)
    while store.trim(records_before=0.0, contexts_before=1002.0, **NEVER):
        pass
    full = ["line 17", "line alone", "s", "0"]
    assert texts(store) == [[""], [""], full, full], "what recovery needs, and what is younger, is as it was"
    first = next(iter(store.groups_after(0)))
    assert [type(one) for one in first.records] == [AlertRecord, LogRecord, DistributionRecord]
    while store.trim(records_before=0.0, contexts_before=1e9, **NEVER):
        pass
    assert texts(store) == [[""], [""], [""], full], "never more than a recovery can do without"
    assert store.trim(records_before=0.0, contexts_before=1e9, **NEVER) == 0


def test_distributions_outlive_their_records(sql: Store, tmp_path: Path) -> None:
    filled(sql)
    while sql.trim(records_before=1e9, distributions_before=1001.0, **NEVER):
        pass
    assert [group.seq for group in sql.groups_after(0)] == [4]
    with closing(open_for_reading(f"sqlite:///{tmp_path}/quell.db", tmp_path)) as reading:
        kept = [record for group in reading.distributions() for record in group.records]
    assert [one.at for one in kept] == [1001.0, 1002.0]
    assert [(type(one), getattr(one, "samples", None)) for one in kept] == [(DistributionRecord, [])] * 2
    while sql.trim(records_before=1e9, distributions_before=1e9, **NEVER):
        pass
    with closing(open_for_reading(f"sqlite:///{tmp_path}/quell.db", tmp_path)) as reading:
        assert list(reading.distributions()) == []


def test_without_ages_of_their_own_they_go_with_the_records(store: Store) -> None:
    filled(store)
    while store.trim(records_before=1e9, **NEVER):
        pass
    assert [group.seq for group in store.groups_after(0)] == [4]
    assert texts(store) == [["line 17", "line alone", "s", "0"]]
