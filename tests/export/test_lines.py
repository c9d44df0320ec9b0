"""What is exported is what was kept: a line that is read again is the record that was written."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.story import StoryTeller
from quell.core.engine import Engine
from quell.daemon.decider import decide_all, slices
from quell.export.lines import record_line, record_lines, value_line
from quell.model.decision import Audit
from quell.model.records import AlertRecord, AnyRecord, CommandRecord, SampleRecord, SamplesRecord
from quell.model.rulebook import Rulebook
from quell.model.times import exact_time, parse_time
from quell.replay.reader import Reader, decode_record
from quell.replay.run import replayed
from quell.store.memory import MemoryStore
from quell.store.port import Accepted, AuditEntry, Quarantined
from store.test_port import EVERY_KIND

TIMES = st.floats(min_value=1.0, max_value=4e9)


@pytest.mark.parametrize("record", [each for each in EVERY_KIND if each.__struct_config__.tag != "sample"])
def test_a_record_of_any_kind_is_read_as_it_was(record: AnyRecord) -> None:
    assert decode_record(record_line(record)) == record


@given(at=TIMES, seen=st.none() | TIMES, starts_at=st.none() | TIMES, value=st.none() | st.floats(allow_nan=False))
def test_times_are_exact_to_the_last_bit(at, seen, starts_at, value) -> None:
    if value is not None and math.isinf(value):
        value = None
    record = AlertRecord(at=at, seen=seen, status="firing", labels={"a": "b"}, starts_at=starts_at, value=value)
    assert decode_record(record_line(record)) == record


@given(at=st.floats(min_value=0, max_value=4e9).map(lambda at: round(at, 6)))
def test_what_a_clock_tells_is_told_as_text(at: float) -> None:
    text = exact_time(at)
    assert isinstance(text, str)
    assert parse_time(text) == at


def test_points_that_are_no_numbers_are_left_out() -> None:
    record = SampleRecord(at=1.0, entity="service/a", metric="m", points=[(1.5, 2.0), (2.0, math.inf), (3.0, 4.0)])
    assert decode_record(record_line(record)).points == [(1.5, 2.0), (3.0, 4.0)]
    table = SamplesRecord(at=1.0, entity="service/a", times=[1.0, 1.7], values={"m": [None, 2.0]})
    assert decode_record(record_line(table)) == table


def test_a_silence_within_a_command_is_read_as_it_was() -> None:
    silence = {"id": "s", "matchers": [{"name": "a", "op": "=", "value": "b"}], "starts_at": 1.0, "ends_at": 2.25}
    record = CommandRecord(at=1.0, verb="silence", target="s", by="ada", args={"silence": silence})
    assert decode_record(record_line(record)) == record


def test_audit_and_quarantine_are_lines_too() -> None:
    entry = AuditEntry(n=3, audit=Audit(at=1.0, who="ada", what="ack", target="INC-1"), prev_hash="0", hash="1")
    assert b'"at":"1970-01-01T00:00:01.000Z"' in value_line(entry)
    junk = Quarantined(at=1.0, source="s", reason="r", payload=b"{\xff", id=7)
    assert '"payload":"{�"' in value_line(junk).decode()


@pytest.mark.parametrize("seed", range(6))
def test_an_export_replays_to_the_very_same_state(seed: int, tmp_path) -> None:
    """Groups of all sizes, accepted later than seen, several at one time: as a daemon decides over them."""
    chance = random.Random(seed)
    teller, store, engine = StoryTeller(chance), MemoryStore(), Engine(Rulebook())
    now = 1_772_431_200.0
    for _ in range(120):
        now = round(now + chance.choice([0.0, 0.004, 1.5, 40.0, 400.0]), 6)
        records = [teller.record(now - chance.choice([0.0, 0.002, 0.7])) for _ in range(chance.choice([1, 1, 3, 60]))]
        group = store.accept(Accepted(now=now, records=records))
        decide_all(engine, group.records, group.now)
    file = tmp_path / "records.jsonl"
    file.write_bytes(b"".join(line + b"\n" for line in record_lines(store.groups_after(0), slices)))
    again = replayed(Reader(strict=True).read(file), Rulebook(), settle_s=0.0).engine
    assert len(engine.state.incidents) > 2
    assert again.snapshot() == engine.snapshot()


def test_ticks_stand_only_where_they_tell_something() -> None:
    store = MemoryStore()
    for now in (1.0, 2.0):
        store.accept(Accepted(now=now, records=[AlertRecord(at=now, status="firing", labels={"a": "b"})]))
    assert not any(b'"tick"' in line for line in record_lines(store.groups_after(0), slices))
    store.accept(Accepted(now=2.0, records=[AlertRecord(at=1.9, status="firing", labels={"a": "b"})]))
    assert sum(b'"tick"' in line for line in record_lines(store.groups_after(0), slices)) == 1
