"""One door out: what goes wrong becomes a message and an exit code."""

import subprocess
import sys

import click
import pytest

from quell.cli import exits, main
from quell.errors import Misconfigured, Problem, StoreError


def raising(error):
    def command():
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (Misconfigured([Problem("b.yaml", 2, 1, "late"), Problem("a.yaml", 1, 3, "early", "do this")]), 2,
         "a.yaml:1:3: early; do this\nb.yaml:2:1: late\n2 problems in 2 files\n"),
        (exits.Failed("it is closed"), 1, "it is closed\n"),
        (StoreError("the disk is full"), 1, "the disk is full\n"),
        (PermissionError(13, "Permission denied", "/root/x"), 1, "/root/x: Permission denied\n"),
        (FileNotFoundError(2, "No such file or directory", "there/x"), 1, "there/x: No such file or directory\n"),
        (OSError(28, "No space left on device"), 1, "No space left on device\n"),
        (click.UsageError("no such option"), 2, "Error: no such option\n"),
        (KeyboardInterrupt(), 130, "\ninterrupted\n"),
        (click.Abort(), 130, "\ninterrupted\n"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)  # fmt: skip
def test_exit_codes(capsys, error, code, said):
    assert exits.leave(raising(error)) == code
    assert capsys.readouterr().err == said


def test_a_bug_gives_a_report_without_arguments(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["quell", "--token", "status", "qll_secret"])
    assert exits.leave(raising(ZeroDivisionError("oh"))) == 3
    said = capsys.readouterr().err
    assert "this is a bug in quell (ZeroDivisionError)" in said
    assert "ZeroDivisionError: oh" in said
    assert "Python 3." in said
    assert "qll_secret" not in said


@pytest.mark.parametrize("error", [OSError(9, "Bad file descriptor"), OSError(2, "No such file"), OSError("oh")])
def test_what_no_file_of_the_user_explains_is_a_bug(capsys, error):
    assert exits.leave(raising(error)) == 3
    assert "this is a bug in quell" in capsys.readouterr().err


def test_a_command_chooses_its_code_and_else_it_is_0():
    assert exits.leave(lambda: 7) == 7
    assert exits.leave(lambda: None) == 0
    assert exits.leave(lambda: "text") == 0


def quell(*words, **options):
    command = [sys.executable, "-m", "quell.cli", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, **options)


def test_help_lists_every_command_without_loading_any():
    shown = quell("--help")
    assert shown.returncode == 0
    for name, (_, summary) in main.COMMANDS.items():
        assert f"  {name} " in shown.stdout
        assert summary.split(maxsplit=1)[0] in shown.stdout


@pytest.mark.parametrize("name", main.COMMANDS)
def test_every_command_has_help(name, capsys):
    assert main.run([name, "--help"]) == 0
    assert f"quell {name}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["incident"], 'unknown command "incident"; did you mean "incidents"?'),
        (["zzz"], 'unknown command "zzz"; quell --help lists them'),
        (["incidents", "--limit", "many"], "'many' is not a valid integer range"),
        (["show"], "Missing argument 'INCIDENT'"),
        (["replay", "no-such-file", "--out", "x"], "does not exist"),
        (["serve"], "Missing option '-c'"),
    ],
)
def test_wrong_usage_is_2(capsys, words, message):
    assert main.run(words) == 2
    assert message in capsys.readouterr().err


def test_output_that_nobody_reads_is_no_error():
    command = f"{sys.executable} -m quell.cli explain actions | head -n 1"
    shown = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert (shown.returncode, shown.stderr) == (0, "")


def test_version(capsys):
    assert main.run(["version"]) == 0
    told = capsys.readouterr().out
    assert main.run(["--version"]) == 0
    assert capsys.readouterr().out == told
