"""The actions: paging people, and saying that it is over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quell.errors import Refused
from quell.sdk.connector import Call, Done
from quell.sdk.http import Http
from quell.sdk.secret import Secret
from quell.sdk.ticket_text import Limits, said, step_mark
from quell_connectors.pagerduty import events
from quell_connectors.pagerduty.client import Events, Incidents, Rest
from quell_connectors.pagerduty.lists import incidents, services
from quell_connectors.pagerduty.oncall import on_call
from quell_connectors.pagerduty.spec import SPEC

_NOTE = Limits(title=250, text=20_000)


class Pages:
    """A key is PagerDuty's deduplication key: however often a page is sent, one alert is open for it."""

    def __init__(self, options: Mapping[str, Any], http: Http) -> None:
        self._options = options
        self._http = http

    async def act(self, call: Call) -> Done:
        """Sends an event, or writes a note. A dry run checks what would be sent; there is nothing to ask."""
        match call.action:
            case "trigger":
                return await self._trigger(call)
            case "acknowledge" | "resolve":
                return await self._over(call)
            case "change":
                return await self._change(call)
            case "note":
                return await self._note(call)
            case "oncall":
                return await on_call(Rest(self._http, self._options), call)
            case "services":
                return await services(Rest(self._http, self._options), call)
            case "incidents":
                return await incidents(Rest(self._http, self._options), call)
        known = ", ".join(one.name for one in SPEC.actions)
        raise Refused(f'no action "{call.action}"; there are {known}')

    async def _trigger(self, call: Call) -> Done:
        key = events.key_of(call.params, call.key)
        event = events.alert(call.params, key, call.now)
        payload = event["payload"]
        what = f'"{payload["summary"]}" ({payload["severity"]}) in PagerDuty for {key}'
        sender = self._events(call)
        if call.dry_run:
            return Done(f"would page {what}", {"key": key})
        await sender.send(event, call.timeout_s)
        return Done(f"paged {what}", {"key": key})

    async def _over(self, call: Call) -> Done:
        key = events.key_of(call.params, "")
        if not key:
            raise Refused(f'pagerduty.{call.action} needs a "key"; nothing was sent')
        sender = self._events(call)
        if call.dry_run:
            return Done(f"would {call.action} what is open in PagerDuty for {key}", {"key": key})
        await sender.send({"event_action": call.action, "dedup_key": key}, call.timeout_s)
        return Done(f"what was open in PagerDuty for {key} is {call.action}d", {"key": key})

    async def _change(self, call: Call) -> Done:
        event = events.change(call.params, call.now)
        summary = event["payload"]["summary"]
        sender = self._events(call)
        if call.dry_run:
            return Done(f'would tell PagerDuty of the change "{summary}"')
        await sender.send(event, call.timeout_s, change=True)
        return Done(f'told PagerDuty of the change "{summary}"')

    async def _note(self, call: Call) -> Done:
        api = Incidents(self._http, self._options)
        number, url, key = said(call.params, "id"), "", events.key_of(call.params, "")
        if not number and not key:
            raise Refused('pagerduty.note needs "id" or "key"; nothing was written')
        if not number:
            found = await api.open_one(key, call.timeout_s)
            if found is None:
                raise Refused(f"no incident is open in PagerDuty for {key}; nothing was written")
            number, url = found
        mark = step_mark(call.key)
        output = {"id": number, "url": url}
        if await api.has_note(number, mark, call.timeout_s):
            return Done(f"{number} has the note; it was there before", output)
        if call.dry_run:
            return Done(f"would write a note on {number}", output)
        text = _NOTE.written(said(call.params, "text"), "", (mark,))
        await api.note(number, text, call.timeout_s)
        return Done(f"{number} has the note", output)

    def _events(self, call: Call) -> Events:
        own = call.params.get("routing_key")
        key = own if isinstance(own, Secret) and own else self._options.get("routing_key")
        if not isinstance(key, Secret) or not key:
            raise Refused("pagerduty needs a routing_key, as the source's option or in the step; nothing was sent")
        return Events(self._http, str(self._options.get("url") or ""), key)
