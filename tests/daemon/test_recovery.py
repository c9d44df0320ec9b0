"""What a start takes into memory of a long journal."""

from __future__ import annotations

from collections.abc import Iterator

from quell.daemon.recovery import MOST_GROUPS, MOST_RECORDS, next_groups
from quell.model.records import SampleRecord
from quell.store.port import Group


def journal(groups: int, records: int) -> Iterator[Group]:
    sample = SampleRecord(at=1.0, seen=1.0, source="t", entity="e", metric="m", value=1.0)
    return (Group(seq=seq, now=float(seq), records=[sample] * records) for seq in range(1, groups + 1))


def seqs(groups: list[Group]) -> list[int]:
    return [group.seq for group in groups]


def test_small_groups_are_taken_together_and_large_ones_are_not() -> None:
    small = journal(MOST_GROUPS + 3, 1)
    assert seqs(next_groups(small)) == list(range(1, MOST_GROUPS + 1))
    assert seqs(next_groups(small)) == list(range(MOST_GROUPS + 1, MOST_GROUPS + 4))
    assert next_groups(small) == []
    large = journal(3, MOST_RECORDS - 1)
    assert seqs(next_groups(large)) == [1, 2]
    assert seqs(next_groups(large)) == [3]
    assert len(next_groups(journal(2, 3 * MOST_RECORDS))) == 1
