"""The draft of an incident's post-mortem, from what the state has now and what is suggested."""

from __future__ import annotations

import asyncio

from quell.daemon.clock import Clock
from quell.daemon.loop import Loop
from quell.daemon.past_limits import PastLimits
from quell.model.habits import Suggestion
from quell.model.incident import Incident
from quell.model.state import State
from quell.postmortem.draft import Material, draft


class Drafting:
    """Puts one together whenever it is asked for."""

    def __init__(self, loop: Loop, clock: Clock, suggestions: PastLimits) -> None:
        self._loop = loop
        self._clock = clock
        self._suggestions = suggestions

    async def text(self, incident: Incident) -> str:
        """The draft, as Markdown. Raises StoreError."""
        state = self._loop.decider.state
        guilty = [one.change for one in incident.suspects[:1] if one.change]
        changes = dict.fromkeys((*guilty, *incident.changes))
        proposed = await adjustments(self._suggestions, state, incident)
        material = Material(
            incident=incident,
            alerts=[state.alerts[each] for each in incident.alerts if each in state.alerts],
            runs=[run for run in state.runs.values() if run.incident == incident.id],
            changes=[state.changes[each] for each in changes if each in state.changes],
            entities=[state.entities[each] for each in incident.entities if each in state.entities],
            explanation=self._loop.decider.explain(incident.id) if incident.id in state.incidents else None,
            adjustments=proposed,
            diff=await asyncio.to_thread(self._suggestions.diff, proposed),
            now=self._clock.now(),
        )
        return draft(material)


async def adjustments(suggestions: PastLimits, state: State, incident: Incident) -> list[Suggestion]:
    """What is suggested about the rules whose alerts are in the incident, and about what depends on its entities."""
    names = {state.alerts[each].name for each in incident.alerts if each in state.alerts}
    ends = {*incident.entities}
    found = (await suggestions.suggested()).suggestions
    return [one for one in found if _concerns(one, names, ends, incident.id)]


def _concerns(one: Suggestion, names: set[str], entities: set[str], incident: str) -> bool:
    if one.kind == "dependency":
        return bool({one.rule.get("from"), *one.rule.get("to", ())} & entities)
    rule = str(one.rule.get("name", ""))
    if one.kind == "threshold":
        return rule in names or incident in one.incidents
    if one.kind == "inhibit":
        return any(rule.endswith(f" hides {name}") for name in names)
    return any(rule.startswith(f"{name} ") for name in names) if one.kind in {"hold", "digest"} else False
