"""The calls to PagerDuty, by its own package: events by the Events API v2, everything else by the REST API."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec

from quell.errors import BadPayload, Refused, Unreachable
from quell.sdk.http import Answer, Http, retry_after_s
from quell.sdk.json_api import part
from quell.sdk.payload import decode
from quell.sdk.secret import Secret
from quell_connectors.pagerduty.bridge import Bridge
from quell_connectors.pagerduty.events import Taken
from quell_connectors.pagerduty.spec import API_URL, EVENTS_URL

T = TypeVar("T")

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
        self._http = http
        self._url = url or EVENTS_URL
        self._key = key

    async def send(self, event: Mapping[str, Any], timeout_s: float, *, change: bool = False) -> None:
        """Raises `Refused` with PagerDuty's own words for an event that it does not take, and for another's yes."""
        bridge = Bridge(self._http, self._judge, (self._key,), timeout_s)

        def sent() -> None:
            from quell_connectors.pagerduty.package import EventsClient

            with EventsClient(bridge, self._url, self._key) as client:
                client.hand_over(dict(event), change=change)

        await _carried(bridge, sent)

    def _judge(self, answer: Answer, who: str) -> None:
        if answer.status == 429:
            raise _limited(answer, who)
        if 200 <= answer.status < 300:
            taken = _read(answer, Taken, who)
            if taken.status != "success":
                raise Refused(f'{who} answered "{taken.status}" {taken.message[:200]}'.rstrip())
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
        self._http = http
        self._url = str(options.get("api_url") or API_URL)
        self._token = token
        self._user = user

    async def get(self, path: str, asked: Mapping[str, Any], shape: type[T], timeout_s: float) -> T:
        """What stands at a path, as ``shape``; a list in ``asked`` is several values. Raises `BadPayload`, too."""
        answer, who = await self._asked("GET", path, {"params": dict(asked)}, timeout_s)
        return _read(answer, shape, who)

    async def post(self, path: str, body: Mapping[str, Any], timeout_s: float) -> None:
        """Makes something; of the answer only the status matters."""
        await self._asked("POST", path, {"json": dict(body)}, timeout_s)

    async def _asked(self, method: str, path: str, said: dict[str, Any], timeout_s: float) -> tuple[Answer, str]:
        bridge = Bridge(self._http, _judge, (self._token,), timeout_s)

        def done() -> None:
            from quell_connectors.pagerduty.package import RestClient

            with RestClient(bridge, self._url, self._token, self._user) as client:
                client.request(method, path, **said)

        return await _carried(bridge, done), bridge.who


async def _carried(bridge: Bridge, work: Callable[[], None]) -> Answer:
    """Has the package do it; its answer, a yes. What the package finds wrong before it asks is `Refused`."""

    def held() -> Answer:
        from quell_connectors.pagerduty.package import Error

        said = ""
        try:
            work()
        except (Error, ValueError) as error:
            said = type(error).__name__  # not in its own words, which may hold the whole request
        # What the package finds wrong with a yes does not undo what was done.
        if bridge.answer is None:
            raise Refused(f"PagerDuty was not asked: the request cannot be written ({said})")
        return bridge.answer

    return await bridge.run(held)


def _read(answer: Answer, shape: type[T], who: str) -> T:
    try:
        return decode(answer.body, shape)
    except BadPayload as error:
        raise BadPayload(f"{who} answered what cannot be read: {error}", error.payload, error.field) from error


class Incidents:
    """Incidents by the REST API: the one that is open for a key, and its notes."""

    def __init__(self, http: Http, options: Mapping[str, Any]) -> None:
        user = str(options.get("user") or "")
        if not isinstance(options.get("token"), Secret) or not user:
            raise Refused("a note needs the source's options token and user; nothing was written")
        self._rest = Rest(http, options, user)

    async def open_one(self, key: str, timeout_s: float) -> tuple[str, str] | None:
        """Id and address of the incident that is open for a key."""
        asked = {"statuses[]": ["triggered", "acknowledged"], "incident_key": key}
        found = (await self._rest.get("/incidents", asked, _Incidents, timeout_s)).incidents
        return (found[0].id, found[0].html_url) if found else None

    async def has_note(self, number: str, mark: str, timeout_s: float) -> bool:
        """Whether a note carries the mark; PagerDuty gives all at once."""
        found = await self._rest.get(f"/incidents/{part(number)}/notes", {}, _Notes, timeout_s)
        return any(mark in note.content for note in found.notes)

    async def note(self, number: str, text: str, timeout_s: float) -> None:
        """One more note."""
        await self._rest.post(f"/incidents/{part(number)}/notes", {"note": {"content": text}}, timeout_s)


def _judge(answer: Answer, who: str) -> None:
    if answer.status == 429:
        raise _limited(answer, who)


def _limited(answer: Answer, who: str) -> Unreachable:
    headers = {name.lower(): value for name, value in answer.headers.items()}
    asked = headers.get("ratelimit-reset", "")
    wait = retry_after_s(answer.headers) or (float(asked) if asked.isdecimal() else 0.0) or UNKNOWN_WAIT_S
    return Unreachable(f"{who} answered 429: its rate limit is reached; again in {wait:.0f} s", wait)
