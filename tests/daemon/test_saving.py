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
