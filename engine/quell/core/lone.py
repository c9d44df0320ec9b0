"""Incidents of one alert that must page though it has no company."""

from __future__ import annotations

import msgspec

from quell.core.continuity import new_name, place_of
from quell.core.logbook import Logbook, noted
from quell.core.pager import Pager
from quell.core.rank import Changes, nearest_change
from quell.core.titles import title
from quell.model.alert import Alert
from quell.model.decision import AnyDecision
from quell.model.incident import Evidence, Incident, Suspect
from quell.model.state import State


class Lone:
    """Shows people an alert that nothing was concluded about."""

    def __init__(self, state: State, logbook: Logbook, pager: Pager) -> None:
        self._state = state
        self._logbook = logbook
        self._pager = pager

    def show(self, alert: Alert, changes: Changes, now: float, out: list[AnyDecision]) -> None:
        """Opens and pages an incident for one alert that must page though it has no company."""
        member = (alert.fingerprint, alert.episode)
        name = new_name(self._state, [member], now)
        suspects = _alone(alert, changes)
        incident = Incident(
            id=name,
            title=title(suspects, [alert]),
            status="open",
            opened_at=now,
            updated_at=now,
            severity=alert.severity,
            alerts=(alert.fingerprint,),
            entities=(alert.entity,) if alert.entity else (),
            suspects=suspects,
            no_clear_cause=True,
            changes=tuple(suspect.change for suspect in suspects if suspect.change),
        )
        self._state.placed[place_of(member)] = name
        self._state.alerts[alert.fingerprint] = msgspec.structs.replace(alert, incident=name)
        self._logbook.keep(noted(incident, now, "opened", alert.reason.text), "opened", now, out)
        self._pager.page(name, alert, alert.reason.text, now, out)


def _alone(alert: Alert, changes: Changes) -> tuple[Suspect, ...]:
    """The only suspect of an alert without company is its own entity, with what changed there."""
    if alert.entity is None:
        return ()
    change, bonus = nearest_change(changes(alert.entity), alert.starts_at)
    if change is None:
        return (Suspect(entity=alert.entity, onset=alert.starts_at, path=(alert.entity,)),)
    text = f"{change.type} {change.revision or change.id} on {alert.entity} shortly before"
    return (
        Suspect(
            entity=alert.entity,
            change=change.id,
            kind=change.type,
            onset=alert.starts_at,
            path=(alert.entity,),
            evidence=(Evidence(code="change", text=text, weight=bonus),),
        ),
    )
