"""The mail server is away, or takes a mail and does not say so: every page arrives, and is one mail by its id."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from connectors.mail_server import MailServer, open_mail_server
from core.scene import rulebook
from daemon.chatroom import in_a_loop
from daemon.parts import KINDS, Running, loaded, running, source
from daemon.test_chat import SPEED, trouble
from ports import free_port
from quell.config import Loaded
from quell.core.engine import Engine
from quell.daemon.clock import Clock
from quell.model.rulebook import Route, Triage
from quell.store.memory import MemoryStore
from quell.store.port import Store
from quell_connectors.email import Email

BOOK = rulebook(
    routes=(Route(name="mail", action="mail.send", params={"to": ["oncall@example.org"]}),),
    triage=Triage(remind_times=1),
)


@asynccontextmanager
async def paging(mail: MailServer, store: Store | None = None, speed: float = SPEED) -> AsyncIterator[Running]:
    """A daemon that pages by mail, on a clock that runs faster."""
    options = {"host": "127.0.0.1", "port": mail.port, "encryption": "none", "sender": "quell@example.org"}
    base = loaded(source("in", "feed"), source("mail", "email", options=options), allow_addresses=("loopback",))
    async with running(
        Loaded(base.settings, BOOK), store=store, kinds={**KINDS, "email": Email}, clock=Clock(speed=speed),
        restore=lambda book, data: Engine.restored(book, data) if data else Engine(book),
    ) as place:  # fmt: skip
        yield place


def untold(place: Running) -> list[int]:
    """The attempts of the pages that are not known to have arrived."""
    return [one.attempt for one in place.daemon.loop.decider.state.telling.values()]


def from_now_on(clock: Clock, speed: float) -> None:
    """The clock goes on at another speed from where it is."""
    clock.not_before(clock.now() + 1.0)
    clock.speed = speed


@in_a_loop
async def test_a_page_survives_an_hour_without_a_mail_server() -> None:
    mail = MailServer(free_port())
    async with paging(mail, speed=900.0) as place:
        incident = await trouble(place)
        hour = place.daemon.clock.now() + 3600.0
        # On a clock that runs so fast each attempt takes minutes where the machine is busy: an hour may hold few.
        await place.until(lambda: place.daemon.clock.now() >= hour and max(untold(place), default=0) > 6)
        assert mail.mails == []
        from_now_on(place.daemon.clock, SPEED)  # or the half minute that a mail may take would be 33 ms
        async with open_mail_server(server=mail):
            await place.until(lambda: not untold(place))
            # The reminder after half an hour took the place of the page: nobody reads the same twice at the end.
            (letter,) = mail.mails
            assert "told again" in letter.get_content()
            assert letter["Subject"].startswith("CRITICAL: ")
            assert letter["To"] == "oncall@example.org"
            assert incident in letter.get_content()


@in_a_loop
async def test_a_page_survives_the_end_of_quell_while_the_mail_server_is_away() -> None:
    mail, store = MailServer(free_port()), MemoryStore()
    async with paging(mail, store) as place:
        await trouble(place)
        await place.until(lambda: bool(untold(place)))
    async with open_mail_server(server=mail), paging(mail, store) as place:
        await place.until(lambda: mail.mails and not untold(place))
        await asyncio.sleep(60 / SPEED)
        assert len(mail.mails) == 1


@in_a_loop
async def test_a_page_whose_answer_was_lost_is_sent_again_under_the_same_id() -> None:
    async with open_mail_server() as mail, paging(mail) as place:
        mail.faults = ["cut"]
        await trouble(place)
        await place.until(lambda: len(mail.mails) == 2 and not untold(place))
        await asyncio.sleep(60 / SPEED)
        assert len(mail.mails) == 2
        assert len({letter["Message-ID"] for letter in mail.mails}) == 1
