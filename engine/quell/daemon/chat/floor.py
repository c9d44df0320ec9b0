"""What acts and answers work with: the state to read, the way into the core, and who is asking."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from quell.config.settings import Person
from quell.daemon.auth import Principal
from quell.daemon.chat.board import Board
from quell.daemon.clock import Clock
from quell.daemon.commanding import commanded
from quell.daemon.inbox import Inbox
from quell.daemon.loop import Loop
from quell.daemon.sources import Sources
from quell.daemon.writer import Writer
from quell.model.incident import Incident
from quell.model.records import AnyRecord, CommandRecord
from quell.model.run import Run
from quell.model.state import State
from quell.stats.figures import Figures

LATER = "it is accepted and will be decided over in a moment"
_LEAST_PREFIX = 7
"""Of an incident's id at least so much must be written: ``INC-`` and three more."""


class Unfit(Exception):
    """What was asked cannot be done; the message says why, to whoever asked."""


@dataclass(frozen=True, slots=True)
class Asker:
    """Who says something, and where: ``about`` is the incident or run of the thread, ``own`` their private channel.

    ``id`` is the same for every delivery of what they said; "" when nobody repeats it.
    """

    principal: Principal
    source: str = ""
    channel: str = ""
    about: str = ""
    own: str = ""
    id: str = ""


def called_there(person: Person, source: str, kind: str) -> str:
    """What somebody is called in a source: by its own id if people.yaml says so, else by its kind; "" for nobody."""
    return person.ids.get(source) or person.ids.get(kind, "")


def person_called(people: Sequence[Person], who: str, source: str, kind: str) -> Person | None:
    """Whom a source calls that: who is named for this very source goes before who is named for all of its kind."""
    named = [person for person in people if who and called_there(person, source, kind) == who]
    return next((person for person in named if person.ids.get(source) == who), named[0] if named else None)


@dataclass(frozen=True, slots=True)
class Floor:
    """Parts of the daemon, and where incidents are shown. ``figures`` are those of the last so many seconds."""

    loop: Loop
    inbox: Inbox
    writer: Writer
    clock: Clock
    sources: Sources
    board: Board
    figures: Callable[[float], Awaitable[Figures]]
    people: Callable[[], tuple[Person, ...]] = field(default=tuple)
    link: Callable[[], str] = field(default=str)

    @property
    def state(self) -> State:
        """The core's state as of the last turn."""
        return self.loop.decider.state

    def incident(self, name: str, asker: Asker) -> Incident:
        """The incident that is meant: named, or that of the thread. Raises `Unfit`."""
        state = self.state
        if not name:
            run = state.runs.get(asker.about)
            name = run.incident if run is not None else asker.about
        if not name:
            raise Unfit("say which incident, such as INC-3f9a1c; in its thread it may be left out")
        found = state.incidents.get(name)
        if found is None:
            wanted = name.lower()
            near = [one for one in state.incidents.values() if one.id.lower() == wanted] or [
                one
                for one in state.incidents.values()
                if len(wanted) >= _LEAST_PREFIX and one.id.lower().startswith(wanted)
            ]
            if len(near) > 1:
                raise Unfit(f'"{name}" may be {", ".join(sorted(one.id for one in near)[:4])}: write more of it')
            found = near[0] if near else None
        if found is None:
            raise Unfit(f'no incident has the id "{name}"; incidents lists those that are open')
        return found

    def run(self, name: str, asker: Asker, *, live: bool = True) -> Run:
        """The run that is meant: named, or that of the thread. Raises `Unfit`."""
        state = self.state
        if name or asker.about in state.runs:
            found = state.runs.get(name or asker.about)
            if found is None:
                found = next((run for run in state.runs.values() if run.id.lower() == name.lower()), None)
            if found is None:
                raise Unfit(f'no run has the id "{name}"; runs lists them')
            return found
        runs = [run for run in state.runs.values() if run.incident == asker.about and asker.about]
        waiting = [run for run in runs if run.asks] or [run for run in runs if not (live and run.over)]
        if len(waiting) != 1:
            known = ", ".join(sorted(run.id for run in waiting)[:4])
            raise Unfit(f"say which run{f': {known}' if known else ', such as R-0c7e5f91; runs lists them'}")
        return waiting[0]

    async def command(self, asker: Asker, verb: str, target: str, *, wanted: tuple[str, ...] = (), **args: Any) -> str:
        """Has the core do it as that person; "" when it did, else why it is not sure. Raises `Unfit` when refused."""
        now = self.clock.now()
        given = {name: value for name, value in args.items() if value is not None and value != ""}
        given["roles"] = asker.principal.roles(wanted)
        record = CommandRecord(
            at=now, seen=now, source="chat", id=self._id(asker, verb), verb=verb, target=target,
            by=asker.principal.by, args=given,
        )  # fmt: skip
        why = await commanded(self.loop, self.inbox, self.writer, record)
        if why:
            raise Unfit(why)
        return LATER if why is None else ""

    async def put(self, record: AnyRecord) -> str:
        """Has the core take a record; "" when it did."""
        seq = await self.inbox.put([record])
        return "" if await self.loop.passed(seq, 5.0) else LATER

    def _id(self, asker: Asker, verb: str) -> str:
        """What the core knows a repeat by, also after a restart."""
        return f"chat/{asker.source}/{asker.id}/{verb}" if asker.id else ""
