"""A mapping of a source in a file of its own: read, checked at its place, and looked at for a reload."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from quell.config import check, load
from quell.config.building import set_up
from quell.config.loading import watched
from quell.errors import Misconfigured
from quell.sdk.http import NoHttp
from quell.sdk.registry import find_connectors

KINDS = find_connectors().connectors
SPECS = {name: kind.spec for name, kind in KINDS.items()}
MAIN = "sources:\n  otel:\n    use: otlp\n    prices: prices/models.yaml\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "quell.yaml").write_text(MAIN)
    (tmp_path / "prices").mkdir()
    (tmp_path / "prices" / "models.yaml").write_text("# a million tokens\ngpt-4o: {input: 2.5, output: 10}\n")
    return tmp_path


def options(folder: Path) -> Any:
    return load(folder, SPECS, {}, secrets_needed=False).settings.sources[0].options


def test_the_file_stands_for_the_mapping(folder: Path) -> None:
    assert options(folder)["prices"] == {"gpt-4o": {"input": 2.5, "output": 10}}
    assert folder / "prices" / "models.yaml" in watched(folder)


def test_mistakes_in_the_file_are_told_at_their_place(folder: Path) -> None:
    (folder / "prices" / "models.yaml").write_text("a: {input: 1}\na: {input: 2}\n")
    [problem] = [one for one in check(folder, SPECS, {}) if "models.yaml" in one.file]
    assert (problem.line, "twice" in problem.message or "again" in problem.message) == (2, True), problem


def test_a_file_that_is_not_there_is_told_where_it_is_named(folder: Path) -> None:
    (folder / "prices" / "models.yaml").unlink()
    [problem] = [one for one in check(folder, SPECS, {}) if "prices" in one.message]
    assert (problem.line, problem.message) == (4, 'the file "prices/models.yaml" cannot be read')


def test_what_is_no_mapping_is_told(folder: Path) -> None:
    (folder / "prices" / "models.yaml").write_text("- 1\n")
    assert any("a mapping" in one.message for one in check(folder, SPECS, {}))


def test_mistakes_in_prices_stop_a_configuration(folder: Path) -> None:
    (folder / "prices" / "models.yaml").write_text("gpt-4o: {input: cheap}\n")
    source = load(folder, SPECS, {}, secrets_needed=False).settings.sources[0]
    with pytest.raises(Misconfigured, match='"cheap" is not a price'):
        set_up(source, KINDS["otlp"], NoHttp())
