"""What outlives an incident's alerts and runs: what fired in it, in a few texts, and what may have ended it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from quell.model.alert import Alert
from quell.model.incident import Incident, Remedy
from quell.model.state import State

MOST_SYMPTOMS = 16
MOST_LETTERS = 160
SAID_BY_HAND = "resolved by hand"
QUELL = "quell"
_SAYING = ("summary", "message", "description")
"""Annotations that say in words what is the matter, the shortest kind first."""


def symptoms(
    state: State, known: Incident | None, incident: Incident, firsts: Iterable[Alert] | None = None
) -> tuple[str, ...]:
    """One text for each rule that fired: its name and what its first alert said. ``known`` is the incident before.

    ``firsts`` are the first alerts of each rule in it, if whoever asks has them at hand.
    """
    if known is not None and known.symptoms and known.alerts == incident.alerts:
        return known.symptoms
    texts = dict.fromkeys(known.symptoms if known is not None else ())
    named = {text.partition(":")[0] for text in texts}
    for alert in map(state.alerts.get, incident.alerts) if firsts is None else firsts:
        if len(texts) >= MOST_SYMPTOMS:
            break
        name = alert.name.replace(":", " ") if alert is not None else ""
        if alert is None or name in named:
            continue
        named.add(name)
        said = next((alert.annotations[key] for key in _SAYING if alert.annotations.get(key)), "")
        texts[f"{name}: {said}"[:MOST_LETTERS].rstrip(": ")] = None
    return tuple(text for text in texts if text)


def remedies(state: State, incident: Incident) -> tuple[Remedy, ...]:
    """What was done that may have ended it: runs that are done, the guilty change taken back, a person's words."""
    return (*_runs(state, incident), *_rollback(state, incident), *_notes(incident))


def _runs(state: State, incident: Incident) -> Iterator[Remedy]:
    done = [run for run in state.runs.values() if run.incident == incident.id and run.state == "done" and not run.dry]
    for run in sorted(done, key=lambda run: (run.started_at, run.id)):
        said = next((step.sentence for step in reversed(run.steps) if step.sentence and step.state == "done"), "")
        yield Remedy(kind="playbook", text=f"{run.playbook}: {said}" if said else run.playbook, by=run.by)


def _rollback(state: State, incident: Incident) -> Iterator[Remedy]:
    """The change of the same entity, after the guilty one, that brought back what was there before."""
    guilty = state.changes.get(incident.suspects[0].change or "") if incident.suspects else None
    if guilty is None:
        return
    back = [
        change
        for change in state.changes.values()
        if change.entity == guilty.entity and change.at > guilty.at and guilty.previous
        and change.revision == guilty.previous
    ]  # fmt: skip
    for change in sorted(back, key=lambda change: (change.at, change.id))[:1]:
        what = f"{guilty.type} {guilty.revision or guilty.id} of {guilty.entity} was taken back to {guilty.previous}"
        yield Remedy(kind="rollback", text=what, by=change.author)


def _notes(incident: Incident) -> Iterator[Remedy]:
    for entry in incident.timeline:
        if entry.what == "resolved" and entry.by != QUELL:
            text = entry.text.rpartition(" (after ")[0] or entry.text
            if text != SAID_BY_HAND:
                yield Remedy(kind="note", text=text, by=entry.by)
