"""What is asked of a commit before it is taken up: that it loads beside this quell.yaml, and that its tests pass."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from quell.config import Loaded, RulesAt
from quell.errors import Misconfigured, Problem
from quell.trial.trying import test_files

MOST_S = 300.0
"""Within this time all tests of a commit must be through."""
_LOOK_S = 0.2


def tried_out(load: Callable[..., Loaded], config: Path, rules: RulesAt, given_up: threading.Event) -> None:
    """Loads the rules, and runs their tests in a process of their own. Raises `Misconfigured` with all that is wrong.

    A process of its own keeps a slow or endless test from the daemon, which goes on deciding; ``given_up`` ends it.
    """
    loaded: Loaded = load(rules=rules)
    if loaded.settings.git is None or not loaded.settings.git.tested or not test_files(rules.directory):
        return
    command = [sys.executable, "-m", "quell.cli", "test", str(rules.directory), "--config", str(config), "--json"]
    until = time.monotonic() + MOST_S
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:  # noqa: S603 - our own
        while True:
            try:
                out, err = process.communicate(timeout=_LOOK_S)
                break
            except subprocess.TimeoutExpired:
                if given_up.is_set() or time.monotonic() > until:
                    process.kill()
                    text = f"the tests took longer than {MOST_S:g} s"
                    raise Misconfigured([Problem("*.test.yaml", 0, 0, text)]) from None
    if process.returncode != 0:
        raise Misconfigured(_problems(out, err))


def _problems(out: bytes, err: bytes) -> list[Problem]:
    try:
        answer: dict[str, Any] = msgspec.json.decode(out)
        found = [msgspec.convert(each, Problem) for each in answer["problems"]]
        for test in answer["tests"]:
            for one in test["failures"]:
                text = f'test "{test["test"]}" failed: {one["what"]}: want {one["want"]}'
                found.append(Problem(one["file"], one["line"], 1, text, f"got {one['got']}"))
    except (msgspec.MsgspecError, KeyError, TypeError):
        found = []
    said = err.decode("utf-8", "replace").strip()[-500:]
    return found or [Problem("*.test.yaml", 0, 0, f"the tests could not be run: {said}")]
