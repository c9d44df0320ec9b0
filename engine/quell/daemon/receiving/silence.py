"""Whether a process that does not say that it is there hangs, or has only not had a processor so far."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

HUNG_AFTER = 5
"""Looks in a row at which it had said nothing, though it waited for no processor. They are counted, not timed, for this
process may be the one that was slow."""
_WORKED_S = 0.5
"""Or it had one for so long, and said nothing."""
LOST_AFTER = 25
"""Looks after which it is given up, whatever it waits for."""
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Working:
    """How a process is: ``state`` as the kernel names it, and what it has had of a processor so far."""

    state: str
    used_s: float


def working(process: int) -> Working | None:
    """What the kernel says of a process; None where it says nothing."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        return Working(fields[0], (int(fields[11]) + int(fields[12])) / _TICKS_PER_S)
    except (OSError, IndexError, ValueError):
        return None


class Silence:
    """Counts looks at one process since it was heard last.

    Whoever has something to read and sleeps, or is stopped, does not wait for a processor: the kernel makes it ready to
    run as soon as something comes. Who is ready, or waits for a disk, may have nothing to blame but the machine.
    """

    def __init__(self, process: int) -> None:
        self._process = process
        self._missed = self._idle = 0
        self._used_s = 0.0

    def heard(self) -> None:
        """It said that it is there."""
        self._missed = self._idle = 0

    def hangs(self) -> bool:
        """It said nothing since the last look; whether it is not worth waiting for any longer."""
        now = working(self._process)
        if now is not None:
            if not self._missed:
                self._used_s = now.used_s
            stuck = now.state in "STt" or now.used_s - self._used_s >= _WORKED_S
            self._idle = self._idle + 1 if stuck else 0
        self._missed += 1
        return self._idle >= HUNG_AFTER or self._missed >= LOST_AFTER
