"""Has imported all of quell once and gives birth to one process for each line it is told; see `faults.nursery`."""

from __future__ import annotations

import gc
import importlib
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

import msgspec

import quell.cli.main
import quell.daemon.serve
from quell.sdk.registry import find_connectors

_BORN: set[int] = set()


def life(asked: dict[str, Any]) -> int:
    """What a born process does: ``before`` names what is wrong with its world, ``run`` what it is."""
    for name, value in asked["before"].items():
        do = getattr(importlib.import_module("faults.worlds"), name)
        do(*value) if isinstance(value, list) else do(value)
    module, _, function = asked["run"].partition(":")
    code = getattr(importlib.import_module(module), function)(*asked["arguments"])
    return int(code or 0)


def serve(*arguments: str) -> int:
    """``quell serve`` with these arguments."""
    sys.argv = ["quell", "serve", *arguments]
    quell.cli.main.main()
    return 0


def born(asked: dict[str, Any]) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 70
    try:
        for number, name in ((0, os.devnull), (1, asked["out"]), (2, asked["err"])):
            opened = os.open(name, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
            os.dup2(opened, number)
            os.close(opened)
        code = life(asked)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:  # noqa: BLE001 - the end of a process: whatever it was is told
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def answer(asked: dict[str, Any]) -> int:
    if "wait" in asked:
        _, status = os.waitpid(asked["wait"], 0)
        _BORN.discard(asked["wait"])
        return os.waitstatus_to_exitcode(status)
    pid = born(asked)
    _BORN.add(pid)
    return pid


def main() -> None:
    """Until nobody asks any more."""
    find_connectors()
    for name in sys.argv[1:]:
        importlib.import_module(name)
    replies = Path("/dev/fd") / str(os.dup(1))
    gc.collect()
    gc.freeze()
    with replies.open("wb", buffering=0) as out:
        for line in sys.stdin.buffer:
            out.write(b"%d\n" % answer(msgspec.json.decode(line)))
    for pid in _BORN:
        os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
