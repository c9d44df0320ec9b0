"""What answers the deeds of playbooks in a backtest: what was recorded of them, or what a replay says."""

from __future__ import annotations

import gzip
import zlib
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from quell.model.decision import Perform
from quell.model.records import StepFinished
from quell.replay.reader import decode_record
from quell.replay.run import answer_to

_RESULT = b'"step_finished"'
_SORTED = msgspec.json.Encoder(order="sorted")
_FINAL = frozenset({"done", "failed"})


class Deed(msgspec.Struct, frozen=True, kw_only=True):
    """An act on the outside world that was recorded, with its answer."""

    perform: Perform
    result: StepFinished


class Answers:
    """By ledger key; else, for what only reads, the last answer to the same question; else what a replay says.

    Keys differ between versions as soon as incidents do, questions do not.
    """

    def __init__(self, history: Sequence[Path] = (), deeds: Iterable[Deed] = ()) -> None:
        self._by_key = {record.key: record for record in _recorded(history)}
        self._by_question: dict[str, list[tuple[float, StepFinished]]] = {}
        for deed in sorted(deeds, key=lambda deed: deed.result.at):
            if deed.result.outcome not in _FINAL:
                continue
            self._by_key[deed.perform.key] = deed.result
            if deed.perform.effect == "read":
                self._by_question.setdefault(_question(deed.perform), []).append((deed.result.at, deed.result))

    def __len__(self) -> int:
        return len(self._by_key)

    def to(self, deed: Perform, now: float) -> StepFinished:
        """The answer to a deed, given at once."""
        known = self._by_key.get(deed.key)
        if known is None and deed.effect == "read":
            asked = self._by_question.get(_question(deed))
            if asked:
                known = asked[max(bisect_right(asked, now, key=lambda told: told[0]) - 1, 0)][1]
        if known is None:
            return answer_to(deed, now)
        return msgspec.structs.replace(known, key=deed.key, at=now, seen=now, id="")


def read_deeds(file: str) -> list[Deed]:
    """What `write_deeds` wrote; nothing for no file."""
    return msgspec.msgpack.decode(Path(file).read_bytes(), type=list[Deed]) if file else []


def write_deeds(file: Path, deeds: Iterable[Deed]) -> None:
    """Keeps deeds for the processes that replay."""
    file.write_bytes(msgspec.msgpack.encode(list(deeds)))


def _question(deed: Perform) -> str:
    return f"{deed.action} {_SORTED.encode(deed.params).decode()}"


def _recorded(history: Sequence[Path]) -> Iterator[StepFinished]:
    """Results among recorded lines; the last word on a key comes last. Unreadable lines are nothing."""
    for file in history:
        for line in _lines(file):
            if _RESULT in line:
                with suppress(ValueError):
                    record = decode_record(line)
                    if isinstance(record, StepFinished) and record.outcome in _FINAL:
                        yield record


def _lines(file: Path) -> Iterator[bytes]:
    """The reader tells what is wrong with a file; here it only ends."""
    with suppress(OSError, EOFError, zlib.error), file.open("rb") as stream:
        packed = stream.read(2) == b"\x1f\x8b"
        stream.seek(0)
        if not packed:
            yield from stream
            return
        with gzip.open(stream) as unpacked:
            yield from unpacked
