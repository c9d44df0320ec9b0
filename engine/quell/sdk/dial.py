"""Connections for connectors whose vendor speaks no HTTP, under the guard that the HTTP client has.

A connector asks ``context.dial`` for a connected socket instead of connecting by itself: names that resolve inside are
refused there, as they are for HTTP, unless the configuration allows them.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Protocol, runtime_checkable

from quell.errors import Unreachable
from quell.sdk.addresses import Allowed

Dial = Callable[[str, int, float], Awaitable[socket.socket]]
"""Host, port and seconds to a connected socket that does not block. Raises `Unreachable`."""

permit: ContextVar[Callable[[], str] | None] = ContextVar("quell_permit", default=None)
"""Asked right before a request is sent, by whoever set it for the present task: why it may not be sent; "" if it may.

A process may be stopped for minutes between any two of its instructions, and wake up when somebody else has long done
its work. This is the last look at whether it may act still.
"""


@runtime_checkable
class Dials(Protocol):
    """An HTTP client that also connects for others."""

    async def dial(self, host: str, port: int, timeout_s: float) -> socket.socket: ...


async def nowhere(host: str, port: int, timeout_s: float) -> socket.socket:  # noqa: ARG001 -- nobody waits
    """The connections of a check or a replay: nothing outside is asked."""
    raise Unreachable(f"{host}:{port}: nothing outside is asked here")


async def dialled(allowed: Allowed, host: str, port: int, timeout_s: float) -> socket.socket:
    """A socket to the first address of ``host`` that may be spoken to and answers. Raises `Unreachable`."""
    place = f"{host}:{port}"
    loop = asyncio.get_running_loop()
    reasons: list[str] = []
    try:
        async with asyncio.timeout(timeout_s):
            for family, kind, protocol, _, address in await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM):
                trusted = host.lower().rstrip(".") in allowed.hosts
                refusal = "" if trusted else allowed.refusal(str(address[0]))
                if refusal:
                    reasons.append(f"was not asked: {refusal}; allow it by name if it is meant")
                    continue
                opened = socket.socket(family, kind, protocol)
                try:
                    opened.setblocking(False)
                    await loop.sock_connect(opened, address)
                except OSError as error:
                    opened.close()
                    reasons.append(f"cannot be connected to ({_os_reason(error)})")
                except BaseException:
                    opened.close()
                    raise
                else:
                    return opened
    except TimeoutError as error:
        raise Unreachable(f"{place} took no connection within {timeout_s:g} s") from error
    except (OSError, UnicodeError) as error:
        raise Unreachable(f"{place} has no address (the name cannot be resolved)") from error
    raise Unreachable(f"{place} {reasons[-1] if reasons else 'has no address'}")


def _os_reason(error: OSError) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    return (error.strerror or type(error).__name__).lower()
