"""The calls to PagerDuty: events by the Events API v2, notes by the REST API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import msgspec

from quell.errors import Refused, Unreachable
from quell.sdk.http import Answer, Http, retry_after_s
from quell.sdk.json_api import JsonApi, part
from quell.sdk.secret import Secret
from quell_connectors.pagerduty.events import Taken
from quell_connectors.pagerduty.spec import API_URL, ENQUEUE, ENQUEUE_CHANGE, EVENTS_URL

UNKNOWN_WAIT_S = 60.0
"""PagerDuty counts its limits over a minute."""


class _Wrong(msgspec.Struct, frozen=True):
    message: str = ""
    errors: list[str] = []


class _Incident(msgspec.Struct, frozen=True):
    id: str
    html_url: str = ""


class _Incidents(msgspec.Struct, frozen=True):
    incidents: list[_Incident]


class _Note(msgspec.Struct, frozen=True):
    content: str = ""


class _Notes(msgspec.Struct, frozen=True):
    notes: list[_Note]


class Events:
    """Sends events with one routing key, which is part of the body and shown nowhere."""

    def __init__(self, http: Http, url: str, key: Secret) -> None:
        if len(key.reveal()) != 32:
            raise Refused("the routing key has not 32 characters; nothing was sent")
        self._key = key
        self._api = JsonApi(http, url or EVENTS_URL, "PagerDuty", hide=(key,), judge=self._judge)

    async def send(self, event: Mapping[str, Any], timeout_s: float, *, change: bool = False) -> None:
        """Raises `Refused` with PagerDuty's own words for an event that it does not take, and for another's yes."""
        body = {"routing_key": self._key.reveal(), **event}
        path = ENQUEUE_CHANGE if change else ENQUEUE
        taken = await self._api.ask("POST", path, Taken, timeout_s=timeout_s, json=body)
        if taken.status != "success":
            raise Refused(f'PagerDuty (POST {path}) answered "{taken.status}" {taken.message[:200]}'.rstrip())

    def _judge(self, answer: Answer, who: str) -> None:
        if answer.status == 429:
            raise _limited(answer, who)
        if answer.status != 400:
            return
        try:
            wrong = msgspec.json.decode(answer.body, type=_Wrong)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return
        told = "; ".join([wrong.message, *wrong.errors]).strip("; ").replace(self._key.reveal(), "***")[:300]
        if told:
            raise Refused(f"{who} answered 400: {told}")


class Rest:
    """PagerDuty's REST API."""

    def __init__(self, http: Http, options: Mapping[str, Any], user: str = "") -> None:
        token = options.get("token")
        if not isinstance(token, Secret) or not token:
            raise Refused("pagerduty needs the source's option token, a REST API key; nothing was asked")
        headers = {"Accept": "application/json", **({"From": user} if user else {})}
        credentials = {"Authorization": Secret(f"Token token={token.reveal()}")}
        url = str(options.get("api_url") or API_URL)
        self.api = JsonApi(http, url, "PagerDuty", credentials, headers=headers, hide=(token,), judge=_judge)


class Incidents:
    """Incidents by the REST API, as far as notes go."""

    def __init__(self, http: Http, options: Mapping[str, Any]) -> None:
        user = str(options.get("user") or "")
        if not isinstance(options.get("token"), Secret) or not user:
            raise Refused("a note needs the source's options token and user; nothing was written")
        self._api = Rest(http, options, user).api

    async def open_one(self, key: str, timeout_s: float) -> tuple[str, str] | None:
        """Id and address of the incident that is open for a key."""
        path = f"/incidents?statuses%5B%5D=triggered&statuses%5B%5D=acknowledged&incident_key={quote(key, safe='')}"
        found = (await self._api.ask("GET", path, _Incidents, timeout_s=timeout_s)).incidents
        return (found[0].id, found[0].html_url) if found else None

    async def has_note(self, number: str, mark: str, timeout_s: float) -> bool:
        """Whether a note carries the mark; PagerDuty gives all at once."""
        found = await self._api.ask("GET", f"/incidents/{part(number)}/notes", _Notes, timeout_s=timeout_s)
        return any(mark in note.content for note in found.notes)

    async def note(self, number: str, text: str, timeout_s: float) -> None:
        """One more note."""
        body = {"note": {"content": text}}
        await self._api.do("POST", f"/incidents/{part(number)}/notes", timeout_s=timeout_s, json=body)


def _judge(answer: Answer, who: str) -> None:
    if answer.status == 429:
        raise _limited(answer, who)


def _limited(answer: Answer, who: str) -> Unreachable:
    headers = {name.lower(): value for name, value in answer.headers.items()}
    asked = headers.get("ratelimit-reset", "")
    wait = retry_after_s(answer.headers) or (float(asked) if asked.isdecimal() else 0.0) or UNKNOWN_WAIT_S
    return Unreachable(f"{who} answered 429: its rate limit is reached; again in {wait:.0f} s", wait)
