from collections.abc import Iterator
from pathlib import Path

import pytest

from quell.store.opening import open_store
from quell.store.port import Store


@pytest.fixture(params=["memory:", "sqlite:///quell.db"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    opened = open_store(request.param, tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def sql(tmp_path: Path) -> Iterator[Store]:
    opened = open_store("sqlite:///quell.db", tmp_path, busy_timeout_s=0.05)
    yield opened
    opened.close()
