"""Keeps the rules at a branch's newest commit that may be taken; whatever is wrong, the last good one stays in use."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import structlog

from quell.config.git_file import Active, active_of
from quell.config.settings import GitSettings
from quell.daemon.clock import Clock
from quell.daemon.git.candidate import Trial, fitting, put_in_use
from quell.daemon.git.commands import GitFailed
from quell.daemon.git.repository import Repository
from quell.daemon.git.tree import UnfitCommit
from quell.daemon.metrics import Metrics
from quell.model.records import AlertRecord, AnyRecord, CommandRecord
from quell.model.times import format_time

STALE_S = 3600.0
"""After this long without an answer of the repository people are told."""
_ALERT = "QuellRulesNotTaken"
_SOURCE = "git"

Tell = Callable[[list[AnyRecord]], Awaitable[None]]


@dataclass(slots=True)
class Standing:
    """How the rules stand: what is in use, what was refused, and since when nobody could ask."""

    active: Active | None = None
    refused: str = ""
    problem: str = ""
    asked_at: float | None = None
    failing_since: float | None = None
    told: str = ""


class GitSource:
    """``settings`` are those in use (None: rules are files); ``trial`` tries a commit out, ``take_up`` reloads.

    ``tell`` takes records in: an audit entry for each commit taken or refused, and an alert of quell's own while the
    newest commit is not in use.
    """

    def __init__(
        self,
        settings: Callable[[], GitSettings | None],
        *,
        trial: Trial,
        take_up: Callable[[], Awaitable[bool]],
        tell: Tell,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self.standing = Standing()
        self._settings = settings
        self._trial = trial
        self._take_up = take_up
        self._tell = tell
        self._clock = clock
        self._metrics = metrics
        self._asked = asyncio.Event()
        self._one = asyncio.Lock()
        self._log = structlog.get_logger("quell.git")

    def ask(self) -> None:
        """Look now: somebody pushed."""
        self._asked.set()

    async def run(self) -> None:
        """Looks at the branch until cancelled."""
        known = self._settings()
        while True:
            settings = self._settings()
            if settings is not None:
                await self.look(again=settings != known)
            known = settings
            try:
                async with asyncio.timeout(settings.every_s if settings is not None else 5.0):
                    await self._asked.wait()
            except TimeoutError:
                continue
            self._asked.clear()

    async def look(self, *, again: bool = False) -> str:
        """Takes up the branch's newest commit if it may; what is wrong, "" when the newest is in use.

        A commit that was refused is looked at once, unless ``again``: what was wrong with it may be mended here.
        """
        settings = self._settings()
        if settings is None:
            return "rules do not come from git: quell.yaml has no git:"
        async with self._one:
            standing = self.standing
            repository = Repository.of(settings)
            now = self._clock.now()
            try:
                standing.active = await asyncio.to_thread(active_of, settings)
                newest = await repository.newest()
                standing.asked_at = now
                if standing.active is not None and newest == standing.active.commit:
                    await self._well(now)
                elif again or newest != standing.refused:
                    await self._take(settings, repository, now)
                standing.failing_since = None
            except (GitFailed, OSError) as error:
                await self._unreachable(str(error), now)
            except UnfitCommit as error:
                standing.refused, standing.failing_since = newest, None
                await self._refuse(newest, str(error), now)
            except Exception as error:  # noqa: BLE001 - a bug here must not end the daemon: reported, and tried again
                self._log.exception("looking at the branch failed by a bug")
                standing.problem = f"{type(error).__name__}: {error}"
            return standing.problem

    async def _take(self, settings: GitSettings, repository: Repository, now: float) -> None:
        before = self.standing.active
        fresh = await fitting(repository, before, self._trial, now)
        if fresh is before:  # the branch names it in another way, or went back to it meanwhile
            await self._well(now)
            return
        await asyncio.to_thread(put_in_use, settings.keep, fresh, before)
        try:
            taken = await self._take_up()
        except OSError:  # no file is free for a moment: the next look takes it
            await asyncio.to_thread(put_in_use, settings.keep, before)
            raise
        if not taken:
            await asyncio.to_thread(put_in_use, settings.keep, before)
            raise UnfitCommit(f"commit {fresh.commit[:12]} could not be taken up; the log says why")
        self.standing.active = fresh
        self._metrics.commits.labels("taken").inc()
        self._log.info("commit taken up", commit=fresh.commit, signer=fresh.signer, subject=fresh.subject)
        await self._tell([_audit(now, "take_rules", fresh.commit, fresh.signer, fresh.subject)])
        await self._well(now)

    async def _refuse(self, commit: str, why: str, now: float) -> None:
        """Said once for a commit."""
        self._metrics.commits.labels("refused").inc()
        self._log.error("commit not taken up; the last good one stays in use", commit=commit, error=why,
                        in_use=self.standing.active.commit if self.standing.active else "")  # fmt: skip
        self.standing.problem = why
        await self._tell([_audit(now, "refuse_rules", commit, "", why)])
        await self._fire(why, now)

    async def _unreachable(self, why: str, now: float) -> None:
        standing = self.standing
        if standing.failing_since is None:
            standing.failing_since = now
            self._log.warning("the repository of rules cannot be read; what is in use stays in use", error=why)
        self._metrics.commits.labels("unreachable").inc()
        standing.problem = why
        if now - standing.failing_since >= STALE_S:
            await self._fire(f"the repository cannot be read since {format_time(standing.failing_since)}: {why}", now)

    async def _well(self, now: float) -> None:
        self.standing.problem, self.standing.refused = "", ""
        if self.standing.told:
            self.standing.told = ""
            await self._tell([_alert(now, "resolved", "the newest commit is in use")])

    async def _fire(self, why: str, now: float) -> None:
        if self.standing.told != why:
            self.standing.told = why
            await self._tell([_alert(now, "firing", why)])

    def status(self) -> dict[str, Any] | None:
        """How it stands, as JSON types; None when rules do not come from git."""
        settings, standing = self._settings(), self.standing
        if settings is None:
            return None
        active = standing.active
        return {
            "url": settings.url,
            "branch": settings.branch,
            "commit": active.commit if active else None,
            "signer": active.signer if active else "",
            "subject": active.subject if active else "",
            "taken_at": format_time(active.taken_at) if active else None,
            "asked_at": None if standing.asked_at is None else format_time(standing.asked_at),
            "problem": standing.problem,
            "refused": standing.refused,
        }


def _audit(now: float, verb: str, commit: str, by: str, note: str) -> CommandRecord:
    args = {"note": note}
    return CommandRecord(at=now, seen=now, source=_SOURCE, verb=verb, target=commit, by=by or _SOURCE, args=args)


def _alert(now: float, status: Any, why: str) -> AlertRecord:
    """An alert of quell's own: the rules in use are not the newest."""
    return AlertRecord(
        at=now,
        source=_SOURCE,
        status=status,
        key=_ALERT,
        labels={"alertname": _ALERT, "service": "quell", "severity": "warning"},
        annotations={"summary": "The newest rules are not in use", "description": why},
        ends_at=now if status == "resolved" else None,
    )
