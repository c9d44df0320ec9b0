"""What all tests share: programs of the machine are asked for by name, and no example fails because it was slow.

A test that needs a program says so: ``@pytest.mark.needs("amtool")``. One that needs PostgreSQL takes ``postgres``, or
``postgres_server`` if the server is to be ended and started again.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from postgres_server import Databases, PostgresServer

DETERMINISTIC = frozenset({"benchmarks", "config", "core", "docs", "expressions", "picture", "rca", "replay"})
"""Folders whose tests see no other process, no socket and no real clock; all others get a second try, which is told."""

settings.register_profile("busy", parent=settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    tests = Path(__file__).parent
    for item in items:
        if item.path.relative_to(tests).parts[0] not in DETERMINISTIC:
            item.add_marker(pytest.mark.flaky(reruns=1))


def pytest_runtest_setup(item: pytest.Item) -> None:
    missing = [name for mark in item.iter_markers("needs") for name in mark.args if shutil.which(name) is None]
    if not missing:
        return
    text = f"needs {' and '.join(missing)} on PATH; on Debian: apt-get install prometheus prometheus-alertmanager"
    if os.environ.get("CI"):
        pytest.fail(text, pytrace=False)
    pytest.skip(text)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A server of the tests' own; whoever ends it starts it again."""
    server = PostgresServer()
    yield server
    server.close()


@pytest.fixture(scope="session")
def postgres(request: pytest.FixtureRequest) -> Iterator[Databases]:
    """Makes databases, on the server that QUELL_TEST_POSTGRES names (the URL of a database there), or on our own."""
    url = os.environ.get("QUELL_TEST_POSTGRES")
    databases = Databases(url or request.getfixturevalue("postgres_server").url("postgres"))
    yield databases
    databases.close()
