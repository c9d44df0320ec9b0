"""Every test begins with a worker that has been told nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from daemon.parts import Worker


@pytest.fixture(autouse=True)
def worker_told_nothing() -> Iterator[None]:
    Worker.reset()
    yield
    Worker.reset()
