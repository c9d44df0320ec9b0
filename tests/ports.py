"""Where the servers of tests listen."""

from __future__ import annotations

import itertools
import os
import re
import socket
from collections.abc import Iterator

LOWEST, HIGHEST = 12_000, 32_000
"""Below what kernels give out by themselves: a daemon that is killed and started again finds its port as it left it.

A port that the kernel chose could be given to another server, or to a client that connects to it, in between.
"""


def _ports() -> Iterator[int]:
    """This worker's own share of them, again and again, begun where no other run began just now."""
    worker = int(re.sub(r"\D", "", os.environ.get("PYTEST_XDIST_WORKER", "")) or 0)
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    share = (HIGHEST - LOWEST) // workers
    first, skipped = LOWEST + share * worker, os.getpid() * 97
    return (first + (skipped + number) % share for number in itertools.count())


_next = _ports()


def free_port() -> int:
    """A port of loopback that nobody listens on now, and nobody is given soon."""
    for port in itertools.islice(_next, HIGHEST - LOWEST):
        with socket.socket() as held:
            # As servers do: what closed connections left behind keeps nobody out.
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                held.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError(f"no port is free between {LOWEST} and {HIGHEST}")
