"""What is to be seen where: rows of messages, and which of them are not true any more.

An incident has one message in each of its rooms. When more are open in a room than people can read, new ones are told
of in one message that lists them all; what has a message keeps it, and what becomes worse gets one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from hashlib import blake2b

import msgspec

from quell.chatops.cards import LOUD, approval_card, digest_card, incident_card
from quell.chatops.drift_card import drift_card, key_of, meant, reported
from quell.config.settings import Chat
from quell.daemon.chat.outbox import Item, Outbox, Place
from quell.daemon.chat.rooms import Rooms
from quell.model.alert import Alert
from quell.model.incident import Incident
from quell.model.rulebook import Room, Triage
from quell.model.run import Run
from quell.model.state import State
from quell.sdk.chat import Card, Picture
from quell.store.port import ShownRow

DIGEST = "digest"
"""The key of the message that lists many."""
SWEEP_EVERY_S = 3600.0
_Key = tuple[str, str, str]


class Board:
    """Works on rows; ``now`` is the time on record, ``steady`` the outboxes' clock.

    ``picture`` is the latest that there is of an incident, ``drifted`` that of a drift report.

    ``routes`` are the names of those in ``pages:``, ``triage`` the settings in force.
    """

    def __init__(
        self,
        state: Callable[[], State],
        chat: Chat,
        *,
        now: Callable[[], float],
        steady: Callable[[], float],
        picture: Callable[[Incident], Picture | None] = lambda _incident: None,
        drifted: Callable[[str, Alert], Picture | None] = lambda _key, _alert: None,
        routes: Callable[[], Collection[str]] = frozenset,
        triage: Callable[[], Triage] = Triage,
    ) -> None:
        self._state = state
        self._picture = picture
        self._drifted = drifted
        self._routes = routes
        self._triage = triage
        self._now = now
        self._steady = steady
        self.outboxes: dict[str, Outbox] = {}
        self.rows: dict[_Key, ShownRow] = {}
        self._by_key: dict[str, set[_Key]] = {}
        self._open: dict[tuple[str, str], set[str]] = {}
        self._swept_at = steady()
        self.use(chat)

    def use(self, chat: Chat) -> None:
        """Takes up other rooms: what has a message keeps it, wherever it is."""
        self._chat = chat
        self._rooms = Rooms(chat.rooms)
        self._open = {}

    @property
    def rooms(self) -> tuple[Room, ...]:
        """The rooms in which anything is shown."""
        return self._rooms.all

    def load(self, rows: Iterable[ShownRow]) -> None:
        """Takes over what a former process left."""
        for row in rows:
            self.put(row)

    def put(self, row: ShownRow) -> None:
        """Keeps a row as it is now."""
        key = (row.source, row.channel, row.key)
        self.rows[key] = row
        self._by_key.setdefault(row.key, set()).add(key)

    def remove(self, row: ShownRow) -> None:
        """Forgets a row; the message stays as it is."""
        key = (row.source, row.channel, row.key)
        self.rows.pop(key, None)
        self._by_key.get(row.key, set()).discard(key)
        outbox = self.outboxes.get(row.source)
        if outbox is not None:
            outbox.forget((row.channel, row.key))

    def all_again(self) -> None:
        """Looks at everything that there is: after a start, and when rooms are others."""
        state = self._state()
        for incident in list(state.incidents.values()):
            self.incident(incident)
        for run in list(state.runs.values()):
            self.run(run)
        self._digests()
        self._forget_some()

    def _forget_some(self) -> None:
        """Rows of what the state has forgotten are looked at once more, and go."""
        self._swept_at = self._steady()
        for row in list(self.rows.values()):
            if row.key != DIGEST and self.over(row):
                self.want(row)

    def changed(self, incidents: Iterable[Incident], runs: Iterable[Run]) -> None:
        """These are not what they were."""
        for incident in incidents:
            self.incident(incident)
        for run in runs:
            self.run(run)
            about = self._state().incidents.get(run.incident)
            if about is not None:
                self.incident(about)
        self._digests()
        if self._steady() > self._swept_at + SWEEP_EVERY_S:
            self._forget_some()

    def incident(self, incident: Incident) -> None:
        """Its messages are to show it as it is now, and it gets those that it should have."""
        loud = bool(incident.timeline) and incident.timeline[-1].what in LOUD
        rooms = self._rooms.of(self._state(), incident, self._triage()) if incident.is_open else []
        mine = {(room.source, room.channel) for room in rooms}
        for at, opened in self._open.items():
            if at not in mine:  # it is over, or what is known of it now belongs elsewhere: here it crowds nobody
                opened.discard(incident.id)
        for room in rooms:
            self._open.setdefault((room.source, room.channel), set()).add(incident.id)
            if (room.source, room.channel, incident.id) in self.rows or (self.crowded(room) and not loud):
                continue
            self._make(room.source, room.channel, incident.id)
        for key in list(self._by_key.get(incident.id, ())):
            self.want(self.rows[key], urgent=False)
            self.want(self.rows[key], kind="story", urgent=loud)
            self.reports(self.rows[key])

    def reports(self, row: ShownRow) -> None:
        """The drift reports of an incident belong into the thread of its message, once there is one."""
        incident = self._state().incidents.get(row.key)
        if incident is None or row.state != "placed" or row.source not in self.outboxes:
            return
        for alert in reported(self._state(), incident):
            key = (row.source, row.channel, key_of(incident, alert))
            if key in self.rows:
                self.want(self.rows[key])
            elif incident.is_open:
                self._make(*key)

    def root(self, row: ShownRow) -> ShownRow | None:
        """The message in whose thread a drift report belongs; None of anything else."""
        name, _ = meant(row.key)
        return self.rows.get((row.source, row.channel, name)) if name else None

    def run(self, run: Run) -> None:
        """A run that asks for a yes has a message of its own, before all others."""
        asks = run.asks
        if asks and not self._by_key.get(run.id):
            for room in self._where_to_ask(run):
                self._make(room.source, room.channel, run.id)
        for key in self._by_key.get(run.id, ()):
            self.want(self.rows[key], urgent=asks)

    def _where_to_ask(self, run: Run) -> list[Room]:
        channel = run.approval.channel if run.approval is not None else ""
        incident = self._state().incidents.get(run.incident)
        rooms = self._rooms.of(self._state(), incident, self._triage()) if incident is not None else []
        rooms = rooms or list(self._rooms.all)[:1]
        if not channel or not rooms:
            return rooms
        named = [room for room in self._rooms.all if room.channel == channel]
        if not named and channel in self._routes():  # people are called by it; nobody talks there
            return rooms
        return named[:1] or [Room(source=rooms[0].source, channel=channel)]

    def subscribe(self, source: str, channel: str, key: str) -> bool:
        """Somebody wants to see an incident for themselves; whether their source can show it."""
        if (source, channel, key) not in self.rows:
            self._make(source, channel, key, own=True)
        row = self.rows.get((source, channel, key))
        if row is not None:
            self.want(row, urgent=True)
        return row is not None

    def drawn(self, key: str) -> None:
        """There is another picture of an incident."""
        for each in self._by_key.get(key, ()):
            self.want(self.rows[each])

    def at(self, source: str, stands: str, ts: str) -> ShownRow | None:
        """The row of the message that stands there; what is not posted yet stands nowhere."""
        if not ts:
            return None
        for row in self.rows.values():
            if row.source == source and row.ts == ts and stands in {row.stands, row.channel}:
                return row
        return None

    def crowded(self, room: Room) -> bool:
        """Whether more incidents are open in a room than have a message each."""
        return len(self._open.get((room.source, room.channel), ())) > self._chat.digest_above

    def _digests(self) -> None:
        for room in {(one.source, one.channel): one for one in self._rooms.all}.values():
            key = (room.source, room.channel, DIGEST)
            crowded = self.crowded(room)
            if crowded and key not in self.rows:
                self._make(*key)
            if key in self.rows:
                self.want(self.rows[key])
            if crowded:
                continue
            for name in sorted(self._open.get((room.source, room.channel), ())):
                if (room.source, room.channel, name) not in self.rows:
                    self._make(room.source, room.channel, name)

    def _make(self, source: str, channel: str, key: str, *, own: bool = False) -> None:
        if source not in self.outboxes:
            return  # it shows nothing, or not yet: when it does, everything is looked at again
        row = ShownRow(source=source, channel=channel, key=key, own=own, at=self._now())
        self.put(row)
        self.want(row)

    def want(self, row: ShownRow, *, kind: str = "card", urgent: bool = False) -> None:
        """A message is to be looked at again. A story without its message has nowhere to be told."""
        outbox = self.outboxes.get(row.source)
        if outbox is None or (kind == "story" and row.state != "placed"):
            return
        item = Item((row.channel, row.key), "story" if kind == "story" else "card")
        outbox.want(item, self._steady(), urgent=urgent)

    def card(self, source: str, place: Place) -> Card | None:
        """What a place shows now; None when there is nothing to show any more."""
        state, (channel, key) = self._state(), place
        if key == DIGEST:
            names = self._open.get((source, channel), set())
            found = [state.incidents[name] for name in names if name in state.incidents]
            return digest_card(f"{DIGEST}/{channel}", found, self._chat.digest_above)
        incident = state.incidents.get(key)
        if incident is not None:
            card = incident_card(state, incident, self._chat.link)
            return msgspec.structs.replace(card, picture=self._picture(incident))
        name, mark = meant(key)
        if name:
            alert = state.alerts.get(mark) if name in state.incidents else None
            report = drift_card(key, alert, self._chat.link) if alert is not None else None
            if alert is None or report is None:
                return None
            return msgspec.structs.replace(report, picture=self._drifted(key, alert))
        run = state.runs.get(key)
        return approval_card(state, run, self._chat.link) if run is not None else None

    def over(self, row: ShownRow) -> bool:
        """Whether nothing will change any more: the thing is forgotten, or a list that lists nothing was told."""
        if row.key == DIGEST:
            return not self.crowded(Room(source=row.source, channel=row.channel))
        name = meant(row.key)[0] or row.key
        return name not in self._state().incidents and name not in self._state().runs


def digest_of(card: Card) -> str:
    """A hash of all that can be seen of a card."""
    picture = card.picture
    if picture is not None:  # its mark says all of it
        picture = msgspec.structs.replace(picture, png=b"")
    seen = msgspec.structs.replace(card, version=0, picture=picture)
    return blake2b(msgspec.json.encode(seen), digest_size=8).hexdigest()
