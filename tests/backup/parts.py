"""A store with something in every table, and how it is backed up in tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from quell.errors import StoreError
from quell.store.backup.making import Backup, back_up
from quell.store.port import Quarantined, Store, Turn
from store.values import accepted, audit, finished, incident, perform, run

NOW = 1_790_000_000.0


def some(often: list[float], also: list[float]) -> list[Any]:
    """Parameters of which some are only tried in the long run."""
    return [*often, *(pytest.param(each, marks=pytest.mark.long) for each in also)]


def readable(data: bytes) -> None:
    """The daemon of these tests reads states that begin with "state"."""
    if not data.startswith(b"state"):
        raise StoreError("the saved state cannot be read by this version")


def filled(store: Store) -> None:
    junk = Quarantined(at=1.0, source="s", reason="r", payload=b"\xffx")
    store.accept(accepted(1, 2, cursors={"p": "1"}, quarantined=[junk]))
    intents = [perform("k"), perform("l")]
    store.commit(Turn(seq=1, audits=[audit(1.0), audit(2.0)], intents=intents, incidents=[incident()], runs=[run()]))
    store.begin_act("k")
    store.finish_act(finished("l"))
    store.save_snapshot(1, b"state")
    store.accept(accepted(*range(3, 300)))


def seen(store: Store) -> list[object]:
    return [
        store.recover(), list(store.groups_after(0)), store.ledger(), store.audit(), store.quarantine(),
        store.verify_audit(), store.incident("INC-1"), store.decided_until(),
    ]  # fmt: skip


def taken(url: str, directory: Path, file: Path, *, force: bool = False) -> Backup:
    return back_up(url, directory, file, now=NOW, version="1", decodes=readable, force=force)
