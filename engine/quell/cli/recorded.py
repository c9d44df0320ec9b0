"""The history of a backtest: recorded files, or what a store has kept of what its daemon took in."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import msgspec

from quell.backtest.answers import Deed, write_deeds
from quell.backtest.course import Span
from quell.backtest.follow import lasts
from quell.cli.exporting import store_of
from quell.cli.loading import loaded_from
from quell.daemon.decider import slices
from quell.errors import StoreError
from quell.export.files import opened_lines, write_lines
from quell.export.lines import record_lines
from quell.store.opening import open_for_reading
from quell.store.port import Group
from quell.store.reading import Reading

LAST_S = 7 * 86400.0
"""How much of a store's journal is compared, unless a time is named."""
_NAMES = ("*.jsonl", "*.jsonl.gz")


@dataclass(frozen=True, slots=True)
class History:
    """What is compared, the files that hold it, and one with what was recorded of acts, if there is one."""

    span: Span
    files: Sequence[Path]
    deeds: Path | None = None


def history_of(
    directory: Path,
    named: Sequence[Path],
    scratch: Path,
    asked: tuple[float | None, float | None],
    warm_up_s: float,
) -> History:
    """The history as it was asked for; a store's journal and ledger are written below ``scratch`` first.

    ``asked``: from when, until when; None where nobody said. Raises `StoreError` and `Misconfigured`.
    """
    since, until = asked
    end = float("inf") if until is None else until
    if named:
        return History(Span(since=since or 0.0, until=end, warm_up_s=warm_up_s), _files(named))
    begin = (time.time() if until is None else until) - LAST_S if since is None else since
    span = Span(since=begin, until=end, warm_up_s=warm_up_s)
    return _from_store(directory, scratch, span)


def _files(named: Sequence[Path]) -> list[Path]:
    """Files in the order named; those of a directory by name."""
    found: list[Path] = []
    for path in named:
        within = sorted(file for pattern in _NAMES for file in path.glob(pattern)) if path.is_dir() else [path]
        if not within:
            raise click.UsageError(f'--history: "{path}" holds no file called {" or ".join(_NAMES)}')
        found += within
    return found


def _from_store(directory: Path, scratch: Path, span: Span) -> History:
    """Reads beside a daemon, without its lock."""
    settings = loaded_from(directory, secrets_needed=False).settings
    try:
        reading = open_for_reading(store_of(settings), settings.directory)
    except StoreError as error:
        raise StoreError(f"{error}; name recorded files with --history FILE") from error
    file, deeds = scratch / "journal.jsonl", scratch / "deeds"
    try:
        with opened_lines(file) as out:
            write_lines(record_lines(_groups(reading, span), slices), out)
        ledger = reading.ledger(span.since - span.warm_up_s, span.until)
        write_deeds(deeds, (Deed(perform=one.perform, result=one.result) for one in ledger if one.result is not None))
    finally:
        reading.close()
    return History(span, [file], deeds)


def _groups(reading: Reading, span: Span) -> Iterator[Group]:
    """The groups of a span, and of those before its time to warm up only what lasts."""
    warm = span.since - span.warm_up_s
    for group in reading.groups(0.0, span.until):
        if group.now >= warm:
            yield group
            continue
        lasting = [record for record in group.records if lasts(record)]
        if lasting:
            yield msgspec.structs.replace(group, records=lasting)
