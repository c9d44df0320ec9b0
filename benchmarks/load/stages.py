"""Which stage of quell's own path costs what: samples of the running daemon by py-spy, put down to stages."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from load.cases import Case, measured, order_of
from load.process import end, started
from load.servers import NotThere, quell
from load.table import markdown

_PER_S = 200
_SETTLED_S = 1.0
_WRITER = "quell-writer"
ON_WRITER = (
    ("groups_after (", "journal read again"),
    ("store/codec", "commit: pack"),
    ("accept (", "commit: accepted"),
    ("commit (quell/store", "commit: decided"),
    ("snapshot", "snapshot"),
    ("", "writer: hand over"),
)
ON_LOOP = (
    ("seal_pieces (", "snapshot"),
    ("quell/daemon/saved", "snapshot"),
    ("quell/core/writing", "snapshot"),
    ("quell/core/", "decide: core"),
    ("quell/expressions/", "decide: core"),
    ("quell_connectors/", "decode: connector"),
    ("quell/sdk/", "decode: connector"),
    ("quell/store/", "store elsewhere"),
    ("quell/daemon/auth", "token and limits"),
    ("quell/daemon/bounds", "token and limits"),
    ("quell/daemon/inbox", "inbox"),
    ("quell/daemon/writer", "inbox"),
    ("quell/daemon/loop", "decide: loop"),
    ("quell/daemon/pace", "decide: loop"),
    ("quell/daemon/backlog", "decide: loop"),
    ("quell/daemon/ingest", "ingest"),
    ("quell/daemon/body", "ingest"),
    ("quell/daemon/http", "ingest"),
    ("quell/daemon/connection", "HTTP"),
    ("uvicorn/", "HTTP"),
)
"""What a stack is put down to: the innermost frame of any of these."""
_LOOP = "event loop"


def stage_of(stack: str) -> str:
    """The stage of one stack as py-spy writes it, outermost frame first."""
    frames = stack.split(";")
    if _WRITER in frames[0]:
        return next(stage for mark, stage in ON_WRITER if mark in stack)
    for frame in reversed(frames):
        for mark, stage in ON_LOOP:
            if mark in frame:
                return stage
    return _LOOP


def stages_of(samples: Sequence[str]) -> Counter[str]:
    """How many samples each stage has."""
    found: Counter[str] = Counter()
    for line in samples:
        stack, _, count = line.rpartition(" ")
        found[stage_of(stack)] += int(count)
    return found


def stages(sink: int, cases: Sequence[Case], say: Callable[[str], None]) -> Iterator[str]:
    """Microseconds of processor time per alert by stage, for each case. Raises NotThere without py-spy."""
    program = shutil.which(
        "py-spy", path=os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    )
    if program is None:
        raise NotThere("py-spy is not installed (pip install py-spy)")
    costs: list[dict[str, float]] = []
    for case in cases:
        found, cpu_us = _sampled(program, sink, case)
        total = sum(found.values()) or 1
        costs.append({stage: count / total * cpu_us for stage, count in found.items()} | {"in all": cpu_us})
        say(f"{case.name}: {cpu_us:.1f} µs of processor time per alert")
    names = dict.fromkeys([_LOOP, *(stage for _, stage in (*reversed(ON_LOOP), *ON_WRITER)), "in all"])
    rows = [[name, *(f"{cost.get(name, 0.0):.1f}" for cost in costs)] for name in names]
    yield from markdown(["µs per alert", *(case.name for case in cases)], rows)


def _sampled(program: str, sink: int, case: Case) -> tuple[Counter[str], float]:
    with TemporaryDirectory(prefix="quell-load-") as folder, quell(sink) as server:
        place, out = Path(folder), Path(folder) / "samples"
        command = [
            program, "record", "--pid", str(server.process.pid), "--rate", str(_PER_S), "--format", "raw", "--threads",
            "--function", "--nonblocking", "--output", str(out),
        ]  # fmt: skip
        with started(command, place, place / "log") as spy:
            time.sleep(_SETTLED_S)
            took = measured(server, order_of(case, server))
            end(spy, signal.SIGINT)
        if not out.exists():
            raise NotThere(f"py-spy: {(place / 'log').read_text().strip()[-300:]}")
        return stages_of(out.read_text().splitlines()), took.cpu_s / max(took.ran.accepted, 1) * 1e6
