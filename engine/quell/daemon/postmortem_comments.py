"""Where a post-mortem's draft is, said in the tickets that were opened as the incident's page; through the ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import structlog
from msgspec.structs import replace

from quell.core.routes import Routes
from quell.daemon.attempts import Ended, next_attempt
from quell.daemon.clock import Clock
from quell.daemon.loop import Loop
from quell.daemon.sources import Sources
from quell.daemon.writer import Writer
from quell.model.decision import Perform
from quell.model.incident import POSTMORTEM, Incident, TimelineEntry
from quell.store.port import Turn

LATE_S = 3 * 86_400.0
"""For so long after the draft was kept it is worth telling."""
TIMEOUT_S = 60.0
LANE = "postmortem"
_TICKETS, _COMMENT = frozenset({"ticket", "open"}), "comment"
"""By which actions trackers open a ticket, and add to one."""
_log = structlog.get_logger("quell.postmortem")


class Comments:
    """``perform`` gets what was committed to the ledger."""

    def __init__(
        self, loop: Loop, sources: Sources, writer: Writer, clock: Clock, perform: Callable[[Sequence[Perform]], None]
    ) -> None:
        self._loop = loop
        self._sources = sources
        self._writer = writer
        self._clock = clock
        self._perform = perform
        self._over: set[str] = set()
        """What was said, or given up, as far as this process knows."""

    async def say(self) -> None:
        """Takes what is to be said of late drafts one step further. Raises StoreError."""
        state, now = self._loop.decider.state, self._clock.now()
        late = [
            (incident, number, entry)
            for incident in list(state.incidents.values())
            for number, entry in enumerate(drafts_of(incident), 1)
            if entry.at > now - LATE_S
        ]
        for incident, number, entry in late:
            for deed in self._deeds(incident, f"{LANE}/{incident.id}/{number}", entry):
                await self._further(deed, now)
        self._over &= {f"{LANE}/{one.id}/{number}/{name}" for one, number, _ in late for name in self._names}

    @property
    def _names(self) -> list[str]:
        return [route.name for route in self._loop.rulebook.routes]

    def _deeds(self, incident: Incident, token: str, entry: TimelineEntry) -> Iterator[Perform]:
        """The comments, each as the ticket's own page names it."""
        at = next((one.at for one in reversed(incident.timeline) if one.what == "paged"), incident.paged_at)
        if at is None:
            return
        routes = Routes(self._loop.rulebook, self._loop.decider.state)
        for page in routes.pages(incident, None, at, ""):
            source = self._sources.for_action(page.action)
            spec = source.connector.spec.action(_COMMENT) if source is not None else None
            if source is None or spec is None or page.action.rpartition(".")[2] not in _TICKETS:
                continue
            known = {**page.params, "key": page.params.get("key") or incident.id, "text": said(incident, entry)}
            key = f"{token}/{page.key.rpartition('/')[2]}"
            yield Perform(
                at=self._clock.now(),
                key=key,
                token=key,
                lane=LANE,
                run=_run_of(key),
                incident=incident.id,
                action=f"{source.id}.{_COMMENT}",
                params={one.name: known[one.name] for one in spec.params if one.name in known},
                effect="tell",
                repeat=spec.repeat,
                timeout_s=TIMEOUT_S,
            )

    async def _further(self, deed: Perform, now: float) -> None:
        if deed.token in self._over:
            return
        entries = await self._writer.call(self._writer.store.ledger, deed.run)
        try:
            attempt = next_attempt(entries, now)
        except Ended as ended:
            self._over.add(deed.token)
            if ended.hopeless is not None:
                _log.info("a ticket was not told of the draft", incident=deed.incident, reason=ended.hopeless)
            return
        if attempt is None:
            return
        key = deed.token if attempt == 1 else f"{deed.token}/{attempt}"
        deed = replace(deed, key=key)
        turn = Turn(seq=0, intents=[deed], said={key: f"{deed.action} of {deed.token}, attempt {attempt}"})
        self._perform(await self._writer.call(self._writer.store.commit, turn))


def drafts_of(incident: Incident) -> list[TimelineEntry]:
    """The drafts that were kept of an incident, the first first."""
    return [entry for entry in incident.timeline if entry.what == POSTMORTEM]


def said(incident: Incident, entry: TimelineEntry) -> str:
    """A draft in one sentence."""
    return f"Post-mortem of {incident.id}: {entry.text}"


def _run_of(token: str) -> str:
    """Under which all attempts are found in the ledger. It is no run of a playbook, so no key begins with it."""
    return token.replace("/", " ", 1)
