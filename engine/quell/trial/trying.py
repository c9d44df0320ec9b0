"""Test files of a configuration: found, read, and tried out one after the other."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from quell.config.folders import YAML, files_below
from quell.config.loading import Loaded
from quell.config.nodes import MAX_BYTES, read_document
from quell.config.scenario import Scenario
from quell.config.test_file import Names, scenarios_of
from quell.errors import Problem
from quell.model.rulebook import Rulebook
from quell.model.times import format_duration
from quell.sdk.spec import Spec
from quell.trial.actions import Declared, declared
from quell.trial.crashes import crashed
from quell.trial.expectations import Failure
from quell.trial.play import play
from quell.trial.stage import staged

PATTERNS = ("*.test.yaml", "*.test.yml")


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of a scenario. ``under_kills`` are failures of the run with kills, which none without was."""

    scenario: Scenario
    failures: tuple[Failure, ...]
    under_kills: tuple[Failure, ...] = ()
    kills: int = 0
    took_s: float = 0.0
    log: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether everything was as expected."""
        return not self.failures and not self.under_kills


@dataclass(slots=True)
class Tried:
    """All trials, and what is wrong with the files that could not be tried."""

    trials: list[Trial] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether every file could be read and every scenario came out as expected."""
        return not self.problems and all(trial.passed for trial in self.trials)

    def complaints(self) -> list[Problem]:
        """Everything that is wrong, at its place: what is wrong with files, and each expectation that was not met."""
        unmet = [failure for trial in self.trials for failure in (*trial.failures, *trial.under_kills)]
        return [*self.problems, *map(_complaint, unmet)]


@dataclass(frozen=True, slots=True)
class Stage:
    """A checked configuration to try tests on. ``directory`` has rules/ and playbooks/ in it."""

    directory: Path
    rulebook: Rulebook
    declared: Declared

    @classmethod
    def of(cls, directory: Path, loaded: Loaded, specs: Mapping[str, Spec]) -> Stage:
        """The stage of a loaded configuration; ``specs`` are the installed connectors' declarations."""
        return cls(directory, loaded.rulebook, declared(loaded.settings.sources, specs))

    def names(self) -> Names:
        """What test files may speak of."""
        rules = {path.relative_to(self.directory).as_posix() for path in files_below(self.directory / "rules", YAML)}
        return Names(
            playbooks=frozenset(playbook.name for playbook in self.rulebook.playbooks),
            rules=frozenset(rules),
            actions=self.declared.names() | _measures(self.rulebook),
            detectors=frozenset(rule.name for rule in self.rulebook.detect),
        )


def _measures(rulebook: Rulebook) -> frozenset[str]:
    return frozenset(measure.name for playbook in rulebook.playbooks for measure in playbook.measures)


def test_files(directory: Path) -> list[Path]:
    """Every test file below a directory, in order; nothing hidden."""
    found = {path for pattern in PATTERNS for path in directory.rglob(pattern) if path.is_file()}
    return sorted(path for path in found if not any(p.startswith(".") for p in path.relative_to(directory).parts))


def try_files(stage: Stage, files: Iterable[Path], *, crash: bool = False, base: Path | None = None) -> Tried:
    """Tries every scenario of the files; ``crash``: also with kills where a scenario does not ask for it.

    Places are named relative to ``base``, the stage's directory if not given.
    """
    tried = Tried()
    names = stage.names()
    for path in files:
        for scenario in _read(path, base or stage.directory, names, tried.problems):
            tried.trials.append(try_scenario(stage, scenario, crash=crash))
    return tried


def try_scenario(stage: Stage, scenario: Scenario, *, crash: bool = False) -> Trial:
    """Plays a scenario, and again with kills if it asks for them and nothing was wrong so far."""
    began = time.perf_counter()
    rulebook = staged(stage.rulebook, scenario)
    whole = play(scenario, rulebook, stage.declared)
    log, kills, under_kills = whole.log, 0, []
    if (crash or scenario.crash) and not whole.failures:
        killed = crashed(scenario, rulebook, stage.declared, whole)
        kills, under_kills = killed.kills, killed.failures
        log = killed.log if under_kills else log
    return Trial(scenario, tuple(whole.failures), tuple(under_kills), kills, time.perf_counter() - began, tuple(log))


def _complaint(failure: Failure) -> Problem:
    message = f"test failed: {failure.what} after {format_duration(failure.after_s)}: want {failure.want}"
    return Problem(failure.place.file, failure.place.line, 1, message, f"got {failure.got}")


def _read(path: Path, base: Path, names: Names, problems: list[Problem]) -> list[Scenario]:
    name = path.relative_to(base).as_posix() if path.is_relative_to(base) else str(path)
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        problems.append(Problem(name, 0, 0, f"the file cannot be read: {error.strerror}"))
        return []
    document, found = read_document(name, data)
    problems.extend(found)
    return [] if document is None or found else scenarios_of(document, names, problems)
