"""How fast the bare steps are on this machine: what quell's own rates are to be held against."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from load.bare import STEPS
from load.cases import Case, Row, rounds
from load.process import free_port, started
from load.servers import Server, wait_until_ready


@contextmanager
def bare(step: str) -> Iterator[Server]:
    """A server that goes up to one step."""
    with TemporaryDirectory(prefix="quell-load-") as folder:
        place, port = Path(folder), free_port()
        command = [sys.executable, str(Path(__file__).with_name("bare.py")), step, str(port), str(place / "bare.db")]
        with started(command, place, place / "log") as process:
            server = Server(f"bare {step}", process, port)
            wait_until_ready(server, "/", place / "log")
            yield server


def ladder(cases: Sequence[Case], count: int, say: Callable[[str], None]) -> list[Row]:
    """Every step on every case."""
    return rounds(cases, {f"bare, up to {step}": partial(bare, step) for step in STEPS}, count, say)
