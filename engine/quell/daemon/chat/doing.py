"""What people say is done: each act enters the core as theirs, and the answer says what is true then."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Sequence
from typing import Any
from uuid import NAMESPACE_URL, uuid4, uuid5

from quell.chatops.cards import approval_card, clean, clock
from quell.chatops.grammar import Command
from quell.chatops.marks import asked_mark
from quell.daemon.chat.floor import LATER, Asker, Floor, Unfit, person_called
from quell.model.alert import Alert
from quell.model.incident import Incident
from quell.model.mute import Matcher
from quell.model.records import FeedbackRecord, Verdict
from quell.model.run import Run
from quell.sdk.chat import Answer

_DRY_WAIT_S = 3.0
_LEAST_MARK = 6
_VERDICTS: dict[str, tuple[Verdict, str]] = {
    "noise": ("not_actionable", "there was nothing to do"),
    "missed": ("missed", "somebody should have been told of it, and was not, or too late"),
    "confirm": ("right_cause", "the first suspect was the cause"),
    "doubt": ("wrong_cause", "the first suspect was not the cause"),
}


class Doing:
    """One method for each act."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor

    async def _on_incident(self, command: Command, asker: Asker, done: str, **args: Any) -> Answer:
        incident = self._floor.incident(command.incident, asker)
        later = await self._floor.command(asker, command.verb, incident.id, note=command.because, **args)
        return Answer(text=f"{incident.id}: {later or done}")

    async def ack(self, command: Command, asker: Asker) -> Answer:
        return await self._on_incident(command, asker, f"acknowledged by {asker.principal.by}")

    async def resolve(self, command: Command, asker: Asker) -> Answer:
        return await self._on_incident(command, asker, f"resolved by {asker.principal.by}")

    async def reopen(self, command: Command, asker: Asker) -> Answer:
        return await self._on_incident(command, asker, "open again")

    async def assign(self, command: Command, asker: Asker) -> Answer:
        to = self._person(command.person, asker)
        return await self._on_incident(command, asker, f"assigned to {to}", to=to)

    def _person(self, name: str, asker: Asker) -> str:
        """The id of who is named, by id, by what the vendor calls them, or by name. Raises `Unfit`."""
        people = self._floor.people()
        if name.lower() == "me":
            return asker.principal.by
        source = self._floor.sources.get(asker.source)
        called = person_called(people, name, asker.source, source.kind if source is not None else "")
        if called is not None:
            return called.id
        for person in people:
            if name.lower() in {person.id.lower(), person.name.lower(), person.email.lower()}:
                return person.id
        if people:
            raise Unfit(f'nobody in people.yaml is "{name}"')
        return name

    async def snooze(self, command: Command, asker: Asker) -> Answer:
        assert command.seconds is not None
        until = clock(self._floor.clock.now() + command.seconds)
        done = f"snoozed by {asker.principal.by} until {until} UTC; if it is still open, people are called then"
        return await self._on_incident(command, asker, done, seconds=command.seconds)

    async def merge(self, command: Command, asker: Asker) -> Answer:
        stays, goes = self._floor.incident(command.incident, asker), self._floor.incident(command.other, asker)
        later = await self._floor.command(asker, "merge", stays.id, incident=goes.id, note=command.because)
        return Answer(text=later or f"{goes.id} is part of {stays.id} now; that is remembered")

    async def split(self, command: Command, asker: Asker) -> Answer:
        incident = self._floor.incident(command.incident, asker)
        marks = [mark for name in command.alerts for mark in self._marks(incident, name)]
        before = set(self._floor.state.incidents)
        later = await self._floor.command(
            asker, "split", incident.id, alerts=list(dict.fromkeys(marks)), note=command.because
        )
        new = [name for name in self._floor.state.incidents if name not in before]
        apart = f" as {new[0]}" if new else ""
        count = len(set(marks))
        done = f"{count} alert{'s stand' if count != 1 else ' stands'} apart from {incident.id}{apart} now"
        return Answer(text=later or f"{done}; that is remembered")

    def _marks(self, incident: Incident, name: str) -> list[str]:
        """Alerts of an incident by name, or by (the beginning of) a fingerprint. Raises `Unfit`."""
        known = [alert for mark in incident.alerts if (alert := self._floor.state.alerts.get(mark)) is not None]
        low = name.lower()
        found = [one.fingerprint for one in known if low in {one.name.lower(), one.fingerprint}]
        if not found and len(low) >= _LEAST_MARK:
            found = [one.fingerprint for one in known if one.fingerprint.startswith(low)]
        if not found:
            names = ", ".join(sorted({clean(one.name) for one in known if one.name})[:6])
            raise Unfit(f'{incident.id} has no alert "{name}"{f"; it has {names}" if names else ""}')
        return found

    async def _judge(self, command: Command, asker: Asker) -> Answer:
        verdict, said = _VERDICTS[command.verb]
        incident = self._floor.incident(command.incident, asker)
        now = self._floor.clock.now()
        record = FeedbackRecord(
            at=now, seen=now, source="chat", verdict=verdict, incident=incident.id, by=asker.principal.by,
            note=command.because, id=f"chat/{asker.source}/{asker.id}" if asker.id else "",
        )  # fmt: skip
        return Answer(text=f"{incident.id}: {await self._floor.put(record) or f'{said}; noted, thank you'}")

    noise = missed = confirm = doubt = _judge

    async def silence(self, command: Command, asker: Asker) -> Answer:
        assert command.seconds is not None
        matchers, about = command.matchers, ""
        if not matchers:
            incident = self._floor.incident(command.incident, asker)
            known = [alert for mark in incident.alerts if (alert := self._floor.state.alerts.get(mark)) is not None]
            matchers, about = matchers_of(known), f" ({incident.id})"
        if not matchers:
            raise Unfit("nothing is known of its alerts any more; say which labels to silence")
        now, by = self._floor.clock.now(), asker.principal.by
        name = str(uuid5(NAMESPACE_URL, f"{asker.source}/{asker.id}") if asker.id else uuid4())
        silence = {
            "id": name,
            "matchers": [
                {"name": one.name, "value": one.value, "isRegex": one.is_regex, "isEqual": one.is_equal}
                for one in matchers
            ],
            "starts_at": now,
            "ends_at": now + command.seconds,
            "updated_at": now,
            "created_by": by,
            "comment": command.because + about,
        }
        later = await self._floor.command(asker, "silence", name, silence=silence)
        labels = ", ".join(str(one) for one in matchers)
        until = f"until {clock(now + command.seconds)} UTC"
        return Answer(text=later or f"Silenced {until}: {clean(labels)}. To end it: unsilence {name[:8]}")

    async def unsilence(self, command: Command, asker: Asker) -> Answer:
        now = self._floor.clock.now()
        live = [one for one in self._floor.state.silences.values() if one.state(now) != "expired"]
        found = [one for one in live if one.id.startswith(command.silence)]
        if len(found) != 1:
            raise Unfit(
                f'{len(found)} silences begin with "{command.silence}"; silences lists them'
                if found else f'there is no active silence "{command.silence}"; silences lists them'
            )  # fmt: skip
        later = await self._floor.command(asker, "expire_silence", found[0].id)
        return Answer(text=later or f"Silence {found[0].id} is over")

    # Playbooks

    async def run(self, command: Command, asker: Asker) -> Answer:
        floor = self._floor
        playbook = next((one for one in floor.loop.rulebook.playbooks if one.name == command.playbook), None)
        if playbook is None:
            known = ", ".join(sorted(one.name for one in floor.loop.rulebook.playbooks)[:12])
            raise Unfit(f'no playbook is named "{command.playbook}"{f"; there are {known}" if known else ""}')
        about = ""
        if command.incident or asker.about or not playbook.by_hand:
            about = floor.incident(command.incident, asker).id
        before = set(floor.state.runs)
        dry = "true" if command.dry else ""
        later = await floor.command(asker, "run", playbook.name, incident=about, dry=dry, note=command.because)
        new = [run.id for run in floor.state.runs.values() if run.id not in before and run.playbook == playbook.name]
        if later or not new:
            return Answer(text=later or f"{playbook.name}: {LATER}")
        return Answer(text=_told(await self._settled(new[0], command.dry)), private=False)

    async def _settled(self, name: str, dry: bool) -> Run:
        """A dry run is over soon, and then says what each step would do."""
        end = time.monotonic() + (_DRY_WAIT_S if dry else 0.0)
        while not self._floor.state.runs[name].over and time.monotonic() < end:  # noqa: ASYNC110 - turns tell nobody
            await asyncio.sleep(0.05)
        return self._floor.state.runs[name]

    async def _on_run(self, command: Command, asker: Asker, done: str) -> Answer:
        run = self._floor.run(command.run, asker, live=command.verb != "release")
        wanted = run.approval.who if run.approval is not None else ()
        # Between here and the turn that takes it another's yes may have it ask anew.
        bound = run.approval.bound_to if run.approval is not None and command.verb == "approve" else None
        answers = "approval" if command.verb in {"approve", "reject"} else None
        later = await self._floor.command(
            asker, command.verb, run.id, wanted=wanted, note=command.because, bound=bound, answers=answers,
            mark=command.mark, version=command.version,
        )  # fmt: skip
        now = self._floor.state.runs.get(run.id, run)
        return Answer(text=later or f"{run.id} ({clean(run.playbook)}): {done}; it is {now.state}")

    async def approve(self, command: Command, asker: Asker) -> Answer:
        run = self._floor.run(command.run, asker)
        if not command.mark and (mark := asked_mark(run)):
            text = f"Not done: say that you have read it: approve {run.id} {mark}"
            return Answer(text=text, card=approval_card(self._floor.state, run, self._floor.link()), ok=False)
        return await self._on_run(command, asker, f"{asker.principal.by} said yes")

    async def reject(self, command: Command, asker: Asker) -> Answer:
        return await self._on_run(command, asker, f"{asker.principal.by} said no")

    async def stop(self, command: Command, asker: Asker) -> Answer:
        return await self._on_run(command, asker, f"stopped by {asker.principal.by}")

    async def release(self, command: Command, asker: Asker) -> Answer:
        return await self._on_run(command, asker, f"released by {asker.principal.by}")

    async def pause(self, command: Command, asker: Asker) -> Answer:
        later = await self._floor.command(asker, "pause", "", note=command.because)
        return Answer(text=later or "No playbook acts until somebody says: unpause all", private=False)

    async def unpause(self, command: Command, asker: Asker) -> Answer:
        later = await self._floor.command(asker, "unpause", "", note=command.because)
        return Answer(text=later or "Playbooks act again", private=False)

    # What is shown to whom

    async def subscribe(self, command: Command, asker: Asker) -> Answer:
        incident = self._floor.incident(command.incident, asker)
        if not asker.own or not self._floor.board.subscribe(asker.source, asker.own, incident.id):
            raise Unfit("there is nowhere to show it to you: say it where people talk")
        return Answer(text=f"The card of {incident.id} comes to you, and is kept up to date")

    async def unsubscribe(self, command: Command, asker: Asker) -> Answer:
        incident = self._floor.incident(command.incident, asker)
        row = self._floor.board.rows.get((asker.source, asker.own, incident.id))
        if row is None or not row.own:
            raise Unfit(f"{incident.id} does not come to you")
        store = self._floor.writer.store
        await self._floor.writer.call(store.keep_shown, [], [row])
        self._floor.board.remove(row)
        return Answer(text=f"The card of {incident.id} is not kept up to date for you any more")


def matchers_of(alerts: Sequence[Alert]) -> tuple[Matcher, ...]:
    """Matchers that hold for all these alerts: the labels that they share, and their names."""
    if not alerts:
        return ()
    first = alerts[0].labels
    shared = {
        name: value
        for name, value in first.items()
        if name != "alertname" and all(alert.labels.get(name) == value for alert in alerts)
    }
    found = [Matcher(name=name, value=value) for name, value in sorted(shared.items())]
    names = sorted({alert.labels.get("alertname", "") for alert in alerts})
    if all(names):
        one = len(names) == 1
        value = names[0] if one else "|".join(re.escape(name) for name in names)
        found.insert(0, Matcher(name="alertname", value=value, is_regex=not one))
    return tuple(found)


def _told(run: Run) -> str:
    """A run in a few lines."""
    dry = " (dry run: nothing was done)" if run.dry else ""
    lines = [f"**{run.id}** {clean(run.playbook)}{dry} is {run.state}{f': {clean(run.error)}' if run.error else ''}"]
    lines += [f"{step.id}: {clean(step.sentence)}" for step in run.steps if step.sentence]
    return "\n".join(lines)
