"""How much work it is to check a configuration, run its tests and get a daemon ready: processor time, five tries each.

    python benchmarks/start.py

Processor time and not the clock, so that what else the machine does counts less. An empty Python, run beside, says how
fast the machine is today. Modules are read from their bytecode, as after an installation.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

TRIES = 5


def processor_s(command: list[str], environ: dict[str, str]) -> float:
    """Seconds of processor time that a command takes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True, timeout=600, env=environ)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime - before.ru_utime) + (after.ru_stime - before.ru_stime)


def main() -> None:
    """Prints a line for each: median, least and most."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "quell"
        environ = {**os.environ, "PYTHONPYCACHEPREFIX": f"{scratch}/bytecode"}
        environ.pop("PYTHONDONTWRITEBYTECODE", None)
        subprocess.run([sys.executable, "-m", "quell.cli", "init", str(folder)], check=True, capture_output=True)
        commands = {
            "an empty Python": [sys.executable, "-c", ""],
            "quell check of the starters (goal: under 0.5)": [sys.executable, "-m", "quell.cli", "check", str(folder)],
            "quell test of the starters (goal: under 10)": [sys.executable, "-m", "quell.cli", "test", str(folder)],
            "all that `quell serve` imports (goal: ready under 2)": [sys.executable, "-c", "import quell.daemon.serve"],
        }
        for name, command in commands.items():
            processor_s(command, environ)  # writes the bytecode
            took = sorted(processor_s(command, environ) for _ in range(TRIES))
            print(f"{name:54s} {statistics.median(took):.2f} s ({took[0]:.2f} to {took[-1]:.2f})")


if __name__ == "__main__":
    main()
