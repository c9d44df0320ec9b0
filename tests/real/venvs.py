"""Programs that tests need for real and that do not go along with quell's own packages: each in a venv of its own.

A venv lies in ``build/real``, is made when it is first asked for, and is made anew when what it holds is to change.
``QUELL_REAL`` names another directory, so that several checkouts can share theirs. Where a package index cannot be
reached the tests are passed over by name; in CI they fail.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

HERE = Path(__file__).parent
BUILD = HERE.parents[1] / "build" / "real"
INSTALL_WITHIN_S = 480


def programs(name: str, packages: Sequence[str]) -> Path:
    """The ``bin`` of a venv that holds the packages in the versions of ``<name>.txt``."""
    constraints = HERE / f"{name}.txt"
    wanted = "\n".join((*packages, sys.version, constraints.read_text()))
    home = Path(os.environ.get("QUELL_REAL") or BUILD) / f"{name}-{hashlib.sha256(wanted.encode()).hexdigest()[:12]}"
    home.parent.mkdir(parents=True, exist_ok=True)
    with (home.parent / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # test processes run side by side: one installs, the others wait
        if not (home / "complete").exists():
            shutil.rmtree(home, ignore_errors=True)
            _install(home, constraints, packages)
            (home / "complete").touch()
    return home / "bin"


def _install(home: Path, constraints: Path, packages: Sequence[str]) -> None:
    subprocess.run([sys.executable, "-m", "venv", str(home)], check=True, timeout=120)
    pip = [
        str(home / "bin" / "python"),
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-compile",
        "--disable-pip-version-check",
    ]
    try:
        made = subprocess.run(
            [*pip, "-c", str(constraints), *packages],
            check=False,
            timeout=INSTALL_WITHIN_S,
            capture_output=True,
            text=True,
        )
    except subprocess.TimeoutExpired:
        missing(f"{', '.join(packages)} could not be installed within {INSTALL_WITHIN_S} s")
    if made.returncode:
        missing(f"{', '.join(packages)} cannot be installed: {made.stderr[-600:]}")


def missing(why: str) -> None:
    """Fails in CI; elsewhere passes the test over and says why."""
    if os.environ.get("CI"):
        pytest.fail(why, pytrace=False)
    pytest.skip(why)
