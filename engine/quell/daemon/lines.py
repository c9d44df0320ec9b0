"""Records that programs post as JSON lines; a line that cannot be read costs only itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from msgspec.structs import replace

from quell.errors import BadPayload
from quell.model.records import AnyRecord, CommandRecord, DeliveryRecord, StepFinished
from quell.replay.reader import decode_record
from quell.sdk.connector import Received, Rejected
from quell.store.port import DROP, REPLAY

MOST_REJECTED_BYTES = 256 * 1024
"""Of one line; what is longer is cut and cannot be tried again."""


@dataclass(slots=True)
class Lines:
    """What was read, and what could not be."""

    records: list[AnyRecord] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)


def read_lines(body: bytes, now: float, delivered: Callable[[DeliveryRecord], Received], *, may_command: bool) -> Lines:
    """Reads a body. A record that does not say when it was seen is seen ``now``.

    Commands and answers of actions speak in somebody's name: they are taken only from those who ``may_command``.
    """
    lines = Lines()
    for number, line in enumerate(body.split(b"\n"), 1):
        text = line.strip()
        if not text:
            continue
        try:
            record = decode_record(text)
            if isinstance(record, CommandRecord) and record.verb in {REPLAY, DROP}:
                reason = f'line {number}: "{record.verb}" is said by the daemon; POST to /quarantine/replay or /drop'
                lines.rejected.append(Rejected(reason, text[:MOST_REJECTED_BYTES]))
            elif isinstance(record, (CommandRecord, StepFinished)) and not may_command:
                reason = f'line {number}: commands and answers of actions need a token with the scope "admin"'
                lines.rejected.append(Rejected(reason, text[:MOST_REJECTED_BYTES]))
            elif isinstance(record, DeliveryRecord):
                received = delivered(record)
                lines.records += received.records
                lines.rejected += received.rejected
            else:
                lines.records.append(record if record.seen is not None else replace(record, seen=now))
        except (ValueError, BadPayload) as error:
            lines.rejected.append(Rejected(f"line {number}: {error}", text[:MOST_REJECTED_BYTES]))
    return lines
