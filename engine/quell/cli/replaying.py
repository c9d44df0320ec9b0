"""The command ``replay``: the same core, offline, fed by files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import click

from quell.cli.exits import Failed
from quell.cli.harmless import harmless
from quell.cli.loading import loaded_from
from quell.cli.when import span
from quell.config.settings import Source
from quell.errors import Problem
from quell.model.rulebook import Rulebook
from quell.model.times import format_duration
from quell.replay.collector import seldom_collected
from quell.replay.deliveries import deliveries_for
from quell.replay.reader import Reader
from quell.replay.results import write_results
from quell.replay.run import SETTLE_S, Outcome, replay
from quell.sdk.registry import installed

_PROBLEMS_SHOWN = 20
_VERDICT = {"page": "of alerts that paged", "hold": "held", "digest": "for the digest", "muted": "muted"}
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("replay")
@click.argument("streams", metavar="STREAM...", nargs=-1, required=True, type=_FILE)
@click.option("--config", type=click.Path(exists=True, path_type=Path), help="Directory with quell.yaml.")
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="Where results go.")
@click.option(
    "--settle",
    "settle_s",
    default=format_duration(SETTLE_S),
    show_default=True,
    callback=span,
    help="Time that passes after the last line.",
)
@click.option("--strict", is_flag=True, help="Stop at the first line that cannot be read.")
def replay_files(streams: Sequence[Path], config: Path | None, out: Path, settle_s: float, strict: bool) -> None:
    """Run the core over recorded files and say what became of every alert.

    STREAM is a file of records or recorded deliveries, one JSON object a line, plain or gzipped; several are merged
    by time of arrival. What cannot be read is left out, listed and counted, and the exit code is still 0; with
    --strict it is 2 and nothing is written. Playbooks are planned, not run.
    """
    if not out.absolute().parent.is_dir():
        raise Failed(f'--out: "{out.parent}" is not a directory; nothing was replayed')
    reader, rulebook = opened(config, strict=strict)
    with seldom_collected():
        outcome = replay(reader.read_all(list(streams)), rulebook, settle_s=settle_s)
    write_results(outcome, out)
    _say_problems(reader.problems)
    left_out = f"; left out {len(reader.problems)} that could not be read" if reader.problems else ""
    click.echo(f"{_summary(outcome)}; written to {out}{left_out}")


def opened(config: Path | None, *, strict: bool) -> tuple[Reader, Rulebook]:
    """A reader of recorded files and the rules to decide by. Raises `Misconfigured` with every problem."""
    rulebook = Rulebook()
    sources: Sequence[Source] = ()
    resolve_timeout_s = rulebook.resolve_timeout_s
    if config is not None:
        found = loaded_from(config, secrets_needed=False)
        rulebook, sources = found.rulebook, found.settings.sources
        resolve_timeout_s = found.settings.resolve_timeout_s
    deliveries = deliveries_for(sources, installed(), resolve_timeout_s=resolve_timeout_s)
    return Reader(deliveries, strict=strict), rulebook


def _summary(outcome: Outcome) -> str:
    kept = [shown.incident for shown in outcome.incidents if shown.incident.status not in {"merged", "withdrawn"}]
    verdicts = Counter(alert.verdict for alert in outcome.alerts)
    told = ", ".join(f"{count} {_VERDICT[verdict]}" for verdict, count in verdicts.most_common())
    alerts = len({(alert.fingerprint, alert.episode) for alert in outcome.alerts})
    return (
        f"{outcome.records} records, {len(outcome.alerts)} firing events ({told or 'nothing fired'}), {alerts} alerts, "
        f"{len(kept)} incidents, {len(outcome.runs)} runs"
    )


def _say_problems(problems: Sequence[Problem]) -> None:
    for problem in problems[:_PROBLEMS_SHOWN]:
        click.echo(harmless(str(problem)), err=True)
    if len(problems) > _PROBLEMS_SHOWN:
        click.echo(f"… and {len(problems) - _PROBLEMS_SHOWN} more", err=True)
    if problems:
        click.echo(f"{len(problems)} problem{'s' * (len(problems) != 1)} in what was replayed", err=True)


COMMANDS = {"replay": replay_files}
