"""The actions of the ticket connector. Each looks first, so that a repeat finds what the first try made."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, ClassVar
from weakref import WeakValueDictionary

from quell.errors import Refused
from quell.sdk.connector import Call, Context, Done
from quell.sdk.spec import Spec
from quell_connectors.ticket.client import Client
from quell_connectors.ticket.spec import SPEC


class Ticket:
    """One open ticket per key: a second ``open`` with the same key finds the first."""

    spec: ClassVar[Spec] = SPEC

    def __init__(self, options: Mapping[str, Any], context: Context) -> None:
        self._client = Client(options, context.http)
        self._gates: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def act(self, call: Call) -> Done:
        """Opens, comments or closes."""
        match call.action:
            case "open":
                # Two runs for one key must not both look before either has opened.
                async with self._gates.setdefault(_key(call), asyncio.Lock()):
                    return await self._open(call)
            case "comment":
                return await self._comment(call)
            case "close":
                return await self._close(call)
        raise Refused(f'ticket has no action "{call.action}"; it has open, comment and close')

    async def _open(self, call: Call) -> Done:
        title = _said(call, "title") or _said(call, "text").partition("\n")[0]
        key = _key(call)
        found = await self._client.open_ticket(key, call.timeout_s)
        if call.dry_run and found is None:
            return Done(f'would open "{title}" for {key}')
        if found is not None:
            return Done(
                f"ticket {found.id} is open for {key}; it was open before",
                {"id": found.id, "url": found.url, "created": False},
            )
        body = self._client.fields.written(
            key=key,
            title=title,
            body=_said(call, "body") or _said(call, "text"),
            severity=_said(call, "severity"),
            labels=call.params.get("labels"),
        )
        ticket = await self._client.post_ticket(body, call.key, call.timeout_s)
        return Done(f"ticket {ticket.id} is open for {key}", {"id": ticket.id, "url": ticket.url, "created": True})

    async def _comment(self, call: Call) -> Done:
        number = await self._number(call)
        if number is None:
            raise Refused(f"{_which(call)} is not open; no comment was added")
        if call.dry_run:
            return Done(f"would comment on ticket {number}")
        mark = f"[quell {call.key}]"
        if any(mark in text for text in await self._client.comments(number, call.timeout_s)):
            return Done(f"ticket {number} has the comment; it was there before", {"id": number, "created": False})
        await self._client.post_comment(number, f"{_said(call, 'text')}\n\n{mark}", call.key, call.timeout_s)
        return Done(f"ticket {number} has the comment", {"id": number, "created": True})

    async def _close(self, call: Call) -> Done:
        number = await self._number(call)
        if number is None:
            return Done(f"{_which(call)} is not open", {"id": "", "closed": False})
        if call.dry_run:
            return Done(f"would close ticket {number}", {"id": number, "closed": False})
        await self._client.close(number, call.key, call.timeout_s)
        return Done(f"ticket {number} is closed", {"id": number, "closed": True})

    async def _number(self, call: Call) -> str | None:
        number, key = _said(call, "id"), _said(call, "key")
        if number:
            return number
        if not key:
            raise Refused(f'ticket.{call.action} needs "id" or "key"; nothing was done')
        found = await self._client.open_ticket(key, call.timeout_s)
        return None if found is None else found.id


def _said(call: Call, name: str) -> str:
    value = call.params.get(name)
    return "" if value is None else str(value)


def _key(call: Call) -> str:
    return _said(call, "key") or _said(call, "incident") or call.key


def _which(call: Call) -> str:
    number, key = _said(call, "id"), _said(call, "key")
    return f"ticket {number}" if number else f"the ticket of {key}"
