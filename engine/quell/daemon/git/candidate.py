"""One commit on its way into use: who signed it, whether it goes on from the one before, whether it holds together."""

from __future__ import annotations

import asyncio
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec

from quell.config import RulesAt
from quell.config.git_file import ACTIVE_FILE, Active
from quell.daemon.git.repository import Repository
from quell.daemon.git.tree import UnfitCommit, write_tree
from quell.errors import Misconfigured

Trial = Callable[[RulesAt, threading.Event], None]
"""Loads the rules of a commit and runs their tests, and ends soon when the event is set: nobody waits for it any more.

Raises `Misconfigured`, or `UnfitCommit` for a failed test.
"""

_TREES = "trees"
_KEPT = 5


async def fitting(repository: Repository, before: Active | None, trial: Trial, now: float) -> Active:
    """The branch's commit, written out and tried; nothing is in use yet. Raises `UnfitCommit` and `GitFailed`."""
    settings = repository.settings
    commit = await repository.fetch()
    if before is not None and commit == before.commit:
        return before
    if before is not None and not settings.rewind and not await repository.goes_on_from(before.commit, commit):
        raise UnfitCommit(
            f"commit {commit[:12]} does not go on from {before.commit[:12]}, which is in use: somebody rewrote the "
            "branch; write rewind: true under git: in quell.yaml if that was meant"
        )
    signer = await repository.signer(commit)
    tree = f"{_TREES}/{commit}"
    await write_tree(repository.git, commit, settings.folder, settings.keep / tree)
    given_up = threading.Event()
    try:
        await asyncio.to_thread(trial, RulesAt(settings.keep / tree, commit, signer), given_up)
    except asyncio.CancelledError:
        given_up.set()
        raise
    except Misconfigured as error:
        await asyncio.to_thread(shutil.rmtree, settings.keep / tree, ignore_errors=True)
        first = "; ".join(f"{one.file}:{one.line}: {one.message}" for one in error.problems[:3])
        more = f" (and {len(error.problems) - 3} more)" if len(error.problems) > 3 else ""
        raise UnfitCommit(f"commit {commit[:12]} has {len(error.problems)} problems: {first}{more}") from error
    subject = await repository.subject(commit)
    return Active(commit=commit, tree=tree, signer=signer, subject=subject, taken_at=now)


def put_in_use(keep: Path, active: Active | None, before: Active | None = None) -> None:
    """Names the commit in use, durably and at once; None: none is. Older trees but a few are removed.

    That of ``before`` stays: it may have to be put back.
    """
    place = keep / ACTIVE_FILE
    if active is None:
        place.unlink(missing_ok=True)
        return
    fresh = place.with_suffix(".new")
    with fresh.open("wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(active), indent=2) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    fresh.rename(place)
    directory = os.open(keep, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
    needed = {keep / one.tree for one in (active, before) if one is not None}
    trees = sorted((keep / _TREES).iterdir(), key=lambda one: one.stat().st_mtime, reverse=True)
    for old in trees[_KEPT:]:
        if old not in needed:
            shutil.rmtree(old, ignore_errors=True)
