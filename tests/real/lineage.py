"""The real OpenLineage client, in a Python of its own."""

from __future__ import annotations

import subprocess
from pathlib import Path

from real.server import surroundings
from real.venvs import HERE, programs

STORY = HERE / "openlineage_events.py"
PACKAGES = ("openlineage-python",)


def tell_story(target: str, token: str, directory: Path) -> None:
    """Sends the story of ``openlineage_events.py`` to a URL, with a token."""
    python = programs("openlineage", PACKAGES) / "python"
    told = subprocess.run(
        [str(python), str(STORY), target, token],
        cwd=directory,
        env=surroundings(directory),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert told.returncode == 0, told.stderr[-3000:]
