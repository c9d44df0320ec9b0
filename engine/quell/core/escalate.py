"""Escalation: a page that nobody takes goes on along its chain. All that is remembered is in the state."""

from __future__ import annotations

import msgspec

from quell.core.agenda import Agenda
from quell.core.automation import Automation
from quell.core.called import Matter, place_of
from quell.core.logbook import Logbook, noted
from quell.core.pager import Pager
from quell.model.alert import Alert
from quell.model.decision import AnyDecision, Audit, IncidentEvent
from quell.model.incident import Incident
from quell.model.oncall import Chain, Climb
from quell.model.state import State
from quell.model.times import format_duration


class Escalation:
    """Works on ``state.climbs`` and ``state.early``. A chain that the rules do not have any more goes on no further."""

    def __init__(self, state: State, automation: Automation, logbook: Logbook, agenda: Agenda, *, pager: Pager) -> None:
        self._state = state
        self._pager = pager
        self._automation = automation
        self._routes = automation.routes
        self._logbook = logbook
        self._agenda = agenda

    def plan(self) -> None:
        """Puts on the agenda what is due."""
        for key, climb in self._state.climbs.items():
            self._agenda.put(climb.due_at, "climb", key)

    def paged(self, incident: Incident, alert: Alert, text: str, now: float) -> None:
        """A page was told: along each chain the first step was; whatever was under way before begins anew."""
        place = place_of(incident, alert)
        for chain, route in self._routes.chains(incident, alert, now):
            told, _ = self._routes.step(chain, 0, place, Matter(incident, alert, now, text))
            climb = Climb(
                incident=incident.id,
                chain=chain.name,
                route=route,
                place=place,
                told=told,
                most=len(chain.stages) * (chain.repeat + 1),
                alert=alert.fingerprint,
                text=text,
            )
            self._keep(_waiting(climb, chain, now))

    def on_time(self, key: str, now: float, out: list[AnyDecision]) -> None:
        """The time of a step is over, or that of an acknowledgement."""
        climb = self._state.climbs.get(key)
        if climb is None or climb.due_at is None or climb.due_at > now:
            return
        incident, chain = self._state.incidents.get(climb.incident), self._routes.chain(climb.chain)
        climb = msgspec.structs.replace(climb, due_at=None)
        if incident is None or chain is None or not incident.is_open:
            self._keep(climb)
            return
        if not self._pager.stands(incident):  # what is muted or over calls nobody
            self._keep(_waiting(climb, chain, now))
            return
        if incident.acknowledged_by:
            incident = self._lapsed(incident, chain, now, out)
            most = max(climb.most, climb.told + len(chain.stages))
            climb = msgspec.structs.replace(climb, most=most, held=False, over=False)
        if climb.told >= climb.most:
            self._keep(msgspec.structs.replace(climb, over=True))
            said = f"nobody has acknowledged it, and chain {chain.name} is at its end"
            self._logbook.keep(noted(incident, now, "not taken", said), "updated", now, out)
            out.append(Audit(at=now, who="quell", what="escalation over", target=incident.id, detail=said))
            return
        alert = self._state.alerts.get(climb.alert)
        about = Matter(incident, alert, now, _again(climb, chain))
        told, deeds = self._routes.step(chain, climb.told, climb.place, about)
        self._keep(_waiting(msgspec.structs.replace(climb, told=told), chain, now))
        stage = chain.stages[(told - 1) % len(chain.stages)]
        names = ", ".join(deed.key.rpartition("/")[2] for deed in deeds)
        whom = f"{stage.to or stage.action}{f' ({names})' if names not in {'', 'all'} else ''}" if deeds else "nobody"
        said = f"step {told} of chain {chain.name}: {whom} told, as nobody has acknowledged it"
        self._logbook.keep(noted(incident, now, "passed on", said), "updated", now, out)
        out.extend(self._automation.tell(deeds, now))

    def on_incident(self, incident: Incident, event: IncidentEvent, now: float) -> bool:
        """What becomes of the chains of an incident that changed.

        Returns whether people are to be told of it as it is no early sign any more.
        """
        if event == "merged" and incident.merged_into is not None:
            self._handed_on(incident, incident.merged_into, now)
        else:
            for climb in self._of(incident.id):
                if event == "acknowledged" or climb.held != _in_hand(incident):
                    self._keep(self._stands(climb, incident, now))
        if incident.id not in self._state.early:
            return False
        if not incident.is_open:
            del self._state.early[incident.id]
            return False
        return not incident.acknowledged_by and not self._routes.early(incident)

    def sweep(self) -> None:
        """Forgets what belongs to incidents that are forgotten."""
        for key in [key for key, climb in self._state.climbs.items() if climb.incident not in self._state.incidents]:
            del self._state.climbs[key]
        for name in [name for name in self._state.early if name not in self._state.incidents]:
            del self._state.early[name]

    def _stands(self, climb: Climb, incident: Incident, now: float) -> Climb:
        """A chain when its incident was taken, ended or opened again; after the end of a snooze there is a new page."""
        chain = self._routes.chain(climb.chain)
        climb = msgspec.structs.replace(climb, due_at=None, held=_in_hand(incident))
        if chain is None or not incident.is_open or incident.snoozed_until is not None or incident.paged_at is None:
            return climb
        if incident.acknowledged_by:
            lasts = now + chain.ack_lasts_s if chain.ack_lasts_s > 0 else None
            return msgspec.structs.replace(climb, due_at=lasts)
        return climb if climb.over else _waiting(climb, chain, now)

    def _handed_on(self, gone: Incident, into: str, now: float) -> None:
        """The incident that absorbs another goes on where that one was, but along each chain once only."""
        target = self._state.incidents.get(into)
        for climb in self._of(gone.id):
            del self._state.climbs[_key(climb)]
            moved = msgspec.structs.replace(climb, incident=into)
            if target is None or _key(moved) in self._state.climbs:
                continue
            self._keep(self._stands(moved, target, now) if target.status != "open" else moved)

    def _lapsed(self, incident: Incident, chain: Chain, now: float, out: list[AnyDecision]) -> Incident:
        """An acknowledgement that came to nothing does not count any more."""
        who = incident.acknowledged_by
        said = f"{who} took it {format_duration(chain.ack_lasts_s)} ago, and it is still open"
        again = msgspec.structs.replace(incident, status="open", acknowledged_by="", acknowledged_before=who)
        self._logbook.keep(noted(again, now, "lapsed", said), "updated", now, out)
        return self._state.incidents[incident.id]

    def _of(self, name: str) -> list[Climb]:
        climbs = (self._state.climbs.get(f"{name}/{chain}") for chain in self._routes.chain_names)
        return [climb for climb in climbs if climb is not None]

    def _keep(self, climb: Climb) -> None:
        self._state.climbs[_key(climb)] = climb
        self._agenda.put(climb.due_at, "climb", _key(climb))


def _waiting(climb: Climb, chain: Chain, now: float) -> Climb:
    """The chain until its next step is due."""
    stage = chain.stages[(max(climb.told, 1) - 1) % len(chain.stages)]
    return msgspec.structs.replace(climb, due_at=now + stage.wait_s)


def _in_hand(incident: Incident) -> bool:
    return bool(incident.acknowledged_by) or not incident.is_open


def _again(climb: Climb, chain: Chain) -> str:
    return f"{climb.text}\nnobody took it so far: step {climb.told + 1} of {chain.name}"


def _key(climb: Climb) -> str:
    return f"{climb.incident}/{climb.chain}"
