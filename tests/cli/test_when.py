"""Options that are times: what is none is refused with the name of the option."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from quell.cli.when import moment, moment_of


@click.command()
@click.option("--since", callback=moment)
def told(since: float | None) -> None:
    click.echo(str(since))


@pytest.mark.parametrize("text", ["", "abc", "-3d", "2026-03-01T10:00:00", "0001-01-01T00:00:00Z"])
def test_what_is_no_time_is_refused(text: str) -> None:
    result = CliRunner().invoke(told, [f"--since={text}"])
    assert result.exit_code == 2
    assert f"Invalid value for '--since': \"{text}\" is neither a duration such as 7d nor a time" in result.output


def test_a_time_is_seconds_since_1970_and_what_is_left_out_is_none() -> None:
    assert CliRunner().invoke(told, ["--since=2026-03-01T10:00:00Z"]).output == "1772359200.0\n"
    assert CliRunner().invoke(told, []).output == "None\n"


def test_what_is_a_time() -> None:
    assert moment_of("2026-03-01T10:00:00Z") == 1_772_359_200.0
    assert moment_of("7d") is not None
    assert [moment_of(text) for text in ("HEAD", "main", "/tmp", "0001-01-01T00:00:00Z")] == [None] * 4
