"""Sends to one chat source what is not true there any more, one call at a time, as fast as the vendor takes it.

Where a message stands is kept before and after it is posted: a former process's message is edited and not posted again,
and one whose answer was lost is looked for first. What cannot be sent waits, and is told as it is by then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from math import inf

import structlog
from msgspec.structs import replace

from quell.chatops.cards import story
from quell.daemon.chat.board import DIGEST, Board, digest_of
from quell.daemon.chat.outbox import Item, Outbox
from quell.daemon.logs import Sparing
from quell.errors import BadPayload, Denied, NoAnswer, Refused, StoreError, Unreachable
from quell.model.state import State
from quell.sdk.chat import Card, Placed, Shows
from quell.store.port import ShownRow

CALL_S = 20.0
"""No answer within this time counts as lost."""
_FIRST_WAIT_S, _LONGEST_WAIT_S = 1.0, 60.0
_REFUSED_S = 300.0
"""What was refused may be allowed by then: somebody invites quell to the channel."""
_DENIED_S = 30.0
"""Who is not let in may be again when somebody has changed the token; whoever knows says so earlier."""
_log = Sparing(structlog.get_logger("quell.chat"))


class Sender:
    """``keep`` writes rows down; ``report`` is told after each call whether the source works ("": it does)."""

    def __init__(
        self,
        source: str,
        shows: Shows,
        board: Board,
        *,
        state: Callable[[], State],
        keep: Callable[[list[ShownRow], list[ShownRow]], Awaitable[None]],
        steady: Callable[[], float],
        report: Callable[[str, str], None] = lambda _state, _error: None,
    ) -> None:
        self.source = source
        self.outbox = Outbox(shows.pace, self._is_post)
        self.calls = 0
        self._shows = shows
        self._board = board
        self._state = state
        self._keep = keep
        self._steady = steady
        self._report = report
        self._wait_s = _FIRST_WAIT_S

    def _is_post(self, item: Item) -> bool:
        row = self._board.rows.get((self.source, *item.place))
        return item.kind == "story" or row is None or row.state != "placed"

    async def step(self) -> float:
        """Makes one call at most; returns after how many seconds there may be more to do (infinity: when wanted)."""
        item, wait_s = self.outbox.next(self._steady())
        if item is None:
            return wait_s
        row = self._board.rows.get((self.source, *item.place))
        self.outbox.begin(item)
        try:
            if row is None:
                self.outbox.drop(item)
            elif item.kind == "story":
                await self._tell(item, row)
            else:
                await self._show(item, row)
        except NoAnswer as error:
            self._failed(item, error, "unreachable", all_of_it=True, lost=True)
        except Unreachable as error:
            self._failed(item, error, "unreachable", all_of_it=True, retry_after_s=error.retry_after_s)
        except Denied as error:
            self._failed(item, error, "broken", all_of_it=True, retry_after_s=_DENIED_S)
        except (Refused, BadPayload) as error:
            self._failed(item, error, "", all_of_it=False, retry_after_s=_REFUSED_S)
        except StoreError as error:
            self._failed(item, error, "", all_of_it=True)
        except Exception as error:  # noqa: BLE001 - a connector's bug: reported, and tried again later
            self._failed(item, error, "broken", all_of_it=False, retry_after_s=_LONGEST_WAIT_S)
        return 0.0

    async def _show(self, item: Item, row: ShownRow) -> None:
        card = self._board.card(self.source, item.place)
        if card is None:
            await self._forget(row)
            return
        sent = digest_of(card)
        if row.state == "placed" and row.sent == sent:
            self.outbox.drop(item)
            return
        began, again = self._steady(), row.state == "posting"
        told = row.told
        if row.state != "placed":
            incident = self._state().incidents.get(row.key)
            told = incident.timeline[0].at if incident is not None and incident.timeline else 0.0
        if row.state == "wanted":
            row = await self._kept(replace(row, state="posting"))
        placed = Placed(channel=row.stands, ts=row.ts, thread=row.thread) if row.state == "placed" else None
        try:
            stands = await self._answer(self._shown(card, row, placed, again=again))
        except NoAnswer:
            raise
        except (Unreachable, Refused):
            if not again and row.state == "posting":
                self._board.put(replace(row, state="wanted"))  # it is known not to be there
            raise
        posted = placed is None or stands.ts != placed.ts
        self._done(item, began, posted=posted)
        row = replace(
            row, state="placed", sent=sent, told=told, ts=stands.ts, thread=stands.thread, stands=stands.channel
        )
        row = await self._kept(row)
        if self._newest(row) > row.told:
            self._board.want(row, kind="story")
        if posted:
            self._board.reports(row)
        if row.key == DIGEST and self._board.over(row):
            await self._forget(row)

    def _shown(self, card: Card, row: ShownRow, placed: Placed | None, *, again: bool) -> Awaitable[Placed]:
        """A report is posted into the thread of its incident; where that went meanwhile, it stands alone."""
        root = self._board.root(row)
        if placed is None and root is not None and root.ts:
            return self._shows.reply(root.stands, root.ts, card, card.key, again=again)
        return self._shows.show(card, row.channel, placed, card.key, again=again)

    async def _tell(self, item: Item, row: ShownRow) -> None:
        """Adds to a thread what happened since; what is under way is finished first, word for word."""
        incident = self._state().incidents.get(row.key)
        if incident is None or row.state != "placed":
            self.outbox.drop(item)
            return
        again = row.telling > 0.0
        text, until, _ = story(incident, row.told, row.telling if again else inf)
        if not text:
            self.outbox.drop(item)
            if again:
                await self._kept(replace(row, told=row.telling, telling=0.0))
            return
        began = self._steady()
        if not again:
            row = await self._kept(replace(row, telling=until))
        key = f"{row.key}/{row.telling:.6f}"
        try:
            await self._answer(self._shows.reply(row.stands, row.ts, text, key, again=again))
        except NoAnswer:
            raise
        except (Unreachable, Refused):
            if not again:
                self._board.put(replace(row, telling=0.0))
            raise
        self._done(item, began, posted=True)
        row = await self._kept(replace(self._row(row), told=row.telling, telling=0.0))
        if self._newest(row) > row.told:
            self._board.want(row, kind="story")

    def _row(self, row: ShownRow) -> ShownRow:
        return self._board.rows.get((row.source, row.channel, row.key), row)

    def _newest(self, row: ShownRow) -> float:
        incident = self._state().incidents.get(row.key)
        return incident.timeline[-1].at if incident is not None and incident.timeline else 0.0

    async def _answer(self, asked: Awaitable[Placed]) -> Placed:
        self.calls += 1
        self.outbox.called(self._steady())
        try:
            async with asyncio.timeout(CALL_S):
                return await asked
        except TimeoutError as error:
            raise NoAnswer(f"no answer within {CALL_S:g} s") from error

    def _done(self, item: Item, began: float, *, posted: bool) -> None:
        self.outbox.sent(item, self._steady(), began=began, posted=posted)
        self._wait_s = _FIRST_WAIT_S
        self._report("ok", "")

    def _failed(
        self,
        item: Item,
        error: Exception,
        state: str,
        *,
        all_of_it: bool,
        lost: bool = False,
        retry_after_s: float | None = None,
    ) -> None:
        wait_s = retry_after_s if retry_after_s is not None else self._wait_s
        if all_of_it:
            self._wait_s = min(self._wait_s * 2.0, _LONGEST_WAIT_S)
        self.outbox.later(item, self._steady() + wait_s, all_of_it=all_of_it, lost=lost)
        text = (
            str(error) if isinstance(error, Unreachable | Refused | StoreError) else f"{type(error).__name__}: {error}"
        )
        _log.warning(f"{self.source} {item.place}", "a message waits", source=self.source, channel=item.place[0],
                     about=item.place[1], again_in_s=wait_s, error=text)  # fmt: skip
        if state:
            self._report(state, text)

    async def _kept(self, row: ShownRow) -> ShownRow:
        await self._keep([row], [])
        self._board.put(row)
        return row

    async def _forget(self, row: ShownRow) -> None:
        await self._keep([], [row])
        self._board.remove(row)
