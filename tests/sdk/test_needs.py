"""A test that needs a program says which one is missing, and in CI fails for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from conftest import pytest_runtest_setup


class Item:
    def __init__(self, *programs: str) -> None:
        self.programs = programs

    def iter_markers(self, name: str) -> Iterator[pytest.Mark]:
        assert name == "needs"
        yield pytest.mark.needs(*self.programs).mark


def test_present_programs_are_no_reason_to_skip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "1")
    pytest_runtest_setup(Item("sh"))  # type: ignore[arg-type]


def test_missing_ones_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="needs no-such-tool and nor-this on PATH"):
        pytest_runtest_setup(Item("no-such-tool", "sh", "nor-this"))  # type: ignore[arg-type]
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="needs no-such-tool"):
        pytest_runtest_setup(Item("no-such-tool"))  # type: ignore[arg-type]
