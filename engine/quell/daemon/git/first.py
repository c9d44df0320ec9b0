"""The first commit of a daemon that has none yet."""

from __future__ import annotations

import asyncio

import structlog

from quell.config.settings import GitSettings
from quell.daemon.git.candidate import Trial, fitting, put_in_use
from quell.daemon.git.commands import GitFailed
from quell.daemon.git.repository import Repository
from quell.daemon.git.tree import UnfitCommit


async def first_commit(settings: GitSettings, trial: Trial, now: float) -> None:
    """Takes up the branch's newest commit.

    When that cannot be, the daemon begins without rules and goes on trying: alerts that nobody groups by rules are
    better than alerts that nobody takes.
    """
    log = structlog.get_logger("quell.git")
    repository = Repository.of(settings)
    try:
        await repository.newest()
        active = await fitting(repository, None, trial, now)
        await asyncio.to_thread(put_in_use, settings.keep, active)
    except (GitFailed, UnfitCommit, OSError) as error:
        log.error("no commit of rules could be taken up; beginning without rules and playbooks", error=str(error))  # noqa: TRY400
    else:
        log.info("first commit taken up", commit=active.commit, signer=active.signer, subject=active.subject)
