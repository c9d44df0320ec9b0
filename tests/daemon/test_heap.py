"""What is free goes back to the system; a C library that cannot be asked is no fault."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from quell.daemon.heap import _glibc, few_heaps, give_back, giving_back


def test_to_give_back_is_harmless() -> None:
    few_heaps()
    kept = [bytes(3000) for _ in range(1000)]
    del kept[::2]
    give_back()
    assert all(len(one) == 3000 for one in kept)
    assert _glibc("quell_no_such_function") is None


def test_it_goes_on_until_it_is_cancelled() -> None:
    async def story() -> None:
        task = asyncio.create_task(giving_back())
        done, _ = await asyncio.wait({task}, timeout=0.05)
        assert not done
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        assert task.cancelled()

    asyncio.run(story())
