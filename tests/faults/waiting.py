"""Waits for what has to become true."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def wait_for(what: str, holds: Callable[[], Any], within_s: float = 60.0) -> None:
    """Returns once it holds; the limit is generous, for nothing here is about speed."""
    end = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < end, what
        time.sleep(0.03)
