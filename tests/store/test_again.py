"""What is told again is written as it was packed before, and read as if it had been written anew."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from quell.errors import StoreError
from quell.model.records import AlertRecord, AnyRecord, Tick
from quell.model.retold import Retold, Words
from quell.store import again
from quell.store.codec import Blob, encode, pack_records, unpack, unpack_records


def alert(n: int, said: str = "it is broken") -> AlertRecord:
    return AlertRecord(
        at=100.0 + n, source="t", status="firing", labels={"alertname": f"a{n}", "host": f"h{n % 7}"},
        annotations={"summary": said}, starts_at=100.0 + n, url="http://x",
    )  # fmt: skip


def words(count: int, start: int = 0) -> Words:
    return Words([alert(n) for n in range(start, start + count)], 100 * count)


KNOWN = [words(8), words(100, 8), words(3, 5)]
part = st.one_of(
    st.builds(Retold, st.sampled_from(KNOWN), st.floats(allow_nan=False), st.floats(allow_nan=False)),
    st.lists(st.one_of(st.builds(alert, st.integers(0, 9)), st.builds(Tick, at=st.floats(0, 9))), max_size=20),
)


def records_of(parts: Sequence[Sequence[AnyRecord]]) -> list[AnyRecord]:
    return [record for each in parts for record in each]


@settings(max_examples=200, deadline=None)
@given(st.lists(part, max_size=12))
def test_what_is_read_is_what_was_told(parts: list[Sequence[AnyRecord]]) -> None:
    records = records_of(parts)
    blob = pack_records(records, parts)
    found = unpack_records(blob)
    assert found == records
    assert [type(each) for each in found] == [type(each) for each in records]
    assert not parts or blob.packed


def test_a_list_of_any_length_is_read() -> None:
    for count in (15, 16, 17, 65_535, 65_536):
        parts = [[Tick(at=1.0)] * count, Retold(KNOWN[0], 1.0, 2.0)]
        assert unpack_records(pack_records(records_of(parts), parts)) == records_of(parts)


def test_words_are_packed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    said = words(50)
    first = pack_records([], [Retold(said, 1.0, 2.0)])

    def never(*_: object) -> None:
        raise AssertionError("packed again")

    monkeypatch.setattr(again, "_packed", never)
    second = pack_records([], [Retold(said, 3.0, 4.0), Retold(said, 5.0, 6.0)])
    assert len(second.data) > len(first.data)
    assert unpack_records(second) == [*Retold(said, 3.0, 4.0), *Retold(said, 5.0, 6.0)]
    assert unpack_records(first) == Retold(said, 1.0, 2.0)


def test_damage_is_noticed() -> None:
    blob = pack_records([], [Retold(words(50), 1.0, 2.0), [alert(1)]])
    whole = bytearray(blob.data)
    assert zlib.decompress(whole) == unpack(blob)
    with pytest.raises(StoreError):
        unpack_records(Blob(packed=True, data=bytes(whole[:-1])))
    for place in range(2, len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 0x10
        try:
            found = unpack_records(Blob(packed=True, data=bytes(damaged)))
        except StoreError:
            continue
        assert found == unpack_records(blob)  # bits that fill a byte up say nothing


def test_what_cannot_be_written_is_refused_in_words() -> None:
    bad = replace(alert(1), labels={"a": 1 << 70})  # type: ignore[dict-item]
    with pytest.raises(StoreError, match="cannot be stored"):
        pack_records([], [Retold(Words([bad], 1), 1.0, 2.0)])
    with pytest.raises(StoreError, match="cannot be stored"):
        pack_records([], [Retold(KNOWN[0], 1.0, 2.0), [bad]])


def test_journals_of_before_are_read() -> None:
    records = records_of([Retold(KNOWN[1], 1.0, 2.0), [Tick(at=1.0)]])
    assert unpack_records(Blob(packed=False, data=encode(records))) == records
    assert unpack_records(pack_records(records)) == records
