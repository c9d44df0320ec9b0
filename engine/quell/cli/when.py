"""Options that are times or spans of time, as people write them."""

from __future__ import annotations

import time
from contextlib import suppress

import click

from quell.model.times import parse_duration, parse_time


def span(_context: click.Context, _option: click.Parameter, text: str | None) -> float | None:
    """Seconds of a duration such as 90s or 7d; None if the option is left out."""
    try:
        return None if text is None else parse_duration(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def moment(_context: click.Context, _option: click.Parameter, text: str | None) -> float | None:
    """Seconds since 1970 of a time, or of so long ago; None if the option is left out."""
    found = None if text is None else moment_of(text)
    if text is not None and found is None:
        raise click.BadParameter(f'"{text}" is neither a duration such as 7d nor a time such as 2026-03-01T10:00:00Z')
    return found


def moment_of(text: str) -> float | None:
    """The same of a text; None for one that is neither, or the year 1, which stands for no time at all."""
    with suppress(ValueError):
        return time.time() - parse_duration(text)
    with suppress(ValueError):
        return parse_time(text)
    return None
