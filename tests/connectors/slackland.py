"""A Slack connector on a pretended workspace, by a socket or within the process, and cards to show there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from quell.sdk.chat import Answer, Button, Card, Line, Said
from quell.sdk.connector import Context
from quell.sdk.http import Http
from quell.sdk.http_client import GuardedHttp
from quell.sdk.secret import Secret
from quell.testing.slack import FakeSlack, InProcess, Server, running
from quell_connectors.slack import Slack

ANA = "U0ANA0000"
BO = "U0BO00000"
HOME = "C0INCID00"


def connector(slack: FakeSlack, http: Http | None = None, **options: Any) -> Slack:
    given = {
        "bot_token": Secret(slack.bot_token),
        "app_token": Secret(slack.app_token),
        "signing_secret": Secret(slack.signing_secret),
        "api_url": f"{slack.base}api/",
        **options,
    }
    return Slack(given, Context("slack", http or InProcess(slack)))


def card(version: int = 1, **changed: Any) -> Card:
    value = f"INC-3f9a1c|{version}|open"
    own = {
        "key": "INC-3f9a1c",
        "version": version,
        "title": "checkout fails",
        "severity": "critical",
        "status": "open",
        "lines": (
            Line("Users feel it at checkout", "lead"),
            Line("First cause: **payments-db** (81% sure)", "cause"),
            Line("Path: payments-db → payments → checkout"),
        ),
        "buttons": (
            Button(verb="ack", label="Acknowledge", value=value, style="primary"),
            Button(verb="why", label="Why?", value=value),
        ),
        "link": "https://quell.example/incidents/INC-3f9a1c",
    }
    return Card(**{**own, **changed})


@dataclass
class Ears:
    """Hears, and answers as told."""

    answer: Answer | Callable[[Said], Awaitable[Answer]] = field(default_factory=Answer)
    heard: list[Said] = field(default_factory=list)

    async def hear(self, said: Said) -> Answer:
        self.heard.append(said)
        return self.answer if isinstance(self.answer, Answer) else await self.answer(said)


@asynccontextmanager
async def listening(ears: Ears, slack: FakeSlack | None = None) -> AsyncIterator[tuple[Server, Slack]]:
    """A server, and the connector connected to it."""
    http = GuardedHttp(["loopback"])
    async with running(slack or FakeSlack()) as server:
        built = connector(server.slack, http)
        task = asyncio.create_task(built.listen(ears.hear))
        try:
            await asyncio.wait_for(server.connected(), 5)
            yield server, built
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await http.close()


async def eventually(holds: Callable[[], object], within_s: float = 3.0) -> None:
    """Waits for something that another task does."""
    async with asyncio.timeout(within_s):
        while not holds():
            await asyncio.sleep(0.005)
