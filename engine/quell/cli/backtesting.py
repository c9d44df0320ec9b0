"""The command ``backtest``: recorded history under two versions of the rules, and what differs."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from quell.backtest.difference import Difference, Limits
from quell.backtest.running import compared, versions_of
from quell.backtest.text import lines, markdown
from quell.cli.as_json import json_text
from quell.cli.exits import FAILED, FINE, MISCONFIGURED
from quell.cli.harmless import harmless
from quell.cli.recorded import history_of
from quell.cli.when import moment, moment_of, span
from quell.errors import Misconfigured, QuellError
from quell.export.files import written
from quell.model.times import format_duration
from quell.model.wire import to_wire
from quell.replay.run import SETTLE_S

_DIRECTORY = click.Path(exists=True, path_type=Path)


class Unable(click.ClickException):
    """Nothing could be compared: another exit code than that of a closed gate."""

    exit_code = MISCONFIGURED

    def show(self, file: object = None) -> None:  # noqa: ARG002 -- click's signature
        click.echo(self.message, err=True)


@click.command("backtest")
@click.argument("directory", type=_DIRECTORY)
@click.option(
    "--from",
    "from_",
    default="HEAD",
    show_default=True,
    metavar="VERSION",
    help="The rules before: a git revision, a directory, or none. A time or 7d is taken as --since.",
)
@click.option(
    "--to",
    default="",
    metavar="VERSION",
    help="The rules after; without it DIRECTORY as it is. A time is taken as --until.",
)
@click.option(
    "-c",
    "--config",
    type=click.Path(exists=True, path_type=Path),
    help="The quell.yaml to read both with, where DIRECTORY holds rules and playbooks only.",
)
@click.option(
    "--history",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    metavar="FILE",
    help="Recorded lines, plain or gzipped, or a directory of them; without it the journal of DIRECTORY's store.",
)
@click.option("--since", callback=moment, metavar="WHEN", help="Compare from then on: 7d (that long ago) or a time.")
@click.option("--until", callback=moment, metavar="WHEN", help="Compare until before then.")
@click.option(
    "--warm-up",
    "warm_up_s",
    default="6h",
    show_default=True,
    callback=span,
    help="Replayed before --since, not counted.",
)
@click.option(
    "--settle",
    "settle_s",
    default=format_duration(SETTLE_S),
    show_default=True,
    callback=span,
    help="Time that passes after the last line.",
)
@click.option("--strict", is_flag=True, help="Stop at the first line that cannot be read.")
@click.option(
    "--allow-lost-page",
    "allowed",
    multiple=True,
    metavar="NAME",
    help="This page may be lost: a rule's name, a fingerprint, or an incident's id under --from.",
)
@click.option(
    "--most-later",
    default="4h",
    show_default=True,
    callback=span,
    metavar="TIME",
    help="Fail when a page comes so much later.",
)
@click.option(
    "--most-earlier",
    default="4h",
    show_default=True,
    callback=span,
    metavar="TIME",
    help="A page that came so much earlier told of something else: then it is lost.",
)
@click.option("--most-new-pages", type=click.IntRange(0), metavar="N", help="Fail on more new pages than that.")
@click.option("--most-new-incidents", type=click.IntRange(0), metavar="N", help="Fail on more new incidents than that.")
@click.option("--rows", type=click.IntRange(0), default=30, show_default=True, help="Rows of each table at most.")
@click.option("--markdown", "as_markdown", is_flag=True, help="Print Markdown, for a pull request.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: all of it.")
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="Write that there, and text to the output."
)
def backtest(  # noqa: PLR0917 -- click calls by name
    directory: Path,
    from_: str,
    to: str,
    config: Path | None,
    history: Sequence[Path],
    since: float | None,
    until: float | None,
    warm_up_s: float,
    settle_s: float,
    strict: bool,
    allowed: Sequence[str],
    most_later: float,
    most_earlier: float,
    most_new_pages: int | None,
    most_new_incidents: int | None,
    rows: int,
    as_markdown: bool,
    as_json: bool,
    out: Path | None,
) -> int:
    """Replay recorded history under two versions of the rules in DIRECTORY and print what differs.

    That is incidents, pages, verdicts on alerts, first causes and runs of playbooks. Nothing is performed.

    The exit code is 1 when a page is lost (something paged before and does not page after) or another limit is
    passed, 2 when nothing could be compared, else 0.
    """
    if as_json and as_markdown:
        raise click.UsageError("print JSON or Markdown, not both")
    if out is not None and not (as_json or as_markdown):
        raise click.UsageError("--out FILE goes with --markdown or --json")
    directory = directory if directory.is_dir() else directory.absolute().parent
    from_, since = _time_or_version(from_, since, "HEAD")
    to, until = _time_or_version(to, until, "")
    limits = Limits(
        allowed=frozenset(allowed),
        later_s=most_later,
        earlier_s=most_earlier,
        new_pages=most_new_pages,
        new_incidents=most_new_incidents,
    )
    with _unable(), tempfile.TemporaryDirectory(prefix="quell-backtest-") as scratch:
        config = config if config is None or config.is_dir() else config.absolute().parent
        versions = versions_of(directory, (from_, to), Path(scratch), config)
        told = history_of(config or directory, history, Path(scratch), (since, until), warm_up_s)
        found = compared(
            versions,
            told.files,
            told.span,
            limits,
            settle_s=settle_s,
            strict=strict,
            config=config,
            deeds=told.deeds,
        )
    for problem in found.problems:
        click.echo(harmless(str(problem)), err=True)
    _print(found.difference, rows, as_json=as_json, as_markdown=as_markdown, out=out)
    return FAILED if found.difference.failed else FINE


@contextmanager
def _unable() -> Iterator[None]:
    """What goes wrong before there is anything to compare closes no gate; it is told by another exit code."""
    try:
        yield
    except Misconfigured:
        raise
    except QuellError as error:
        raise Unable(str(error)) from error


def _time_or_version(text: str, already: float | None, otherwise: str) -> tuple[str, float | None]:
    """A version and a time of the history, of which one was named; a directory is a version, whatever it is called."""
    since = None if not text or Path(text).is_dir() else moment_of(text)
    if since is None:
        return text, already
    if already is not None:
        raise click.UsageError(f'"{text}" is a time, and so is --since or --until; name a version')
    return otherwise, since


def _print(found: Difference, rows: int, *, as_json: bool, as_markdown: bool, out: Path | None) -> None:
    text = "\n".join(lines(found, rows)) + "\n"
    if not (as_json or as_markdown):
        click.echo(text, nl=False)
        return
    wanted = markdown(found, rows) if as_markdown else json_text(to_wire(found))
    if out is None:
        click.echo(wanted, nl=False)
        return
    with written(out) as part:
        part.write_text(wanted, encoding="utf-8")
    click.echo(text, nl=False)


COMMANDS = {"backtest": backtest}
