"""The workspace: who and what is in it, what was asked of it, and which faults await whoever asks next."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from quell.testing.slack.rates import Rates

FaultKind = Literal["limited", "lost", "cut", "status", "error"]
TRIGGER_S = 3.0


class Cut(Exception):
    """The connection ends without an answer."""


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer of the Web API."""

    status: int
    data: Any
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Asked:
    """One call. ``error`` is "" when it was done, else Slack's word for why not, or ``cut``."""

    method: str
    args: dict[str, Any]
    at: float
    error: str = ""


@dataclass(slots=True)
class Message:
    """One message; ``only_for`` names who alone sees it, ``edits`` counts."""

    channel: str
    ts: str
    text: str
    blocks: list[dict[str, Any]]
    metadata: dict[str, Any]
    thread_ts: str = ""
    only_for: str = ""
    edits: int = 0


@dataclass(frozen=True, slots=True)
class _Fault:
    method: str
    kind: FaultKind
    what: str
    left: int


class FakeSlack:
    """``clock`` gives seconds since 1970. Channels and people are added before they are used."""

    bot_token = "xoxb-fake-bot"  # noqa: S105 -- opens nothing but this
    app_token = "xapp-fake-app"  # noqa: S105 -- of a pretended workspace
    signing_secret = "fake-signing-secret"  # noqa: S105 -- of a pretended workspace
    bot_user = "U0QUELL00"

    def __init__(self, clock: Callable[[], float] = time.time, *, limits: bool = True) -> None:
        self.clock = clock
        self.rates = Rates(limits)
        self.channels: dict[str, str] = {}
        """Names by id."""
        self.outside: set[str] = set()
        """Channels that the app was not invited to."""
        self.messages: list[Message] = []
        self.private: list[Message] = []
        self.views: list[dict[str, Any]] = []
        self.files: dict[str, bool] = {}
        """Whether Slack is done with a file, by its id."""
        self.uploads: dict[str, bytes] = {}
        self.slow_files = 1
        """How often a file is asked for before Slack is done with it."""
        self.asked: list[Asked] = []
        self.base = "https://slack.example/"
        """Where uploads and answers to commands go; a server sets its own."""
        self.down_until = 0.0
        """Until then every connection is cut."""
        self.denied = ""
        """Slack's word for why no token does any more, such as token_revoked."""
        self.scopes = {"channels:history", "channels:read", "chat:write", "commands", "files:read", "files:write"}
        """What the app was given; a call that needs another gets missing_scope."""
        self._triggers: dict[str, float] = {}
        self._hooks: dict[str, tuple[str, str, str, float, int]] = {}
        self._faults: list[_Fault] = []
        self._count = 0
        self.channel("incidents", "C0INCID00")

    def channel(self, name: str, channel_id: str, *, joined: bool = True) -> str:
        """Adds a channel."""
        self.channels[channel_id] = name
        if not joined:
            self.outside.add(channel_id)
        return channel_id

    def lose_answer(self, method: str, times: int = 1) -> None:
        """The next calls are done, and nobody hears of it."""
        self._faults.append(_Fault(method, "lost", "", times))

    def cut(self, method: str, times: int = 1) -> None:
        """The next calls are not done, and nobody hears of that either."""
        self._faults.append(_Fault(method, "cut", "", times))

    def limit(self, method: str, wait_s: int, times: int = 1) -> None:
        """The next calls get a 429 with Retry-After."""
        self._faults.append(_Fault(method, "limited", str(wait_s), times))

    def fail(self, method: str, error: str, times: int = 1) -> None:
        """The next calls get an error: Slack's word for it, or a status such as 503."""
        self._faults.append(_Fault(method, "status" if error.isdecimal() else "error", error, times))

    def fault(self, method: str) -> tuple[FaultKind, str] | None:
        """The fault that awaits this call; it is used up by it."""
        for index, one in enumerate(self._faults):
            if one.method in {method, "*"}:
                left = [_Fault(one.method, one.kind, one.what, one.left - 1)] if one.left > 1 else []
                self._faults[index : index + 1] = left
                return one.kind, one.what
        return None

    def next_id(self, prefix: str) -> str:
        """An id as Slack makes them."""
        self._count += 1
        return f"{prefix}0{self._count:08X}"

    def next_ts(self) -> str:
        """The name of a message: its time, told apart by the last places."""
        self._count += 1
        return f"{int(self.clock())}.{self._count:06d}"

    def trigger(self) -> str:
        """A trigger, which opens one dialog within three seconds."""
        name = f"{self.next_id('T')}.trigger"
        self._triggers[name] = self.clock() + TRIGGER_S
        return name

    def use_trigger(self, name: str) -> str:
        """Slack's error for it; "" when it is good, which it is no more afterwards."""
        until = self._triggers.get(name)
        if until is None:
            return "invalid_trigger_id"
        if until == 0.0:
            return "exchanged_trigger_id"
        self._triggers[name] = 0.0
        return "" if self.clock() <= until else "expired_trigger_id"

    def hook(self, channel: str, user: str, message: str = "") -> str:
        """An address to answer at: five times within half an hour."""
        name = self.next_id("H")
        self._hooks[name] = (channel, user, message, self.clock() + 1800.0, 5)
        return f"{self.base}hooks/{name}"

    def use_hook(self, name: str) -> tuple[str, str, str] | None:
        """Channel, user and message of an address that is still good."""
        channel, user, message, until, left = self._hooks.get(name, ("", "", "", 0.0, 0))
        if left < 1 or self.clock() > until:
            return None
        self._hooks[name] = (channel, user, message, until, left - 1)
        return channel, user, message

    def at(self, channel: str, ts: str) -> Message | None:
        """A message."""
        everything = [*self.messages, *self.private]
        return next((one for one in everything if one.ts == ts and one.channel == channel), None)

    def roots(self, channel: str = "C0INCID00") -> list[Message]:
        """What stands in the channel itself."""
        return [one for one in self.messages if one.channel == channel and not one.thread_ts]

    def delete(self, channel: str, ts: str) -> None:
        """Somebody deletes a message."""
        self.messages = [one for one in self.messages if (one.channel, one.ts) != (channel, ts)]

    def count(self, method: str) -> int:
        """How often a method was asked, in whatever way it ended."""
        return sum(one.method == method for one in self.asked)
