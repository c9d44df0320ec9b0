"""When a state is written down: often enough for a quick start, not so often that disks wear out for nothing."""

import pytest

from quell.daemon.saving import worth_it

SMALL, LARGE = 50_000, 4_000_000


@pytest.mark.parametrize(
    ("state", "records", "since_s", "due"),
    [
        (0, 0, 59.0, False),
        (0, 0, 60.0, True),  # the first: nobody knows how large it is
        (SMALL, 3, 60.0, True),
        (SMALL, 0, 60.0, False),  # timers alone can wait
        (LARGE, 21, 60.0, False),
        (LARGE, 21, 600.0, True),
        (LARGE, 200, 60.0, True),
        (LARGE, 50_000, 1.0, True),
    ],
)
def test_a_large_state_is_not_written_for_a_few_records(state: int, records: int, since_s: float, due: bool) -> None:
    assert worth_it(state, records, since_s, every_s=60.0) is due


@pytest.mark.parametrize(
    ("decided_s", "took_s", "due"),
    [
        (1.9, 0.0, False),
        (2.0, 0.0, True),  # a start would take as long
        (2.0, 0.9, True),
        (2.9, 1.5, False),  # what it costs to write is no less
        (3.0, 1.5, True),
    ],
)
def test_a_state_that_took_long_is_written_however_few_records_that_was_for(
    decided_s: float, took_s: float, due: bool
) -> None:
    assert worth_it(LARGE, 1, 5.0, every_s=60.0, decided_s=decided_s, took_s=took_s) is due
