from collections.abc import Iterator
from pathlib import Path

import pytest

from postgres_server import Databases
from quell.store.opening import open_store
from quell.store.port import Store


@pytest.fixture(params=["memory:", "sqlite:///quell.db", "postgresql:"], ids=["memory", "sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    """Where a new store is, of each kind."""
    kind: str = request.param
    return kind if kind != "postgresql:" else request.getfixturevalue("postgres").new_store()


@pytest.fixture
def postgres_url(postgres: Databases) -> str:
    """Where an empty store in PostgreSQL is."""
    return postgres.new_store()


@pytest.fixture
def store(url: str, tmp_path: Path) -> Iterator[Store]:
    opened = open_store(url, tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def sql(tmp_path: Path) -> Iterator[Store]:
    opened = open_store("sqlite:///quell.db", tmp_path, busy_timeout_s=0.05)
    yield opened
    opened.close()
