"""Reads the public records format: JSON lines, plain or gzipped, into typed records in order of arrival.

Lines of Alertmanager's own event recorder are read, too. A line that cannot be read becomes a `Problem` and is left
out; reading goes on. Nothing is sorted within a file: lines arrive as a daemon would see them, and a clock that steps
back is held at the latest arrival so far.
"""

from __future__ import annotations

import gzip
import heapq
import zlib
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import IO, Any, get_args

import msgspec

from quell.errors import BadPayload, Misconfigured, Problem
from quell.model.mismatch import kind_in_words, not_utf8, place_and_reason
from quell.model.records import AlertRecord, AnyRecord, DeliveryRecord
from quell.model.wire import times_from_text
from quell.replay.alertmanager_events import recorded_event
from quell.replay.deliveries import Deliveries
from quell.replay.usual import usual_line

LATEST_TIME = 253402300800.0
"""Year 10000: later times have no RFC 3339 text."""
_TYPES: Mapping[str, type[AnyRecord]] = {cls.__struct_config__.tag: cls for cls in get_args(AnyRecord)}
_TIMES = ("at", "seen", "starts_at", "ends_at")
_GZIP_MAGIC = b"\x1f\x8b"


class Reader:
    """Reads record files; ``problems`` collects what could not be read, unless ``strict``: then the first one raises.

    ``deliveries`` decodes recorded HTTP deliveries; without it they are problems.
    """

    def __init__(self, deliveries: Deliveries | None = None, *, strict: bool = False) -> None:
        self.problems: list[Problem] = []
        self.lines = 0
        self.deliveries = deliveries
        self._strict = strict

    def read(self, path: Path) -> Iterator[AnyRecord]:
        """The records of one file, each with a ``seen`` that never goes back when it matters for grouping.

        Raises `Misconfigured` when the file cannot be opened, or at the first bad line when strict.
        """
        for number, line in self._lines_of(path):
            text = line.strip()
            if not text:
                continue
            self.lines += 1
            try:
                record = usual_line(text)
                events = recorded_event(text, str(number)) if record is None else None
                if events is not None:
                    yield from events
                else:
                    yield from self._expand(record or decode_record(text), number, path)
            except ValueError as error:
                self._report(path, number, str(error))

    def read_all(self, paths: Sequence[Path]) -> Iterator[AnyRecord]:
        """The records of several files, merged by arrival; equal arrivals keep the order of ``paths``."""
        if len(paths) == 1:
            yield from self.read(paths[0])
            return
        streams = [self._timed(path, index) for index, path in enumerate(paths)]
        for _, _, _, record in heapq.merge(*streams, key=lambda entry: entry[:3]):
            yield record

    def _timed(self, path: Path, index: int) -> Iterator[tuple[float, int, int, AnyRecord]]:
        latest = 0.0
        for position, record in enumerate(self.read(path)):
            latest = max(latest, record.arrived)
            yield latest, index, position, record

    def _expand(self, record: AnyRecord, number: int, path: Path) -> Iterator[AnyRecord]:
        if isinstance(record, AlertRecord):
            yield record if record.id else msgspec.structs.replace(record, id=str(number))
        elif not isinstance(record, DeliveryRecord):
            yield record
        elif self.deliveries is None:
            raise ValueError(f'delivery to "{record.path}": no connectors were given to decode it')
        else:
            try:
                received = self.deliveries.decode(record, str(number))
            except BadPayload as error:
                place = f"{error.field}: " if error.field else ""
                raise ValueError(f'delivery to "{record.path}": {place}{error}') from error
            for rejected in received.rejected:
                self._report(path, number, f'delivery to "{record.path}": {rejected.reason}')
            yield from received.records

    def _lines_of(self, path: Path) -> Iterator[tuple[int, bytes]]:
        number = 0
        try:
            with _opened(path) as stream:
                for line in stream:
                    number += 1
                    yield number, line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            self._report(path, number + 1, f"the compressed data ends early or is damaged ({error})")
        except OSError as error:
            reason = error.strerror or str(error)
            raise Misconfigured([Problem(str(path), 0, 0, f"cannot be read: {reason}")]) from error

    def _report(self, path: Path, number: int, message: str) -> None:
        consequence = "nothing was replayed" if self._strict else "the line was left out"
        problem = Problem(str(path), number, 1, message, consequence)
        self.problems.append(problem)
        if self._strict:
            raise Misconfigured([problem])


def read_records(path: Path, deliveries: Deliveries | None = None) -> Iterator[AnyRecord]:
    """The records of one file. Raises `Misconfigured` at the first line that cannot be read."""
    return Reader(deliveries, strict=True).read(path)


def decode_record(line: bytes) -> AnyRecord:
    """One line of the format as a record. Raises ValueError with a sentence for people."""
    try:
        raw = msgspec.json.decode(line)
    except UnicodeDecodeError as error:
        raise ValueError(not_utf8(line, error)) from error
    except msgspec.DecodeError as error:
        raise ValueError(f"not JSON: {error}") from error
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    if not isinstance(raw, dict):
        raise ValueError(f"expected one JSON object a line, got {kind_in_words(raw)}")  # noqa: TRY004 -- a line's content
    kind = raw.get("kind")
    cls = _TYPES.get(kind) if isinstance(kind, str) else None
    if cls is None:
        raise ValueError(_unknown_kind(kind))
    timed = times_from_text(raw)
    if "at" not in timed and isinstance(raw.get("at"), str):
        raise ValueError(f'at: "{raw["at"]}" says that no time is set; write when it happened')
    if kind == "command":
        timed["args"] = _command_args(timed.get("args", {}))
    try:
        record: AnyRecord = msgspec.convert(timed, cls)
    except msgspec.ValidationError as error:
        raise ValueError(_validation_message(error, timed, cls)) from error
    for name in _TIMES:
        at = getattr(record, name, None)
        if at is not None and not 0.0 <= at < LATEST_TIME:
            raise ValueError(f"{name}: {at:g} is not a time between 1970 and 9999; write RFC 3339 text")
    return record


def _opened(path: Path) -> IO[bytes]:
    with path.open("rb") as stream:
        compressed = stream.read(2) == _GZIP_MAGIC
    return gzip.open(path, "rb") if compressed else path.open("rb")  # type: ignore[return-value] # a GzipFile reads as IO


def _command_args(args: Any) -> Any:
    """A silence inside a command carries times of its own."""
    silence = args.get("silence") if isinstance(args, dict) else None
    return {**args, "silence": times_from_text(silence)} if isinstance(silence, dict) else args


def _unknown_kind(kind: Any) -> str:
    if kind is None:
        return 'no "kind"; expected one of ' + ", ".join(_TYPES)
    close = get_close_matches(str(kind), _TYPES, 1)
    hint = f'did you mean "{close[0]}"?' if close else "expected one of " + ", ".join(_TYPES)
    return f'unknown kind "{kind}"; {hint}'


def _validation_message(error: msgspec.ValidationError, raw: Mapping[str, Any], cls: type[AnyRecord]) -> str:
    """The place first, then the bad value and what was expected."""
    name, text = place_and_reason(error, raw)
    if not name:
        return f"{raw['kind']} record: {text}"
    if text.startswith("Invalid enum value") and name in raw:
        choices = get_args(cls.__annotations__.get(name)) or _choices(cls, name)
        expected = f"; expected one of {', '.join(choices)}" if choices else ""
        return f'{name}: "{raw[name]}" is not known{expected}'
    return f"{name}: {text[0].lower()}{text[1:]}"


def _choices(cls: type[AnyRecord], name: str) -> tuple[str, ...]:
    told = msgspec.inspect.type_info(cls)
    fields = told.fields if isinstance(told, msgspec.inspect.StructType) else ()
    kind = next((field.type for field in fields if field.name == name), None)
    return tuple(str(value) for value in kind.values) if isinstance(kind, msgspec.inspect.LiteralType) else ()
