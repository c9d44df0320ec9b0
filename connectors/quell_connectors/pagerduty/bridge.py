"""PagerDuty's own client at work in a thread, held: what it sends goes out by the connector's guarded HTTP client.

The package waits in threads, repeats by itself and has an HTTP client of its own. Here it composes requests and reads
answers, and nothing more: each request is handed back to the event loop, where it is guarded, limited in time and ended
like any other, and an answer that is not a yes becomes one of our errors before the package sees it. So it never waits,
never repeats, and when a step's time is over it can send nothing more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextvars import copy_context
from threading import Lock
from typing import TypeVar

from quell.errors import NoAnswer, Unreachable
from quell.sdk.http import Answer, Http, checked
from quell.sdk.json_api import LONGEST_S
from quell.sdk.secret import Secret

T = TypeVar("T")
Judge = Callable[[Answer, str], None]
WORKERS = 8
"""So many calls of the package at once, over all sources; a thread does nothing but wait for its request."""
_GRACE_S = 5.0
"""The HTTP client ends a request in time; only a loop that is gone does not."""
_threads = ThreadPoolExecutor(WORKERS, "pagerduty")


class Bridge:
    """One call of the package, from the thread that it runs in back to the event loop that it was made from.

    ``judge`` may raise for an answer, given it and who answered; then `checked` does. ``answer`` is the last one.
    """

    def __init__(self, http: Http, judge: Judge, hide: Collection[Secret | None], timeout_s: float) -> None:
        self._http = http
        self._judge = judge
        self._hide = hide
        self._loop = asyncio.get_running_loop()
        self._end = self._loop.time() + min(timeout_s, LONGEST_S)
        self._lock = Lock()
        self._over = False
        self._asked: Future[Answer] | None = None
        self.answer: Answer | None = None
        self.who = "PagerDuty"

    async def run(self, work: Callable[[], T]) -> T:
        """What ``work`` returns, done in a thread. Cancelled, nothing more is sent; what is under way is broken off."""
        try:
            # The context goes with it: it holds the permit to act, which is asked for before each request.
            return await self._loop.run_in_executor(_threads, copy_context().run, work)
        finally:
            self._stop()

    def ask(self, method: str, url: str, path: str, headers: Mapping[str, str], data: bytes | None) -> Answer:
        """One request, from the thread. Raises `Unreachable`, `NoAnswer` and `Refused`; every answer is a yes."""
        self.who = f"PagerDuty ({method} {path})"
        with self._lock:
            left_s = self._end - self._loop.time()
            if self._over or left_s <= 0.0:
                raise Unreachable(f"{self.who} was not asked: there was no time left")
            asking = self._http.request(method, url, headers=headers, data=data, timeout_s=left_s)
            try:
                self._asked = asyncio.run_coroutine_threadsafe(asking, self._loop)
            except RuntimeError as error:  # the loop was closed, and quell ends
                asking.close()
                raise Unreachable(f"{self.who} was not asked: quell ends") from error
        try:
            answer = self._asked.result(left_s + _GRACE_S)
        except (CancelledError, TimeoutError) as error:
            self._asked.cancel()
            raise NoAnswer(f"{self.who} was broken off before it answered") from error
        self._judge(answer, self.who)
        self.answer = checked(answer, self.who, self._hide)
        return answer

    def _stop(self) -> None:
        with self._lock:
            self._over = True
            if self._asked is not None:
                self._asked.cancel()
