"""How a ledger entry moves from intent to result."""

from __future__ import annotations

import msgspec

from quell.errors import Fenced, StoreError
from quell.model.decision import Perform
from quell.model.records import StepFinished
from quell.store.port import LedgerEntry

FINAL = frozenset({"done", "failed"})
SETTLED = FINAL | {"in_doubt"}
"""States in which nothing is to be tried again: what is in doubt was handed to a person."""


OUTLIVED_S = 5 * 86_400.0
"""Two intents of one key whose times are further apart are not one: a recovery decides the same at the same time."""


def outlived(entry: LedgerEntry, perform: Perform) -> bool:
    """Whether an entry is of something else that had the same name long ago: names are short, and their things go."""
    return entry.state in SETTLED and perform.at - entry.perform.at > OUTLIVED_S


def begun(entry: LedgerEntry, lease: int) -> LedgerEntry:
    """The entry with one more try, under the lease of that number.

    Raises StoreError when it has its final result: it must not be performed again; and Fenced when a later owner of
    the store has begun it meanwhile.
    """
    if entry.state in FINAL:
        raise StoreError(f'ledger entry "{entry.perform.key}" is already {entry.state}; it is not performed again')
    if entry.lease > lease:
        raise Fenced(f'ledger entry "{entry.perform.key}" was begun under lease {entry.lease}, this is {lease}')
    return msgspec.structs.replace(entry, state="acting", tries=entry.tries + 1, lease=lease)


def settled(entry: LedgerEntry, result: StepFinished) -> LedgerEntry:
    """The entry with that result.

    The first "done" or "failed" stays. "in_doubt" ends the tries but gives way to a later final result;
    "pending" is kept with the entry, which goes on waiting.
    """
    if entry.state in FINAL:
        return entry
    if result.outcome == "pending":
        if entry.state == "in_doubt":
            return entry
        return msgspec.structs.replace(entry, state="acting", result=result)
    return msgspec.structs.replace(entry, state=result.outcome, result=result)
