"""What the store kept without being able to say so, and what must not wait for deliveries."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Iterator, Sequence
from typing import Any

import pytest

from daemon.parts import SmallCore, running
from quell.daemon import committing
from quell.errors import StoreError, Unheard
from quell.model.records import AlertRecord, AnyRecord
from quell.model.rulebook import Rulebook
from quell.store.memory import MemoryStore
from quell.store.port import Accepted, Group, Quarantined


def go(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


def firing(name: str) -> AlertRecord:
    return AlertRecord(at=1.0, seen=1.0, source="t", status="firing", labels={"alertname": name})


class Timed(SmallCore):
    """Has something to do every 20 ms; remembers the times it was given, and of what alerts."""

    told: list[tuple[float, list[str]]]

    def next_due(self) -> float | None:
        return self.state.now + 0.02 if self.state.now else None

    def decide(self, records: Sequence[AnyRecord], now: float) -> Any:
        Timed.told.append((now, [each.labels["alertname"] for each in records if isinstance(each, AlertRecord)]))
        return super().decide(records, now)

    @classmethod
    def restored(cls, rulebook: Rulebook, data: bytes | None) -> SmallCore:
        return cls(rulebook, SmallCore.restored(rulebook, data).state)


@pytest.fixture(autouse=True)
def nothing_told() -> None:
    Timed.told = []


class Mute(MemoryStore):
    """Keeps groups, but cannot say so; afterwards it cannot be read for a while."""

    mute = 0
    unreadable = 0

    def accept(self, accepted: Accepted) -> Group:
        group = super().accept(accepted)
        if self.mute:
            self.mute -= 1
            raise Unheard("the connection was lost")
        return group

    def groups_after(self, seq: int, *, at_once: int = 200) -> Iterator[Group]:
        if self.unreadable:
            self.unreadable -= 1
            raise StoreError("the server does not answer")
        return super().groups_after(seq, at_once=at_once)


@pytest.mark.parametrize("at_once", [False, True])
@pytest.mark.parametrize("unreadable", [0, 3])
def test_what_was_kept_without_saying_so_is_decided_over_at_its_time(
    unreadable: int, at_once: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(committing, "_LOOK_AGAIN_S", 0.05)

    async def story() -> None:
        store = Mute()
        async with running(store=store, restore=Timed.restored) as quell:
            await quell.daemon.inbox.put([firing("a")])
            await quell.settled()
            store.mute, store.unreadable = 1, unreadable
            with pytest.raises(StoreError):
                await quell.daemon.inbox.put([firing("b"), firing("c")])
            if at_once:  # the next one says what became of it
                assert await quell.daemon.inbox.put([firing("x")]) == 3
            await quell.until(lambda: any("b" in names for _, names in Timed.told))
            await quell.settled()
            assert quell.daemon.inbox.behind == 0
            times = [at for at, _ in Timed.told]
            assert times == sorted(times)  # no timer ran beyond the time that the group has in the journal
            await quell.daemon.inbox.put([firing("d")])
            await quell.settled()
            assert [name for _, names in Timed.told for name in names] == ["a", "b", "c", *"x" * at_once, "d"]
            assert quell.daemon.inbox.behind == quell.daemon.inbox.waiting == 0

    go(story())


class Slowly(MemoryStore):
    """Takes its time for what cannot be read."""

    def keep_quarantined(self, entries: Sequence[Quarantined]) -> None:
        time.sleep(0.01)
        super().keep_quarantined(entries)


def test_timers_do_not_wait_for_those_who_send_rubbish_without_end() -> None:
    async def story() -> None:
        async with running(store=Slowly(), restore=Timed.restored) as quell:
            await quell.daemon.inbox.put([firing("a")])
            await quell.settled()
            ended = False

            async def send() -> None:
                while not ended:
                    rubbish = Quarantined(at=1.0, source="t", reason="no JSON", payload=b"x")
                    await quell.daemon.inbox.put((), quarantined=[rubbish])

            senders = [asyncio.create_task(send()) for _ in range(4)]
            before = len(Timed.told)
            await asyncio.sleep(1.5)
            ran = len(Timed.told) - before
            ended = True
            await asyncio.gather(*senders)
            assert ran >= 3

    go(story())
