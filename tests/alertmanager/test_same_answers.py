"""A real Alertmanager and quell are asked the same and answer the same, but for a table of differences with reasons."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from alertmanager.compare import Said, answers
from alertmanager.differences import STATUSES, WORDS, comparable
from alertmanager.harness import InProcess
from alertmanager.requests import CONFIG, asks
from alertmanager.servers import real_alertmanager, real_quell

NAMES = [ask.name for ask in asks(0.0)]


def now() -> float:
    """The time about which a server is asked, when it is up: a whole second, so that all are asked alike."""
    return float(int(time.time()))


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Said]]:
    with real_alertmanager(tmp_path_factory.mktemp("alertmanager"), CONFIG) as server:
        yield answers(server, now())


@pytest.fixture(scope="module")
def of_the_core() -> dict[str, Said]:
    return answers(InProcess(), now())


@pytest.fixture(scope="module")
def of_the_daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Said]]:
    with real_quell(tmp_path_factory.mktemp("quell")) as server:
        yield answers(server, now())


@pytest.mark.needs("prometheus-alertmanager")
@pytest.mark.parametrize("name", NAMES)
def test_the_connector_answers_the_same(name: str, theirs: dict[str, Said], of_the_core: dict[str, Said]) -> None:
    assert comparable(name, of_the_core[name], ours=True) == comparable(name, theirs[name], ours=False)


@pytest.mark.needs("prometheus-alertmanager")
@pytest.mark.parametrize("name", NAMES)
def test_the_daemon_answers_the_same(name: str, theirs: dict[str, Said], of_the_daemon: dict[str, Said]) -> None:
    assert comparable(name, of_the_daemon[name], ours=True) == comparable(name, theirs[name], ours=False)


def test_the_list_is_long_and_names_are_its_own() -> None:
    assert len(NAMES) == len(set(NAMES)) >= 30
    assert (WORDS.keys() | STATUSES.keys()) <= set(NAMES)
