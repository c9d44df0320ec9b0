"""Memory that is free and still the process's: what the C library keeps for later goes back to the system now and then.

A storm, a search for causes and a snapshot take much for a short while, in many small blocks among which others stay.
glibc gives back only what lies at the end of its heaps; asked, it gives back every free page. That takes it some ten
milliseconds for a hundred megabytes, without the interpreter's lock. Other C libraries are not asked.
"""

from __future__ import annotations

import asyncio
import ctypes
from collections.abc import Callable
from functools import cache

EVERY_S = 10.0
HEAPS = 2
"""Threads share so many heaps; glibc would make up to eight for each processor, and each keeps what was free in it."""
LARGE_BYTES = 1024 * 1024
"""A block from this size on is the system's again as soon as it is free. glibc would raise that bound to the largest
block it has seen, and put large ones among small ones that stay: what a snapshot is packed into, or a mapping of a
hundred thousand alerts that outgrew its place."""
_M_ARENA_MAX, _M_MMAP_THRESHOLD = -8, -3


@cache
def _glibc(name: str) -> Callable[..., int] | None:
    """A function of glibc; None where there is none of that name."""
    try:
        return getattr(ctypes.CDLL(None), name)  # type: ignore[no-any-return]
    except (AttributeError, OSError, TypeError):
        return None


def few_heaps() -> None:
    """To be called before threads are begun."""
    if (choose := _glibc("mallopt")) is not None:
        choose(_M_ARENA_MAX, HEAPS)
        choose(_M_MMAP_THRESHOLD, LARGE_BYTES)


def give_back() -> None:
    """Gives free pages back to the system; for a thread of its own, as it may take a while."""
    if (trim := _glibc("malloc_trim")) is not None:
        trim(0)


async def giving_back() -> None:
    """Does so every ten seconds until cancelled."""
    while True:
        await asyncio.to_thread(give_back)
        await asyncio.sleep(EVERY_S)
