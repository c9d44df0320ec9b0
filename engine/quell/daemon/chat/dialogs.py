"""Buttons: a click acts only on what still is as it was shown; what needs more words opens a dialog first."""

from __future__ import annotations

from msgspec.structs import replace

from quell.chatops.cards import arguments, choices, clean, clock, incident_card
from quell.chatops.grammar import Command, Misread, parse
from quell.chatops.marks import Mark, asked_mark, asking, mark_of_incident, mark_of_run, read_mark, standing
from quell.core.blast import Estate, reach
from quell.core.graph import Graph
from quell.daemon.chat.doing import matchers_of
from quell.daemon.chat.floor import Asker, Floor
from quell.model.incident import Incident
from quell.model.run import Run
from quell.sdk.chat import Answer, Button, Field, Line, Modal, Said

SUBMIT = "!"
"""Behind the verb of a dialog's button: its fields are filled in."""
_AT_ONCE = frozenset({"ack", "resolve", "reopen", "why", "noise", "confirm", "show"})
_ON_RUNS = frozenset({"approve", "reject", "stop"})
_HOUR_S = 3600.0
_SPANS = (("30m", "30 minutes"), ("1h", "1 hour"), ("4h", "4 hours"), ("24h", "1 day"))


class Dialogs:
    """Turns a click into a command, or into an answer that says why not."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor

    def read(self, said: Said, asker: Asker) -> Command | Answer:
        """The command that a click is, a dialog that it opens, or what has become of the thing since."""
        mark = read_mark(said.value)
        verb = said.verb.removesuffix(SUBMIT)
        if mark is None:
            return Answer(text="This button is not one of quell's.", ok=False)
        if verb in _ON_RUNS:
            run = self._floor.state.runs.get(mark.key)
            if run is None:
                return Answer(text=f"Run {mark.key} is over and forgotten; nothing was done.", ok=False)
            if asking(run) != mark.stood:
                return Answer(text=_since_run(run), ok=False)
            if said.verb == verb:
                return Answer(modal=_run_dialog(verb, run, self._reached(run)))
            shown = asked_mark(run) if verb == "approve" else ""  # the button stood beside it
            return Command(verb=verb, run=run.id, mark=shown, because=_reason(said, asker))
        incident = self._floor.state.incidents.get(mark.key)
        if incident is None:
            return Answer(text=f"{mark.key} is over and forgotten; nothing was done.", ok=False)
        if verb not in {"why", "show"} and standing(incident) != mark.stood:
            card = incident_card(self._floor.state, incident, self._floor.link())
            return Answer(text=_since(incident, mark), card=card, replace=True, ok=False)
        if verb in _AT_ONCE:
            return Command(verb=verb, incident=incident.id)
        if said.verb == verb:
            return self._opened(verb, incident)
        return self._submitted(verb, incident, said, asker)

    def _reached(self, run: Run) -> str:
        """The blast radius of a run in words. The graph is drawn once for it: that takes a while where it is large."""
        book, state = self._floor.loop.rulebook, self._floor.state
        entities = {entity.entity: entity for entity in book.entities} | state.entities
        graph = Graph(entities.values(), [*book.dependencies, *state.dependencies.values()], book.correlate)
        return reach(run.targets, Estate(lambda: graph))

    def _opened(self, verb: str, incident: Incident) -> Answer:
        value = mark_of_incident(incident)
        submit = Button(verb=verb + SUBMIT, label=verb.capitalize(), value=value, style="primary")
        about = Line(f"{incident.id}: {clean(incident.title)}", "lead")
        reason = Field(name="because", label="Why", optional=verb not in {"silence"})
        state = self._floor.state
        if verb == "silence":
            fields = (Field(name="span", label="For how long", value="1h", choices=_SPANS), reason)
            own = [alert for mark in incident.alerts if (alert := state.alerts.get(mark)) is not None]
            labels = Line(", ".join(str(one) for one in matchers_of(own)), "quote")
            reach = Line("Every alert with these labels is silenced, of this incident or not.")
            return Answer(modal=Modal(title="Silence", submit=submit, lines=(about, labels, reach), fields=fields))
        if verb == "run":
            known = [
                (one.name, f"{one.name}: {one.summary}")
                for one in self._floor.loop.rulebook.playbooks
                if one.mode != "off"
            ]
            if not known:
                return Answer(text="There is no playbook to run.", ok=False)
            how = Field(
                name="dry", label="How", value="dry",
                choices=(("dry", "dry: say what would be done"), ("", "do it")),
            )  # fmt: skip
            fields = (Field(name="playbook", label="Playbook", choices=choices(known)), how)
            return Answer(modal=Modal(title="Run a playbook", submit=submit, lines=(about,), fields=fields))
        if verb == "merge":
            others = [
                (one.id, f"{one.id} {one.title}")
                for one in sorted(state.incidents.values(), key=lambda one: -one.opened_at)
                if one.is_open and one.id != incident.id
            ]
            if not others:
                return Answer(text="No other incident is open.", ok=False)
            fields = (Field(name="other", label="This one goes", choices=choices(others)), reason)
            text = "It stays, and the other becomes part of it. That is remembered."
            return Answer(modal=Modal(title="Merge", submit=submit, lines=(about, Line(text)), fields=fields))
        if verb == "split":
            alerts = [alert for mark in incident.alerts if (alert := state.alerts.get(mark)) is not None]
            names = sorted({alert.name for alert in alerts if alert.name})
            if len(names) < 2:
                names = list(incident.alerts)
            if len(names) < 2:
                return Answer(text=f"{incident.id} has one alert: there is nothing to split off.", ok=False)
            offered = choices([(name, name) for name in names])
            fields = (Field(name="alert", label="These stand apart", choices=offered), reason)
            return Answer(modal=Modal(title="Split off", submit=submit, lines=(about,), fields=fields))
        if verb == "doubt":
            cause = Field(name="because", label="What was the cause", optional=True)
            return Answer(modal=Modal(title="Wrong cause", submit=submit, lines=(about,), fields=(cause,)))
        return Answer(text=f'There is no button "{verb}" here.', ok=False)

    def _submitted(self, verb: str, incident: Incident, said: Said, asker: Asker) -> Command | Answer:
        because = said.fields.get("because", "").strip()
        match verb:
            case "silence":
                found = parse(f"snooze {incident.id} {said.fields.get('span') or '1h'}")
                if isinstance(found, Misread):
                    return Answer(text=found.text, ok=False)
                seconds = found.seconds or _HOUR_S
                return Command(verb="silence", incident=incident.id, seconds=seconds, because=_reason(said, asker))
            case "run":
                dry = said.fields.get("dry", "dry") == "dry"  # who was not asked did not say: do it
                return Command(verb="run", playbook=said.fields.get("playbook", ""), incident=incident.id, dry=dry)
            case "merge":
                other = said.fields.get("other", "")
                return Command(verb="merge", incident=incident.id, other=other, because=because)
            case "split":
                alert = said.fields.get("alert", "")
                return Command(verb="split", incident=incident.id, alerts=(alert,), because=because)
            case "doubt":
                return Command(verb="doubt", incident=incident.id, because=because)
        return Answer(text=f'There is no button "{verb}" here.', ok=False)


def _reason(said: Said, asker: Asker) -> str:
    return said.fields.get("because", "").strip() or f"{asker.principal.by} clicked"


def _run_dialog(verb: str, run: Run, reached: str) -> Modal:
    style = "primary" if verb == "approve" else "danger"
    submit = Button(verb=verb + SUBMIT, label=verb.capitalize(), value=mark_of_run(run))
    submit = replace(submit, style=style)
    reason = Field(name="because", label="Why", optional=verb == "approve")
    title = f"{verb.capitalize()} {clean(run.playbook)}?"[:24]
    lines = (Line(clean(run.why), "lead"), *arguments(run), Line(f"Blast radius: {clean(reached)}"))
    return Modal(title=title, submit=submit, lines=lines, fields=(reason,))


def _since(incident: Incident, mark: Mark) -> str:
    """What happened to an incident since it was shown as it stood."""
    kinds = {"acknowledged", "resolved", "reopened", "merged", "snoozed", "woke", "split", "withdrawn", "paged"}
    last = next((entry for entry in reversed(incident.timeline) if entry.what in kinds), None)
    how = f" by {clean(last.by)} at {clock(last.at)} UTC" if last is not None else ""
    into = f" into {incident.merged_into}" if incident.merged_into else ""
    return f"{incident.id} is already {standing(incident)}{into}{how}, it was {mark.stood} here; nothing was done."


def _since_run(run: Run) -> str:
    approval = run.approval
    by = ""
    if approval is not None and approval.rejected_by:
        by = f", rejected by {clean(approval.rejected_by)}"
    elif approval is not None and approval.approved_by:
        by = f", approved by {', '.join(clean(one) for one in approval.approved_by)}"
    if run.asks:
        return f"{run.id} asks again with other arguments{by}; look at the new ones. Nothing was done."
    return f"{run.id} is already {run.state}{by}; nothing was done."
