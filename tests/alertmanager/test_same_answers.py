"""A real Alertmanager and quell are asked the same and answer the same, but for a table of differences with reasons."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from alertmanager.compare import Said, answers
from alertmanager.differences import STATUSES, WORDS, comparable
from alertmanager.harness import InProcess
from alertmanager.requests import CONFIG, asks
from alertmanager.servers import real_alertmanager

NOW = time.time()
NAMES = [ask.name for ask in asks(0.0)]


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Said]]:
    with real_alertmanager(tmp_path_factory.mktemp("alertmanager"), CONFIG) as server:
        yield answers(server, NOW)


@pytest.fixture(scope="module")
def ours() -> dict[str, Said]:
    return answers(InProcess(), NOW)


@pytest.mark.needs("prometheus-alertmanager")
@pytest.mark.parametrize("name", NAMES)
def test_same_answer(name: str, theirs: dict[str, Said], ours: dict[str, Said]) -> None:
    assert comparable(name, ours[name], ours=True) == comparable(name, theirs[name], ours=False)


def test_the_list_is_long_and_names_are_its_own() -> None:
    assert len(NAMES) == len(set(NAMES)) >= 30
    assert (WORDS.keys() | STATUSES.keys()) <= set(NAMES)
