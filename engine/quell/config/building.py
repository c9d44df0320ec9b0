"""Connectors of a configuration, set up: what a constructor refuses is a problem of the file, at its source's line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from quell.config.settings import Settings, Source
from quell.errors import Misconfigured, Problem
from quell.sdk.connector import Connector, Context
from quell.sdk.dial import Dials, nowhere
from quell.sdk.http import Http, NoHttp
from quell.sdk.registry import offers


def set_up(source: Source, kind: type[Connector], http: Http, *, resolve_timeout_s: float = 300.0) -> Connector:
    """The connector of a source. Raises `Misconfigured` with everything that its constructor does not accept."""
    dial = http.dial if isinstance(http, Dials) else nowhere
    context = Context(source=source.id, http=http, resolve_timeout_s=resolve_timeout_s, dial=dial)
    try:
        return kind(source.options, context)
    except Misconfigured as error:
        raise Misconfigured([_at(source, each.message, each.suggestion) for each in error.problems]) from error
    except Exception as error:  # somebody else's constructor may fail in any way
        raise Misconfigured([_at(source, str(error) or type(error).__name__)]) from error


def refused(settings: Settings, kinds: Mapping[str, type[Connector]]) -> list[Problem]:
    """What the constructors of all sources do not accept."""
    problems: list[Problem] = []
    for source in settings.sources:
        try:
            set_up(source, kinds[source.use], NoHttp())
        except Misconfigured as error:
            problems += error.problems
    return problems


def unasked(settings: Settings, kinds: Mapping[str, type[Connector]]) -> Iterator[Problem]:
    """Sources that could be asked for news and never are: worth a look, for nothing else would say so."""
    for source in settings.sources:
        if "pull" in offers(kinds[source.use]) and source.every_s is None and not source.options.get("every"):
            message = f'source "{source.id}" ({source.use}) is never asked for news: it has no "every"'
            yield Problem(
                source.place.file,
                source.place.line,
                1,
                message,
                'write "every: 30s", or leave it if it only takes deliveries and answers questions',
            )


def _at(source: Source, message: str, suggestion: str = "") -> Problem:
    text = f'source "{source.id}" cannot be set up: {message}'
    return Problem(source.place.file, source.place.line, 1, text, suggestion)
