"""The one thread on which the store is used: disk and database waits stay out of the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from threading import Thread, current_thread
from typing import Any, ParamSpec, TypeVar
from weakref import finalize

from quell.store.port import Store

_P = ParamSpec("_P")
_T = TypeVar("_T")
_Work = Callable[[], None]


class Writer:
    """Runs calls one after the other, in the order they were made.

    A thread of its own and no pool's: a group of deliveries waits for each step on the way there and back.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self._calls: SimpleQueue[_Work | None] = SimpleQueue()
        self._closed = False
        thread = Thread(target=_work, args=(self._calls,), name="quell-writer", daemon=True)
        thread.start()
        self._end = finalize(self, _ended, self._calls, thread)  # also where the interpreter ends without `close`

    def call(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> asyncio.Future[_T]:
        """The result of ``function`` on the writer's thread. A cancelled wait does not undo the call."""
        self._open()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[_T] = loop.create_future()

        def work() -> None:
            try:
                result = function(*args, **kwargs)
            except BaseException as error:  # noqa: BLE001 - whoever waits for it is told, and raises it there
                _told(loop, _failed, future, error)
            else:
                _told(loop, _done, future, result)

        self._calls.put(work)
        return future

    def submit(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        """The same for another thread than the event loop's, which waits by itself. Raises RuntimeError at the end."""
        self._open()
        future: Future[_T] = Future()
        future.set_running_or_notify_cancel()  # nobody cancels it: the thread could not tell its result then

        def work() -> None:
            try:
                result = function(*args, **kwargs)
            except BaseException as error:  # noqa: BLE001 - as above
                future.set_exception(error)
            else:
                future.set_result(result)

        self._calls.put(work)
        return future

    def _open(self) -> None:
        if self._closed:
            raise RuntimeError("the writer has ended")

    async def close(self) -> None:
        """Closes the store after everything that waits, then ends the thread."""
        closing = self.call(self.store.close)
        self._closed = True
        try:
            await closing
        finally:
            self._calls.put(None)
            self._end.detach()


def _work(calls: SimpleQueue[_Work | None]) -> None:
    while (call := calls.get()) is not None:
        call()
        del call  # what it holds is not kept until the next one comes


def _ended(calls: SimpleQueue[_Work | None], thread: Thread) -> None:
    """Does all that waits, and ends the thread."""
    calls.put(None)
    if thread is not current_thread():
        thread.join()


def _told(loop: asyncio.AbstractEventLoop, how: Callable[..., None], future: asyncio.Future[Any], what: Any) -> None:
    try:
        loop.call_soon_threadsafe(how, future, what)
    except RuntimeError:
        if not loop.is_closed():
            raise
        # Nobody is there to be told.


def _done(future: asyncio.Future[Any], result: Any) -> None:
    if not future.done():
        future.set_result(result)


def _failed(future: asyncio.Future[Any], error: BaseException) -> None:
    if not future.done():
        # A future refuses that one, and whoever waits would wait for ever.
        future.set_exception(RuntimeError(repr(error)) if isinstance(error, StopIteration) else error)
