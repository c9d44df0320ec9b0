"""Running an action of a connector against a real server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from connectors.desk import Desk, open_desk
from quell.sdk.connector import Call, Connector, Context, Done
from quell.sdk.http_client import GuardedHttp
from quell.sdk.testkit import NOW, run

Act = Callable[..., Awaitable[Done]]


def at_the_desk(kind: type[Connector], work: Callable[[Desk, Act], Awaitable[None]], **options: Any) -> None:
    """Runs ``work(desk, act)``; ``act(action, call_key=…, dry_run=…, timeout_s=…, **params)`` performs an action."""

    async def inner() -> None:
        http = GuardedHttp(["loopback"])
        try:
            async with open_desk() as desk:
                built: Any = kind({"url": desk.url, **options}, Context("src", http))

                async def act(
                    action: str,
                    call_key: str = "run-1/s/1",
                    dry_run: bool = False,
                    timeout_s: float = 5.0,
                    **params: Any,
                ) -> Done:
                    done = await built.act(Call(call_key, action, params, NOW, dry_run, timeout_s))
                    assert isinstance(done, Done)
                    return done

                await work(desk, act)
        finally:
            await http.close()

    run(inner())
