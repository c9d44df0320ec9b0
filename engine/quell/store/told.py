"""What the audit trail tells of the ledger: that something was to be done outside, and what became of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from quell.model.decision import Audit, Perform
from quell.store.port import LedgerEntry
from quell.store.settle import SETTLED

_MOST_LETTERS = 500


def intents_told(new: Iterable[Perform], said: Mapping[str, str]) -> list[Audit]:
    """One entry for each intent to do something that is ``said``, by its ledger key: the action and its arguments."""
    return [
        Audit(at=each.at, who="quell", what="act", target=each.key, detail=said[each.key])
        for each in new
        if each.key in said and _is_told(each)
    ]


def result_told(before: LedgerEntry, after: LedgerEntry, now: float) -> list[Audit]:
    """The entry for a result, if this is the one that ends the tries, and if it was tried at all."""
    result, ends = after.result, after.state in SETTLED and after.state != before.state
    if result is None or not ends or not after.lease or not _is_told(after.perform):
        return []
    said = result.error or result.sentence
    detail = said if len(said) <= _MOST_LETTERS else f"{said[:_MOST_LETTERS]}…"
    what = f"act {after.state.replace('_', ' ')}"
    return [Audit(at=now, who="quell", what=what, target=after.perform.key, detail=detail)]


def _is_told(perform: Perform) -> bool:
    """Whether it has an effect: what only reads, or is tried dry, is in the ledger and nowhere else."""
    return perform.effect != "read" and not perform.dry_run
