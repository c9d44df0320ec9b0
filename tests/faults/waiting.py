"""Waits for what has to become true; looks at a process from outside."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def wait_for(what: str, holds: Callable[[], Any], within_s: float = 60.0) -> None:
    """Returns once it holds; the limit is generous, for nothing here is about speed."""
    end = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < end, what
        time.sleep(0.03)


def resident_mb(pid: int) -> float:
    """The memory that a process holds now."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024
