"""One open ticket per key, in any tracker: what `quell_connectors.jira`, ``github`` and their like share.

A connector says how its tracker is asked (a `Desk`) and hands its calls to `OneOpen`, which looks before it writes:
a repeat finds what the first try made. Three things make sure that looking is enough. Calls for one key wait for each
other. What this process opened or found is remembered, and asked for by its number, for searches lag behind. And where
nobody knows what became of an earlier try, the tracker's search is given ``settle_s`` seconds first.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

from quell.errors import ConnectorError, NoAnswer, Refused, Unreachable
from quell.sdk.connector import Call, Done, Pending
from quell.sdk.pictures import PARAMETER, Png, pngs_of
from quell.sdk.ticket_text import Draft, Limits, draft_of, key_mark, key_of, said, step_mark

ACTIONS = ("ticket", "comment", "close", "find")
_MOST_KEPT = 2000


@dataclass(frozen=True, slots=True)
class Ticket:
    """A ticket that was found. ``id`` names it in its place; ``said`` is the text in which marks stand."""

    id: str
    url: str
    title: str = ""
    said: str = ""
    is_open: bool = True

    @property
    def name(self) -> str:
        """As people say it: a bare number has a sign before it."""
        return f"#{self.id}" if self.id.isdecimal() else self.id


class Desk(Protocol):
    """How one tracker is asked, for one call: each method raises the `ConnectorError` that says what was answered.

    ``where`` is the place as people call it ("OPS"). Whatever is written was cut and marked by then.
    """

    where: str
    limits: Limits

    async def ready(self, draft: Draft) -> None:
        """Looks up people, priorities and so on. Raises `Refused` for what the tracker does not know."""
        ...

    async def find(self, mark: str) -> Ticket | None:
        """The open ticket with that mark. Its ``said`` is needed."""
        ...

    async def get(self, number: str) -> Ticket | None:
        """A ticket by its id, open or not; None if there is none."""
        ...

    async def open(self, draft: Draft) -> Ticket:
        """A new ticket, in one request; `ready` was called."""
        ...

    async def update(self, ticket: Ticket, draft: Draft) -> None:
        """Title, text and priority as the draft has them; `ready` was called."""
        ...

    async def heard(self, ticket: Ticket, mark: str) -> bool:
        """Whether a comment of the ticket carries the mark."""
        ...

    async def comment(self, ticket: Ticket, text: str, mark: str) -> None:
        """One more comment; its text has the mark, if marks are written into texts."""
        ...

    async def close(self, ticket: Ticket) -> None:
        """Sets it to closed. Raises `Refused` when the tracker does not let it be closed."""
        ...


@runtime_checkable
class Attaches(Protocol):
    """A desk whose tracker takes files."""

    async def attach(self, ticket: Ticket, picture: Png) -> None:
        """Adds a picture to a ticket. Raises the `ConnectorError` that says what was answered."""
        ...


@dataclass(slots=True)
class _Gate:
    lock: asyncio.Lock
    users: int = 0


class OneOpen:
    """The actions of a ticket connector. One object per connector, so that it remembers."""

    def __init__(self, settle_s: float = 0.0, noun: str = "ticket") -> None:
        self._settle_s = settle_s
        self._noun = noun
        self._gates: dict[str, _Gate] = {}
        self._opened: OrderedDict[str, str] = OrderedDict()
        self._doubt: OrderedDict[str, float | None] = OrderedDict()
        """Since when a try is known to be over of which nobody knows what it did; None until somebody comes again."""

    async def act(self, call: Call, desk: Desk) -> Done | Pending:
        """Opens, comments, closes or finds. Raises what the desk raises."""
        match call.action:
            case "ticket":
                return await self._ticket(call, desk)
            case "comment":
                return await self._comment(call, desk)
            case "close":
                return await self._close(call, desk)
            case "find":
                return await self._find(call, desk)
        raise Refused(f'no action "{call.action}"; there are {", ".join(ACTIONS)}')

    async def _ticket(self, call: Call, desk: Desk) -> Done | Pending:
        call = _in_words(call)
        draft = draft_of(call.params, call.key, desk.limits)
        scope = f"{desk.where}\n{draft.mark}"
        async with self._alone(scope):
            left_s = 0.0 if call.dry_run else self._unsettled_s(scope, call)
            if left_s > 0:
                return Pending(left_s, f"waits until {desk.where} would find what may have been opened")
            found = await self._found(desk, scope, draft.mark)
            if found is not None:
                return await self._was_open(call, desk, found, draft)
            await desk.ready(draft)
            if call.dry_run:
                return Done(f'would open "{draft.title}" in {desk.where} for {draft.key}', _output(None))
            ticket = await self._open(desk, scope, draft)
            shown = await _attached(call, desk, ticket)
        return Done(f"{ticket.name} is open for {draft.key}{shown}", _output(ticket, created=True))

    async def _open(self, desk: Desk, scope: str, draft: Draft) -> Ticket:
        """Whatever ends this without a clear answer, a time limit too, leaves a doubt."""
        _put(self._doubt, scope, None)
        try:
            ticket = await desk.open(draft)
        except NoAnswer:
            raise
        except (Refused, Unreachable):
            self._doubt.pop(scope, None)
            raise
        self._doubt.pop(scope, None)
        _put(self._opened, scope, ticket.id)
        return ticket

    async def _was_open(self, call: Call, desk: Desk, found: Ticket, draft: Draft) -> Done:
        scope = f"{desk.where}\n{draft.mark}"
        self._doubt.pop(scope, None)
        _put(self._opened, scope, found.id)
        mark, way = step_mark(call.key), said(call.params, "if_open") or "comment"
        which = f"{found.name}, which is open for {draft.key}"
        if mark in found.said and way != "update":
            return Done(f"{found.name} is open for {draft.key}; this step opened it", _output(found, created=True))
        if way == "skip":
            would = f"would leave {which}, as it is"
            done = f"{found.name} is open for {draft.key}; it was open before and is left as it is"
            return Done(would if call.dry_run else done, _output(found))
        if way == "update":
            await desk.ready(draft)
            if call.dry_run:
                return Done(f"would update {which}", _output(found))
            await desk.update(found, draft)
            return Done(f"{found.name} is open for {draft.key}; it was open before and is up to date", _output(found))
        if call.dry_run:
            return Done(f"would comment on {which}", _output(found))
        text = said(call.params, "body") or said(call.params, "text")
        new = await self._say(call, desk, found, f"{draft.title}\n\n{text}".strip() if text else draft.title)
        end = "has a comment" if new else "has the comment already"
        end += await _attached(call, desk, found) if new else ""
        return Done(
            f"{found.name} is open for {draft.key}; it was open before and {end}", _output(found, commented=True)
        )

    async def _comment(self, call: Call, desk: Desk) -> Done:
        ticket = await self._named(call, desk)
        if ticket is None:
            raise Refused(f"{self._none(call, desk)}; no comment was added")
        if call.dry_run:
            return Done(f"would comment on {ticket.name}", _output(ticket))
        new = await self._say(call, desk, ticket, said(call.params, "text"))
        sentence = f"{ticket.name} has the comment" + ("" if new else "; it was there before")
        return Done(sentence, _output(ticket, commented=True))

    async def _close(self, call: Call, desk: Desk) -> Done:
        ticket = await self._named(call, desk)
        if ticket is None and said(call.params, "id"):
            raise Refused(f"{self._none(call, desk)}; nothing was closed")
        if ticket is None:
            return Done(f"{self._none(call, desk)}; nothing is to be closed", {**_output(None), "closed": False})
        if not ticket.is_open:
            return Done(f"{ticket.name} is closed; it was closed before", {**_output(ticket), "closed": False})
        if call.dry_run:
            return Done(f"would close {ticket.name}", {**_output(ticket), "closed": False})
        if said(call.params, "text"):
            await self._say(call, desk, ticket, said(call.params, "text"))
        await desk.close(ticket)
        return Done(f"{ticket.name} is closed", {**_output(ticket), "closed": True})

    async def _find(self, call: Call, desk: Desk) -> Done:
        ticket = await self._named(call, desk)
        known = ticket is not None and ticket.is_open
        output = {"found": known, "title": ticket.title if ticket is not None else ""}
        if ticket is None:
            return Done(self._none(call, desk), {**_output(None), **output})
        return Done(f"{ticket.name} is {'open' if known else 'closed'}", {**_output(ticket), **output})

    async def _say(self, call: Call, desk: Desk, ticket: Ticket, text: str) -> bool:
        """Whether the comment is new: an act that said it before does not say it again."""
        mark = step_mark(call.key)
        if await desk.heard(ticket, mark):
            return False
        await desk.comment(ticket, desk.limits.written(text, "", (mark,)), mark)
        return True

    async def _named(self, call: Call, desk: Desk) -> Ticket | None:
        number, key = said(call.params, "id").lstrip("#"), key_of(call.params)
        if number:
            return await desk.get(number)
        if not key:
            raise Refused(f'{call.action} needs "id" or "key"; nothing was done')
        mark = key_mark(key)
        return await self._found(desk, f"{desk.where}\n{mark}", mark)

    async def _found(self, desk: Desk, scope: str, mark: str) -> Ticket | None:
        number = self._opened.get(scope)
        if number is not None:
            ticket = await desk.get(number)
            if ticket is not None and ticket.is_open:
                return ticket
            self._opened.pop(scope, None)
        return await desk.find(mark)

    def _none(self, call: Call, desk: Desk) -> str:
        number = said(call.params, "id").lstrip("#")
        if number:
            return f"{desk.where} has no {number}"
        return f"no {self._noun} is open for {key_of(call.params)} in {desk.where}"

    def _unsettled_s(self, scope: str, call: Call) -> float:
        """Seconds until a search may be believed: nothing is waited for when nothing is in doubt.

        They count from the first call after the doubtful one, which may have taken long before it was given up.
        """
        in_doubt = call.again or scope in self._doubt
        if scope in self._opened or not self._settle_s or not in_doubt:
            return 0.0
        since = self._doubt.get(scope)
        if since is None:
            since = call.now
            _put(self._doubt, scope, since)
        return since + self._settle_s - call.now

    @asynccontextmanager
    async def _alone(self, scope: str) -> AsyncIterator[None]:
        gate = self._gates.setdefault(scope, _Gate(asyncio.Lock()))
        gate.users += 1
        try:
            async with gate.lock:
                yield
        finally:
            gate.users -= 1
            if not gate.users:
                del self._gates[scope]


def _in_words(call: Call) -> Call:
    """The call with what its pictures show below the text, for not every tracker takes files."""
    told = [one.text for one in pngs_of(call.params.get(PARAMETER)) if one.text]
    if not told:
        return call
    body = said(call.params, "body") or said(call.params, "text")
    return replace(call, params={**call.params, "body": "\n\n".join(part for part in (body, *told) if part)})


async def _attached(call: Call, desk: Desk, ticket: Ticket) -> str:
    """What is to be said of the pictures. The ticket is open, so that no picture may make of this a failure."""
    pictures = [one for one in pngs_of(call.params.get(PARAMETER)) if one.png]
    if not pictures or not isinstance(desk, Attaches):
        return ""
    try:
        for picture in pictures:
            await desk.attach(ticket, picture)
    except ConnectorError as error:
        return f"; a picture could not be attached: {error}"[:300]
    return f", with {len(pictures)} picture{'s' * (len(pictures) != 1)}"


def _put(kept: OrderedDict[str, Any], name: str, value: Any) -> None:
    kept[name] = value
    kept.move_to_end(name)
    while len(kept) > _MOST_KEPT:
        kept.popitem(last=False)


def _output(ticket: Ticket | None, *, created: bool = False, commented: bool = False) -> dict[str, Any]:
    number, url = (ticket.id, ticket.url) if ticket is not None else ("", "")
    return {"id": number, "url": url, "created": created, "commented": commented}
