"""The digest: figures of the last while, told to people at the times of a cron line, through the ledger.

Whoever shows cards gets one, mail gets HTML beside its text, everybody else text: an action takes what it declares.
Its key is the time it is due at, so each comes once, whoever restarts what meanwhile. One that did not arrive is told
again, with longer and longer waits; a daemon that was down when it was due tells it when it is back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import structlog

from quell.chatops.html import html_card
from quell.config.settings import DigestSettings, Settings
from quell.core.context import rendered
from quell.daemon.attempts import WAIT_S, Ended, next_attempt
from quell.daemon.clock import Clock
from quell.daemon.logs import Sparing
from quell.daemon.past_figures import PastFigures
from quell.daemon.writer import Writer
from quell.errors import ExpressionError, StoreError
from quell.expressions.cron import Cron
from quell.model.decision import Perform
from quell.model.times import format_time
from quell.stats.card import figures_card
from quell.stats.text import plain, title
from quell.store.port import LedgerEntry, Turn

LATE_S = 3 * 86_400.0
"""For so long after it was due a digest is worth telling."""
TIMEOUT_S = 60.0
LANE = "digest"
"""What all digests are told in: one whose sender's credentials do not do waits for others, as a page does."""
_LOOK_S = 5.0
"""The clock may jump and the setting may change: looked at this often at least."""


class Digest:
    """``perform`` gets what was committed to the ledger; ``settings`` are those in use."""

    def __init__(
        self,
        settings: Callable[[], Settings],
        figures: PastFigures,
        writer: Writer,
        clock: Clock,
        perform: Callable[[Sequence[Perform]], None],
    ) -> None:
        self._settings = settings
        self._figures = figures
        self._writer = writer
        self._clock = clock
        self._perform = perform
        self._over: set[str] = set()
        """Digests that were told, or given up, as far as this process knows."""
        self._log = structlog.get_logger("quell.digest")
        self._sparing = Sparing(self._log)

    async def run(self) -> None:
        """Tells what is due until cancelled."""
        while True:
            digest = self._settings().digest
            try:
                if digest is not None:
                    await self.tell_due(digest)
            except StoreError as error:
                self._sparing.error("digest", "the digest waits for the store", error=str(error))
            await asyncio.sleep(min(_LOOK_S, max(self._clock.real_s(WAIT_S), 0.05)))

    async def tell_due(self, digest: DigestSettings) -> None:
        """Takes the digest that was due last one step further, if there is something to do. Raises StoreError."""
        now = self._clock.now()
        due = last_due(digest, now)
        if due is None or due <= self._figures.known_since:
            return  # a digest of the time before there was a quell is of use to nobody
        token = f"digest/{format_time(due)}"
        if token in self._over:
            return
        entries = await self._writer.call(self._writer.store.ledger, _run_of(token))
        attempt = self._next_attempt(token, entries)
        if attempt is None:
            return
        deed = await self._deed(digest, token, attempt, due)
        turn = Turn(seq=0, intents=[deed], said={deed.key: f"{deed.action} of {token}, attempt {attempt}"})
        self._perform(await self._writer.call(self._writer.store.commit, turn))

    def _next_attempt(self, token: str, entries: Sequence[LedgerEntry]) -> int | None:
        """The number of the attempt that is due now; None while one is under way, waits, or nothing more is done."""
        try:
            return next_attempt(entries, self._clock.now())
        except Ended as ended:
            self._over.add(token)
            if ended.hopeless is not None:
                self._log.error("the digest cannot be told", digest=token, error=ended.hopeless)
            return None

    async def _deed(self, digest: DigestSettings, token: str, attempt: int, due: float) -> Perform:
        figures = await self._figures.since(digest.over_s, due)
        context = {"title": title(figures), "text": f"{title(figures)}\n\n{plain(figures)}"}
        params: dict[str, Any] = dict(context)
        if not {"text", "title"} & set(digest.params):  # else somebody has words of their own
            card = figures_card(figures, token)
            params |= {"card": msgspec.to_builtins(card), "html": html_card(card)}
        for name, value in digest.params.items():
            try:
                params[name] = rendered(value, context)
            except ExpressionError as error:
                self._sparing.warning(name, "a parameter of the digest is left out", parameter=name, error=str(error))
        return Perform(
            at=self._clock.now(),
            key=token if attempt == 1 else f"{token}/{attempt}",
            token=token,
            lane=LANE,
            run=_run_of(token),
            action=digest.action,
            params=params,
            effect="tell",
            repeat="keyed",
            timeout_s=TIMEOUT_S,
        )


def _run_of(token: str) -> str:
    """Under which all attempts are found in the ledger. It is no run of a playbook, so no key begins with it."""
    return token.replace("/", " ", 1)


def last_due(digest: DigestSettings, now: float) -> float | None:
    """When a digest was due last, if it is not too late for it."""
    cron, found = Cron(digest.cron, digest.zone), None
    at = cron.next_after(now - LATE_S)
    while at is not None and at <= now:
        found, at = at, cron.next_after(at)
    return found
