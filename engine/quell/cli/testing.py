"""The command ``test``: scenarios of ``*.test.yaml`` against the real core, on a virtual clock, without a network."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from quell.cli.as_json import as_json, print_json
from quell.cli.exits import FAILED, FINE, MISCONFIGURED, Failed
from quell.cli.harmless import harmless
from quell.cli.loading import loaded_from
from quell.config.loading import MAIN_FILE, RulesAt
from quell.model.times import format_duration
from quell.sdk.registry import installed
from quell.trial.expectations import Failure
from quell.trial.trying import PATTERNS, Stage, Trial, Tried, test_files, try_files

_PATH = click.Path(exists=True, path_type=Path)


@click.command("test")
@click.argument("paths", metavar="[PATH]...", nargs=-1, type=_PATH)
@click.option("--crash", is_flag=True, help="Also run every scenario with a kill after every commit.")
@click.option("-v", "--verbose", is_flag=True, help="Say what happened in every scenario, not only in failed ones.")
@click.option(
    "--config",
    type=_PATH,
    help="Where quell.yaml is, if not above PATH: its sources say which actions there are.",
)
@as_json
def test(paths: Sequence[Path], *, crash: bool, verbose: bool, config: Path | None, as_json: bool) -> int:
    """Try playbooks and rules: run the scenarios of the *.test.yaml files at PATH, a file or directory (default: here).

    Each is played against the real core on a virtual clock; nothing outside is asked. The exit code is 1 if an
    expectation is not met, 2 if a file cannot be read. What a file may hold: docs/how-to/test-playbooks.md.
    """
    began = time.perf_counter()
    connectors, tried = installed(), Tried()
    for home, files in _by_home(paths or [Path()], elsewhere=config is not None).items():
        loaded = loaded_from(config or home, secrets_needed=False, rules=RulesAt(home), connectors=connectors)
        stage = Stage.of(home, loaded, connectors.specs)
        found = try_files(stage, files, crash=crash)
        tried.trials += found.trials
        tried.problems += found.problems
    if not tried.trials and not tried.problems:
        raise Failed(
            f"no test was found; a test is a file that ends in {PATTERNS[0][1:]}, beside the playbooks or rules"
        )
    if as_json:
        print_json(_as_json(tried))
    else:
        _say(tried, verbose=verbose, took_s=time.perf_counter() - began)
    return MISCONFIGURED if tried.problems else FINE if tried.passed else FAILED


def _by_home(paths: Sequence[Path], *, elsewhere: bool) -> Mapping[Path, list[Path]]:
    """The test files at the paths, by the directory that they belong to. Raises `Failed`.

    It is the one with quell.yaml, or if that is ``elsewhere`` the one above rules/ or playbooks/.
    """
    found: dict[Path, list[Path]] = {}
    for path in paths:
        for file in [path] if path.is_file() else test_files(path):
            home = _above_folders(file) if elsewhere else _home_of(file)
            known = found.setdefault(home, [])
            absolute = file.absolute()
            if absolute not in known:
                known.append(absolute)
    return found


def _home_of(file: Path) -> Path:
    for directory in file.absolute().parents:
        if (directory / MAIN_FILE).is_file():
            return directory
    raise Failed(
        f"{file}: no {MAIN_FILE} in its directory or above; it says which actions there are. "
        'Run "quell init DIR" and put your playbooks below DIR/playbooks'
    )


def _above_folders(file: Path) -> Path:
    directories = list(file.absolute().parents)
    inside = (one.parent for one in directories if one.name in {"rules", "playbooks"})
    return next(inside, directories[0])


def _say(tried: Tried, *, verbose: bool, took_s: float) -> None:
    for trial in tried.trials:
        kills = f", {trial.kills} kills" if trial.kills else ""
        verdict = click.style("ok  ", fg="green") if trial.passed else click.style("FAIL", fg="red")
        click.echo(f"{verdict} {trial.scenario.place.file}: {trial.scenario.name} ({trial.took_s:.2f} s{kills})")
        for line in (*_failures(trial.failures, ""), *_failures(trial.under_kills, " (with kills)")):
            click.echo(line)
        if verbose or not trial.passed:
            click.echo("".join(f"     | {line}\n" for line in trial.log), nl=False)
    for problem in tried.problems:
        click.echo(harmless(str(problem)), err=True)
    failed = sum(not trial.passed for trial in tried.trials)
    files = len({trial.scenario.place.file for trial in tried.trials})
    parts = [f"{len(tried.trials) - failed} passed", *([f"{failed} failed"] if failed else [])]
    if tried.problems:
        count = len(tried.problems)
        parts.append(f"{count} problem{'s' * (count != 1)} in files that were not tried")
    tests = len(tried.trials)
    click.echo(
        f"{tests} test{'s' * (tests != 1)} in {files} file{'s' * (files != 1)}: {', '.join(parts)} ({took_s:.1f} s)"
    )


def _failures(failures: Sequence[Failure], how: str) -> Iterator[str]:
    for one in failures:
        yield f"     {one.place.file}:{one.place.line}: after {format_duration(one.after_s)}, {one.what}{how}"
        yield f"       want: {one.want}"
        yield f"       got:  {one.got}"


def _as_json(tried: Tried) -> dict[str, Any]:
    def plain(failure: Failure, *, crash: bool) -> dict[str, Any]:
        return {
            "file": failure.place.file,
            "line": failure.place.line,
            "after_s": failure.after_s,
            "what": failure.what,
            "want": failure.want,
            "got": failure.got,
            "crash": crash,
        }

    def of(trial: Trial) -> dict[str, Any]:
        return {
            "test": trial.scenario.name,
            "file": trial.scenario.place.file,
            "line": trial.scenario.place.line,
            "passed": trial.passed,
            "kills": trial.kills,
            "took_s": round(trial.took_s, 3),
            "failures": [
                *(plain(one, crash=False) for one in trial.failures),
                *(plain(one, crash=True) for one in trial.under_kills),
            ],
        }

    return {"passed": tried.passed, "tests": [of(trial) for trial in tried.trials], "problems": tried.problems}


COMMANDS = {"test": test}
