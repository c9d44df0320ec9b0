"""The command ``suggest``: what the past speaks for, as a rules file to review."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import msgspec

from quell.cli.asking import Asked, asks_daemon
from quell.cli.client import segment
from quell.cli.exits import Failed
from quell.config.suggested import rules_file
from quell.model.habits import Suggestion
from quell.model.times import format_time

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_HEAD = """Suggested by quell{since}. Nothing of this is in force.
Review it, keep what is right in a file below rules/, and run quell check.
What is wrong is turned down for good with: quell suggest --reject ID"""


@click.command("suggest")
@click.argument("streams", metavar="[RECORDS]...", nargs=-1, type=_FILE)
@click.option(
    "--config", type=click.Path(exists=True, path_type=Path), help="With RECORDS: the directory with quell.yaml."
)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write the file here, not to the output.")
@click.option("--diff", is_flag=True, help="Print it as a change of the daemon's rules files, for git apply.")
@click.option("--reject", metavar="ID", default="", help="Turn the suggestion with this id down, for good.")
@click.option("--note", default="", help="With --reject: why; kept in the audit trail.")
@asks_daemon
def suggest(
    asked: Asked, streams: Sequence[Path], *, config: Path | None, out: Path | None, diff: bool, reject: str, note: str
) -> None:
    """Print rules and dependencies that the past speaks for, as a rules file with the evidence in comments.

    They come from what a running daemon noticed over the last weeks or, with RECORDS, from recorded files, which are
    replayed offline. Other limits for detectors, of whose alerts people said that they were nothing, real or missed,
    only a daemon suggests. Nothing is ever put in force: review the file, keep what is right below rules/, run quell
    check.

    The exit code is 0 with and without suggestions, 1 when the daemon could not be asked or said no, 2 for wrong usage.
    """
    if config is not None and not streams:
        raise click.UsageError("--config goes with RECORDS; a daemon has a configuration of its own")
    if diff and streams:
        raise click.UsageError("--diff is about the rules files of a daemon; it does not go with RECORDS")
    if reject:
        if streams or diff or out is not None:
            raise click.UsageError("--reject asks a daemon; it goes with neither RECORDS nor --diff nor --out")
        told = asked.client.post(f"/suggestions/{segment(reject)}/reject", {"note": note})
        asked.answer(told, lambda: click.echo(f"{reject}: {told['text']}"))
        return
    answer = _from_records(streams, config) if streams else asked.client.get("/suggestions")
    asked.answer(answer, lambda: _show(answer, out, diff=diff))


def _show(answer: dict[str, Any], out: Path | None, *, diff: bool) -> None:
    found = msgspec.convert(answer["suggestions"], list[Suggestion])
    since = answer.get("from_time")
    from_when = f" from alerts since {format_time(since) if isinstance(since, float) else since}" if since else ""
    if not found:
        click.echo(f"nothing to suggest{from_when or ': nothing was noticed yet'}", err=True)
    text = str(answer.get("diff", "")) if diff else rules_file(found, _HEAD.format(since=from_when))
    if out is None:
        click.echo(text, nl=False)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Failed(f"--out: {out} cannot be written: {error.strerror or error}") from error
    click.echo(f"{out}: {len(found)} suggestion{'s' * (len(found) != 1)} to review")


def _from_records(streams: Sequence[Path], config: Path | None) -> dict[str, Any]:
    """The answer that a daemon would give that had been told all this."""
    from quell.cli.replaying import opened
    from quell.core.suggest import suggested
    from quell.model.wire import to_wire
    from quell.replay.run import SETTLE_S, replayed

    reader, rulebook = opened(config, strict=False)
    engine = replayed(reader.read_all(list(streams)), rulebook, settle_s=SETTLE_S).engine
    if reader.problems:
        click.echo(f"left out {len(reader.problems)} that could not be read; quell replay lists them", err=True)
    told: dict[str, Any] = to_wire(suggested(engine.state, rulebook, to_the_end=True))
    return told


COMMANDS = {"suggest": suggest}
