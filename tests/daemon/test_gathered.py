"""Small deliveries that come at one time: taken together, and each answered as if it had come alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from structlog.testing import capture_logs

from quell.daemon.gathered import Gathered
from quell.sdk.connector import Reply

Told = Callable[[int, int, Reply], None]


class Sender:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.told: list[int] = []

    def answer(self, reply: Reply) -> None:
        self.told.append(reply.status)

    def failed(self) -> None:
        if not self.told:
            self.told.append(500)


class Taker:
    """Takes what is gathered; ``known`` is what whoever commits knows to be coming, at each step."""

    def __init__(self) -> None:
        self.taken: list[list[tuple[str, bytes]]] = []
        self.known = 0
        self.known_when_taken: list[int] = []

    def coming(self, count: int) -> None:
        self.known += count

    def take(self, came: object, told: Told) -> None:
        assert isinstance(came, list)
        self.known_when_taken.append(self.known)
        self.taken.append(came)
        told(1, len(came), Reply(202))
        told(0, 1, Reply(400))


def test_all_of_one_turn_are_taken_at_once_and_each_is_told_its_own_answer() -> None:
    async def story() -> None:
        taker, senders = Taker(), [Sender() for _ in range(5)]
        gathered = Gathered[str](taker.coming, taker.take)
        for number, sender in enumerate(senders[:3]):
            gathered.add("way", b"%d" % number, sender)
        assert (taker.taken, taker.known) == ([], 3)
        await asyncio.sleep(0)
        assert taker.taken == [[("way", b"0"), ("way", b"1"), ("way", b"2")]]
        for number, sender in enumerate(senders[3:]):
            gathered.add("other", b"%d" % number, sender)
        await asyncio.sleep(0)
        assert taker.taken[1:] == [[("other", b"0"), ("other", b"1")]]
        assert [sender.told for sender in senders] == [[400], [202], [202], [400], [202]]
        assert (taker.known, taker.known_when_taken) == (0, [0, 0])

    asyncio.run(story())


def test_a_bug_is_told_to_whoever_was_told_nothing() -> None:
    async def story() -> None:
        senders = [Sender() for _ in range(3)]

        def take(_came: object, told: Told) -> None:
            told(0, 1, Reply(202))
            raise ValueError("a bug")

        gathered = Gathered[str](lambda _count: None, take)
        for sender in senders:
            gathered.add("way", b"", sender)
        await asyncio.sleep(0)
        assert [sender.told for sender in senders] == [[202], [500], [500]]

    with capture_logs() as told:
        asyncio.run(story())
    assert [line["event"] for line in told] == ["deliveries failed"]


def test_an_answer_that_cannot_be_given_keeps_nobody_else_waiting() -> None:
    class Broken(Sender):
        def answer(self, reply: Reply) -> None:
            raise RuntimeError("a bug")

    async def story() -> None:
        senders = [Sender(), Broken(), Sender()]
        later: list[Told] = []
        gathered = Gathered[str](lambda _count: None, lambda _came, told: later.append(told))
        for sender in senders:
            gathered.add("way", b"", sender)
        await asyncio.sleep(0)
        later[0](0, 3, Reply(202))
        assert [sender.told for sender in senders] == [[202], [], [202]]

    with capture_logs() as told:
        asyncio.run(story())
    assert [line["event"] for line in told] == ["an answer could not be given"]
