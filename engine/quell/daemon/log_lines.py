"""The way of quell's own log lines: from an event to its line, and to where the log goes, without a stop between."""

from __future__ import annotations

import logging
from collections.abc import Callable, MutableMapping
from typing import Any, TextIO

import structlog

Event = MutableMapping[str, Any]
Render = Callable[[Any, str, Event], str | bytes]
FIRST = ("timestamp", "level", "event")
"""What a line begins with."""
_by_structlog = structlog.processors.LogfmtRenderer(key_order=list(FIRST), bool_as_flag=False)


class Out(logging.StreamHandler[TextIO]):
    """Where the log goes: for what libraries log, and for events of quell's own, which ``render`` makes lines of."""

    def __init__(self, stream: TextIO, render: Render) -> None:
        super().__init__(stream)
        self._render = render

    def format(self, record: logging.LogRecord) -> str:
        """As any handler's; libraries as well tell of what a sender wrote."""
        return _harmless(super().format(record))

    def event(self, name: str, event: Event) -> None:
        """Writes an event of the logger ``name``. As for records, one that cannot be written ends nothing."""
        self.acquire()
        try:
            self.stream.write(f"{_harmless(str(self._render(None, name, event)))}{self.terminator}")
            self.flush()
        except Exception:  # noqa: BLE001 - as `emit` does
            self.handleError(logging.LogRecord(name, logging.INFO, "", 0, str(event.get("event")), None, None))
        finally:
            self.release()


class Lines:
    """What a logger of quell's ends in; structlog asks for it by the logger's name."""

    def __init__(self, out: Out, name: str = "quell") -> None:
        self._out = out
        self.name = name

    def msg(self, event: Event) -> None:
        """One line."""
        self._out.event(self.name, event)

    debug = info = warning = error = critical = msg


def handed_on(_logger: Any, _name: str, event: Event) -> tuple[tuple[Event], dict[str, Any]]:
    """As the last processor: the event itself goes to `Lines`."""
    return (event,), {}


def logfmt(logger: Any, name: str, event: Event) -> str:
    """``key=value`` as structlog's own renderer gives it, which looks at each letter of each key."""
    if not all(map(str.isidentifier, event)):
        return _by_structlog(logger, name, event)
    first = [f"{key}={_shown(event.get(key))}" for key in FIRST]
    return " ".join(first + [f"{key}={_shown(value)}" for key, value in event.items() if key not in FIRST])


def _harmless(line: str) -> str:
    """A line without signs that a terminal obeys: what a sender wrote may stand in it, and people read logs there."""
    if line.isprintable():
        return line
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in line)


def _shown(value: object) -> str:
    if value is None:
        return ""
    text = ("true" if value else "false") if isinstance(value, bool) else str(value)
    quoted = " " in text or "=" in text or '"' in text
    if quoted and "\\" in text:
        text = text.replace("\\", "\\\\")
    text = text.replace('"', '\\"').replace("\n", "\\n")
    return f'"{text}"' if quoted else text
