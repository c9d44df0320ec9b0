"""Drafts of post-mortems that quell keeps by itself: one for each significant incident that is over and stays so.

A draft is a file of its own, written once and people's from then on. That it was is said in the incident's timeline, by
a record of the journal: so whoever restarts what meanwhile, it comes once, and the incident's thread has it, too. An
incident that opens again after its draft, and ends again, gets another file.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import structlog

from quell.config.settings import PostmortemSettings, Settings
from quell.core.commands import DRAFTED
from quell.core.pager import back_at
from quell.core.severity import rank
from quell.daemon.clock import Clock
from quell.daemon.drafting import Drafting
from quell.daemon.inbox import Inbox
from quell.daemon.kept_files import keep_once, safe_name
from quell.daemon.loop import Loop
from quell.daemon.postmortem_comments import Comments, drafts_of
from quell.errors import QuellError
from quell.model.impact import IMPACTS
from quell.model.incident import Incident
from quell.model.records import AlertRecord, CommandRecord
from quell.model.times import format_time

ALERT = "PostmortemNotKept"
LOOK_EVERY_S = 30.0
LATE_S = 3 * 86_400.0
"""Of what was over longer ago no draft is begun: a new setting brings no flood."""
FIRST_WAIT_S, LONGEST_WAIT_S = 60.0, 3600.0
"""Between attempts to write where it cannot be written."""
_PASSED_S = 5.0
_SOURCE = "quell"
_log = structlog.get_logger("quell.postmortem")


@dataclass(frozen=True, slots=True)
class Kept:
    """A draft: its file, and how people are told of it."""

    path: Path
    shown: str


@dataclass(slots=True)
class _Trouble:
    """Since when drafts cannot be kept, why, and when it is tried again."""

    since: float
    error: str
    again_at: float
    tries: int = 1


class Postmortems:
    """``settings`` are those in use; ``comments`` says in tickets where the drafts are."""

    def __init__(
        self,
        loop: Loop,
        inbox: Inbox,
        clock: Clock,
        drafting: Drafting,
        comments: Comments,
        *,
        settings: Callable[[], Settings],
    ) -> None:
        self._loop = loop
        self._inbox = inbox
        self._clock = clock
        self._drafting = drafting
        self._comments = comments
        self._settings = settings
        self._one = asyncio.Lock()
        self._trouble: _Trouble | None = None
        self._unfit: set[str] = set()
        """Incidents of which no draft can be made, as far as this process knows."""

    async def run(self) -> None:
        """Keeps what is due until cancelled."""
        while True:
            try:
                await self.look()
            except QuellError as error:
                _log.warning("a post-mortem could not be told of; trying again", error=str(error))
            await asyncio.sleep(max(self._clock.real_s(LOOK_EVERY_S), 0.05))

    async def look(self) -> int:
        """Keeps the drafts that are due; returns how many. Raises QuellError."""
        async with self._one:
            return await self._look()

    async def _look(self) -> int:
        wanted, now, kept = self._settings().postmortem, self._clock.now(), 0
        due = self._due(wanted, now) if wanted is not None else []
        if self._trouble is None or now >= self._trouble.again_at or not due:
            for incident in due:
                assert wanted is not None, "nothing is due unless it is wanted"
                try:
                    kept += await self._keep(incident, wanted)
                except (OSError, ValueError) as error:  # ValueError: no file can have such a name here
                    await self._failed(wanted, error)
                    break
            else:
                await self._worked()
        if wanted is not None and wanted.tickets:
            await self._comments.say()
        return kept

    def kept(self, incident: str) -> Kept | None:
        """The draft of an incident that was kept last, if one stands there now."""
        wanted = self._settings().postmortem
        if wanted is None:
            return None
        told_of = self._loop.decider.state.incidents.get(incident)
        known = len(drafts_of(told_of)) if told_of is not None else 0
        found = None
        for number in count(1):
            one = _place(wanted, incident, number)
            try:
                stands = one.path.is_file()
            except (OSError, ValueError):  # nobody may look there; the incident is shown all the same
                stands = False
            if stands:
                found = one
            elif number >= known:  # people may have put an earlier one away
                return found
        return None

    def status(self) -> dict[str, Any]:
        """How it goes, as JSON types."""
        wanted, trouble = self._settings().postmortem, self._trouble
        if wanted is None:
            return {"kept": False}
        told: dict[str, Any] = {"kept": True, "directory": wanted.shown}
        if trouble is not None:
            told |= {
                "error": trouble.error,
                "since": format_time(trouble.since),
                "again_at": format_time(trouble.again_at),
            }
        return told

    def _due(self, wanted: PostmortemSettings, now: float) -> list[Incident]:
        found = [
            one
            for one in self._loop.decider.state.incidents.values()
            if one.status == "resolved" and one.id not in self._unfit and self._wants(one, wanted, now)
        ]
        return sorted(found, key=lambda one: (one.resolved_at or 0.0, one.id))

    def _wants(self, incident: Incident, wanted: PostmortemSettings, now: float) -> bool:
        over_at = incident.resolved_at
        if over_at is None or not over_at + wanted.settle_s <= now < over_at + wanted.settle_s + LATE_S:
            return False
        early = incident.id in self._loop.decider.state.early
        if any(entry.at >= over_at for entry in drafts_of(incident)):
            return False
        return significant(incident, wanted, early=early)

    async def _keep(self, incident: Incident, wanted: PostmortemSettings) -> bool:
        """Whether a draft is kept now. Raises OSError and QuellError."""
        try:
            text = await self._drafting.text(incident)
        except QuellError:
            raise
        except Exception as error:  # noqa: BLE001 - reported; one odd incident is not to end the daemon
            self._unfit.add(incident.id)
            _log.exception("a post-mortem could not be drafted", incident=incident.id, error=str(error))
            return False
        place = _place(wanted, incident.id, len(drafts_of(incident)) + 1)
        new = await asyncio.to_thread(keep_once, place.path, text)
        now = self._clock.now()
        link = self._settings().chat.link
        at = f"{link}/api/quell/v1/incidents/{incident.id}/postmortem/kept" if link else ""
        note = f"a draft is kept in {place.shown}{f', {at}' if at else ''} (quell postmortem {incident.id} --kept)"
        record = CommandRecord(
            at=now, seen=now, source=_SOURCE, verb=DRAFTED, target=incident.id, by=_SOURCE, args={"note": note}
        )
        seq = await self._inbox.put([record], inside=True)
        await self._loop.passed(seq, _PASSED_S)
        _log.info("a post-mortem is drafted", incident=incident.id, file=str(place.path), new=new)
        return True

    async def _failed(self, wanted: PostmortemSettings, error: OSError | ValueError) -> None:
        now, before = self._clock.now(), self._trouble
        said = (error.strerror if isinstance(error, OSError) else None) or str(error)
        text = f'post-mortem drafts cannot be kept in "{wanted.shown}": {said}; it is tried again'
        tries = before.tries + 1 if before is not None else 1
        wait_s = min(FIRST_WAIT_S * 2.0 ** (tries - 1), LONGEST_WAIT_S)
        since = before.since if before is not None else now
        self._trouble = _Trouble(since, text, now + wait_s, tries)
        if before is None or before.error != text:
            _log.error("post-mortem drafts cannot be kept", directory=str(wanted.directory), error=said)
        await self._inbox.put([_alert(self._trouble, now)], inside=True)

    async def _worked(self) -> None:
        if self._trouble is not None:
            trouble, self._trouble = self._trouble, None
            _log.info("post-mortem drafts can be kept again")
            await self._inbox.put([_alert(trouble, self._clock.now(), over=True)], inside=True)


def significant(incident: Incident, wanted: PostmortemSettings, *, early: bool) -> bool:
    """Whether an incident that is over is one of which people want a post-mortem; ``early``: nobody was called."""
    called = incident.paged_at is not None or any(entry.what == "paged" for entry in incident.timeline)
    if wanted.paged and (early or not called):
        return False
    began = max(incident.opened_at, back_at(incident) or 0.0)
    if (incident.resolved_at or incident.updated_at) - began < wanted.lasted_s:
        return False
    severe = bool(incident.severity) and rank(incident.severity) >= rank(wanted.severity)
    return severe or (bool(incident.harm) and IMPACTS.index(incident.harm) >= IMPACTS.index(wanted.impact))


def _place(wanted: PostmortemSettings, incident: str, number: int) -> Kept:
    name = f"{safe_name(incident)}{f'.{number}' if number > 1 else ''}.md"
    return Kept(wanted.directory / name, f"{wanted.shown.rstrip('/')}/{name}")


def _alert(trouble: _Trouble, now: float, *, over: bool = False) -> AlertRecord:
    """That drafts are not kept; over by itself when nothing is heard for longer than it takes to try again."""
    return AlertRecord(
        at=now,
        seen=now,
        source=_SOURCE,
        key="post-mortem drafts",
        status="resolved" if over else "firing",
        labels={"alertname": ALERT, "severity": "warning"},
        annotations={
            "summary": trouble.error,
            "description": "no incident is forgotten for it: drafts are made for three days after an incident is over",
        },
        starts_at=trouble.since,
        ends_at=now if over else trouble.again_at + 2 * LONGEST_WAIT_S,
        timeout=not over,
    )
