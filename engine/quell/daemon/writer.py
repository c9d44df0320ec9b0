"""The one thread on which the store is used: disk and database waits stay out of the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from quell.store.port import Store

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Writer:
    """Runs calls one after the other, in the order they were made."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="quell-writer")

    async def call(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """The result of ``function`` on the writer's thread. A cancelled wait does not undo the call."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, lambda: function(*args, **kwargs))

    def submit(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        """The same for another thread than the event loop's, which waits by itself. Raises RuntimeError at the end."""
        return self._thread.submit(function, *args, **kwargs)

    async def close(self) -> None:
        """Closes the store after everything that waits, then ends the thread."""
        try:
            await self.call(self.store.close)
        finally:
            self._thread.shutdown(wait=False)
