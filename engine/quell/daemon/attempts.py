"""What is told through the ledger without the core: one attempt after the other, with longer and longer waits."""

from __future__ import annotations

from collections.abc import Sequence

from quell.store.port import LedgerEntry

WAIT_S = 10.0
"""Before the second attempt; each further wait is three times the one before, an hour at most."""
LONGEST_WAIT_S = 3600.0
_HOPELESS = frozenset({"refused", "bug"})


class Ended(Exception):
    """No further attempt is made. ``hopeless`` says why it can never arrive; None when it did, or may have."""

    def __init__(self, hopeless: str | None = None) -> None:
        super().__init__(hopeless)
        self.hopeless = hopeless


def next_attempt(entries: Sequence[LedgerEntry], now: float) -> int | None:
    """The number of the attempt that is due now; None while one is under way or waits. Raises `Ended`.

    ``entries`` are all attempts so far, the newest first.
    """
    if not entries:
        return 1
    newest, count = entries[0], len(entries)
    if newest.state in {"intended", "acting"}:
        return None
    result = newest.result
    if newest.state == "done" or result is None or newest.state == "in_doubt":
        raise Ended
    if result.failure in _HOPELESS:
        raise Ended(result.error)
    wait_s = max(min(WAIT_S * 3.0 ** (count - 1), LONGEST_WAIT_S), result.retry_after_s or 0.0)
    return count + 1 if now >= result.at + wait_s else None
