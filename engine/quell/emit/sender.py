"""A bounded queue of events and the thread that posts them, as JSON lines, in the background."""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from decimal import Decimal
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from json import dumps, loads
from random import random
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4
from weakref import WeakSet

LOG = logging.getLogger("quell.emit")
MOST_BYTES = 1_000_000
MOST_EVENTS = 250
"""Of one post: quell answers others meanwhile."""
LONGEST_WAIT_S = 30.0
MOST_ANSWER = 65_536
_OVERLOADED = 429


@dataclass(frozen=True)
class Counts:
    """What became of events.

    ``dropped``: there was no room, or no time left at the end; ``refused``: they could not be read, or quell does not
    know the sender; ``unjoined``: labels of predictions that this process does not know. ``waiting``: nobody knows yet,
    also of those that are just being posted.
    """

    sent: int = 0
    dropped: int = 0
    refused: int = 0
    unjoined: int = 0
    waiting: int = 0


@dataclass(frozen=True)
class Target:
    """Where events go. Times in seconds."""

    url: str
    token: str
    every_s: float
    timeout_s: float


class Sender:
    """Takes events at once and posts them later. Everything public may be called from any thread."""

    def __init__(self, target: Target, room: int) -> None:
        self._target = target
        self._room = room
        self._begin()
        _SENDERS.add(self)

    def _begin(self) -> None:
        """All of it anew: also in a process that was forked, where the thread is gone and locks may be held forever."""
        self.lock = threading.Lock()
        self._events: deque[Mapping[str, Any]] = deque()
        self._posting = 0
        self._counts = Counts()
        self._wake, self._idle, self._over = threading.Event(), threading.Event(), threading.Event()
        self._idle.set()
        self._thread: threading.Thread | None = None
        self._name = uuid4().hex
        self._posts = 0
        self._warned: set[str] = set()

    @property
    def counts(self) -> Counts:
        """As it is now."""
        with self.lock:
            return replace(self._counts, waiting=len(self._events) + self._posting)

    def count(self, **more: int) -> None:
        """Adds to what is counted."""
        with self.lock:
            self._counts = replace(self._counts, **{name: getattr(self._counts, name) + n for name, n in more.items()})

    def put(self, event: Mapping[str, Any]) -> None:
        """Takes an event, or drops it when there is no room or it is over."""
        with self.lock:
            full = len(self._events) + self._posting >= self._room or self._over.is_set()
            if not full:
                self._idle.clear()
                self._events.append(event)
            many = len(self._events) >= MOST_EVENTS
        if full:
            self.count(dropped=1)
            self.warn("room", "quell.emit has no room for more events, or was closed; they are dropped")
        elif self._thread is None:
            self._start()
        if many:
            self._wake.set()

    def flush(self, timeout_s: float) -> bool:
        """Whether everything was posted (or given up) in that time."""
        self._wake.set()
        return self._idle.wait(timeout_s)

    def close(self, timeout_s: float) -> None:
        """Posts what waits, as far as it can in that time; what is told from now on is dropped."""
        self.flush(timeout_s)
        self._over.set()
        self._wake.set()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(min(timeout_s, 1.0))
        with self.lock:
            left = len(self._events)
            self._events.clear()
        if left:
            self.count(dropped=left)

    def warn(self, key: str, text: str) -> None:
        """Once for each kind of trouble, for this may happen a thousand times a second."""
        if key not in self._warned:
            self._warned.add(key)
            LOG.warning("%s", text)

    # The thread

    def _start(self) -> None:
        """Begins to send, unless it did. Where the system has no thread to give it is tried again at the next event."""
        with self.lock:
            if self._thread is not None:
                return
            thread = self._thread = threading.Thread(target=self._run, name="quell-emit", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            with self.lock:
                self._thread = None
            self.warn("thread", f"quell.emit cannot begin to send: {error}; events wait, and it tries again")

    def _run(self) -> None:
        while not self._over.is_set():
            self._wake.wait(self._target.every_s)
            self._wake.clear()
            while not self._over.is_set() and (taken := self._take()) is not None:
                try:
                    self._deliver(*taken)
                except Exception as error:  # noqa: BLE001 - whatever it was, what is told from now on is to go out
                    self._settle(taken[1], dropped=taken[1])
                    self.warn("post", f"quell.emit cannot post events: {error!r}; they are dropped")

    def _take(self) -> tuple[bytes, int] | None:
        """The next post and how many events are in it; None when nothing waits."""
        lines: list[bytes] = []
        size = 0
        while len(lines) < MOST_EVENTS and size < MOST_BYTES:
            with self.lock:
                if not self._events:
                    if not lines:
                        self._idle.set()
                    break
                event = self._events.popleft()
                self._posting += 1
            line = _line(event)
            if line is None or len(line) > MOST_BYTES:
                self._settle(1, refused=1)
                self.warn("event", "quell.emit was told something that is no JSON, or too large; it is dropped")
                continue
            lines.append(line)
            size += len(line)
        return (b"\n".join(lines), len(lines)) if lines else None

    def _settle(self, events: int, **became: int) -> None:
        """It is known what became of so many that were being posted."""
        with self.lock:
            self._posting -= events
            told = {name: getattr(self._counts, name) + n for name, n in became.items()}
            self._counts = replace(self._counts, **told)

    def _deliver(self, body: bytes, events: int) -> None:
        """Posts until there is an answer that says what became of it, or it is over."""
        self._posts += 1
        key, tries = f"{self._name}-{self._posts}", 0
        while True:
            try:
                status, answer, wait_s = self._post(body, key)
            except (OSError, HTTPException, ValueError) as error:
                status, answer, wait_s = 0, str(error).encode(), 0.0
            if 200 <= status < 300:
                refused = min(_refused(answer), events)
                self._settle(events, sent=events - refused, refused=refused)
                if refused:
                    self.warn("part", f"quell could not read some events: {answer[:300].decode(errors='replace')}")
                return
            told = answer[:300].decode(errors="replace")
            if status and status != _OVERLOADED and status < 500:
                self._settle(events, refused=events)
                self.warn(f"status {status}", f"quell refused events with status {status}: {told}; they are dropped")
                return
            self.warn("away", f"quell does not take events ({status or 'no answer'}: {told}); trying again")
            tries += 1
            longest = min(0.25 * 2.0 ** min(tries, 10), LONGEST_WAIT_S)
            if self._over.wait(max(wait_s, longest * (0.5 + random() / 2.0))):  # noqa: S311 - no secret
                self._settle(events, dropped=events)
                return

    def _post(self, body: bytes, key: str) -> tuple[int, bytes, float]:
        """Status, answer, and how long quell wants to be left alone."""
        url = urlsplit(self._target.url)
        kind = HTTPSConnection if url.scheme == "https" else HTTPConnection
        connection = kind(url.hostname or "", url.port, timeout=self._target.timeout_s)
        headers = {"Content-Type": "application/x-ndjson", "Idempotency-Key": key}
        if self._target.token:
            headers["Authorization"] = f"Bearer {self._target.token}"
        try:
            path = f"{url.path or '/'}{'?' if url.query else ''}{url.query}"
            connection.request("POST", path, body, headers)
            answer = connection.getresponse()
            wait = answer.getheader("Retry-After", "")
            told = _read(answer, time.monotonic() + self._target.timeout_s)
            return answer.status, told, min(float(wait), 300.0) if wait.isdecimal() else 0.0
        finally:
            connection.close()


def _read(answer: HTTPResponse, until: float) -> bytes:
    """The beginning of an answer, as much as comes until then: one that trickles in holds up nothing."""
    told = b""
    while len(told) < MOST_ANSWER and time.monotonic() < until and (part := answer.read1(MOST_ANSWER)):
        told += part
    return told[:MOST_ANSWER]


def _line(event: Mapping[str, Any]) -> bytes | None:
    with suppress(Exception):  # whatever it is that a caller's values do when they are read: the event is counted
        return dumps({name: _plain(value) for name, value in event.items()}, separators=(",", ":")).encode()
    return None


def _plain(value: Any) -> Any:
    """Numbers of other kinds (numpy's) as Python's; NaN and infinities, for which JSON has no words, as text."""
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, Decimal):
        value = float(value)
    if hasattr(value, "item") and not isinstance(value, (str, int, float)):
        value = value.item()
    if isinstance(value, float):
        if value != value:  # noqa: PLR0124 - NaN
            return "NaN"
        return float(value) if abs(value) != float("inf") else "Infinity" if value > 0 else "-Infinity"
    if value is None or isinstance(value, (str, int, bool)):
        return value
    return str(value)


def _refused(answer: bytes) -> int:
    """How many events the answer says could not be read."""
    with suppress(ValueError, TypeError, OverflowError, RecursionError):
        told = loads(answer)
        return max(int(told.get("refused", 0)), 0) if isinstance(told, dict) else 0
    return 0


_SENDERS: WeakSet[Sender] = WeakSet()


def _after_fork() -> None:
    for sender in list(_SENDERS):
        sender._begin()  # noqa: SLF001 - of this module


def _at_exit() -> None:
    until = time.monotonic() + 3.0
    for sender in list(_SENDERS):
        sender.close(max(until - time.monotonic(), 0.0))


atexit.register(_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
