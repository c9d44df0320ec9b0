from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import pytest

from quell.config import load
from quell.config.loading import RulesAt
from quell.config.starter import write_starter
from quell.sdk.registry import find_connectors
from quell.trial.trying import Stage, test_files, try_files

SPECS = {name: connector.spec for name, connector in find_connectors().connectors.items()}


@dataclass
class House:
    """A configuration in which tests are tried."""

    directory: Path

    def playbook(self, name, text):
        (self.directory / "playbooks" / f"{name}.yaml").write_text(dedent(text))

    def test(self, text, name="some"):
        (self.directory / "playbooks" / f"{name}.test.yaml").write_text(dedent(text))

    def stage(self):
        loaded = load(self.directory, SPECS, {}, secrets_needed=False, rules=RulesAt(self.directory))
        return Stage.of(self.directory, loaded, SPECS)

    def tried(self, text=None, **how):
        if text is not None:
            self.test(text)
        return try_files(self.stage(), test_files(self.directory), **how)

    def failures(self, text, **how):
        """What was not as expected, as (line, what, want, got)."""
        tried = self.tried(text, **how)
        assert tried.problems == []
        (trial,) = tried.trials
        found = [*trial.failures, *trial.under_kills]
        assert trial.passed == (not found)
        return [(one.place.line, one.what, one.want, one.got) for one in found]

    def problems(self, text):
        """What is wrong with the file, as (line, column, message, suggestion)."""
        tried = self.tried(text)
        assert not tried.passed
        return [(one.line, one.column, one.message, one.suggestion) for one in tried.problems]


@pytest.fixture
def house(tmp_path):
    write_starter(tmp_path, "b" * 64, "first")
    for path in [*(tmp_path / "playbooks").iterdir(), *(tmp_path / "rules").glob("*.test.yaml")]:
        path.unlink()
    return House(tmp_path)
