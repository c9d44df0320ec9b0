"""Answers to questions: who is open, why, since when, what runs. They change nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from math import isfinite

from quell.chatops.cards import clean, clock, gravest_first, in_a_line, incident_card
from quell.chatops.grammar import Command, help_text
from quell.core.rota import on_call, until
from quell.daemon.chat.floor import Asker, Floor, Unfit
from quell.daemon.chat.rooms import labels_of
from quell.daemon.foreign import awaited
from quell.errors import ConnectorError, PictureError
from quell.model.incident import Incident
from quell.model.times import format_duration, format_time
from quell.picture.draw import svg
from quell.picture.png import png
from quell.sdk.chat import Answer, Card, Line, Picture
from quell.sdk.connector import Acts, Call, Done
from quell.stats.card import figures_card

MOST_LISTED = 25
_DAY_S = 86400.0
_ASK_S = 10.0
ON_CALL = frozenset({"oncall", "on_call"})
"""What a connector calls the read by which it says who is called now; a parameter ``team`` is filled in."""
_SEVERITIES = {"high": frozenset({"critical", "high", "error", "page"})}
"""``sev:high`` means what wakes people, whatever it is called."""


class Telling:
    """One method for each question."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor

    async def help(self, command: Command, _asker: Asker) -> Answer:
        return Answer(text=help_text(command.about))

    async def incidents(self, command: Command, _asker: Asker) -> Answer:
        wanted = dict(command.filters)
        everything = wanted.get("status") == "all"
        known = self._floor.state.incidents.values()
        found = gravest_first(
            one
            for one in known
            if (everything or one.is_open) and _fits(labels_of(self._floor.state, one), one, wanted)
        )
        if not found:
            return Answer(text="No incident is open." if not wanted else "No such incident is open.")
        lines = [Line(in_a_line(one), "item") for one in found[:MOST_LISTED]]
        if len(found) > MOST_LISTED:
            lines.append(Line(f"and {len(found) - MOST_LISTED} more", "note"))
        many = f"{len(found)} incident{'s' * (len(found) != 1)}"
        return Answer(card=Card(key="incidents", version=0, title=many, lines=tuple(lines)))

    async def show(self, command: Command, asker: Asker) -> Answer:
        return Answer(card=await self._card(command.incident, asker))

    async def _card(self, name: str, asker: Asker) -> Card:
        floor = self._floor
        try:
            incident = floor.incident(name, asker)
        except Unfit:
            kept = await floor.writer.call(floor.writer.store.incident, name) if name else None
            if kept is None:
                raise
            incident = kept
        return incident_card(floor.state, incident, floor.link())

    async def why(self, command: Command, asker: Asker) -> Answer:
        incident = self._floor.incident(command.incident, asker)
        explanation = self._floor.loop.decider.explain(incident.id)
        return Answer(text=clean_lines(f"{incident.id}\n{getattr(explanation, 'text', '')}"))

    async def graph(self, command: Command, asker: Asker) -> Answer:
        incident = self._floor.incident(command.incident, asker)
        explanation = self._floor.loop.decider.explain(incident.id)
        drawn = svg(explanation)
        path = f"/api/quell/v1/incidents/{incident.id}/why.svg"
        first = incident.suspects[0] if incident.suspects else None
        way = " → ".join(clean(entity) for entity in first.path) if first is not None else "no suspect is known"
        link = f"{self._floor.link()}{path}" if self._floor.link() else ""
        picture = None
        lines = [Line(way, "cause")]
        try:
            mark = f"{incident.id}/{incident.version}"
            picture = Picture(mark=mark, alt=f"how trouble travelled: {way}", png=await asyncio.to_thread(png, drawn))
        except PictureError as error:
            lines.append(Line(f"No picture here: {error}. The same as SVG: {path}", "note"))
        title = f"How trouble travelled in {incident.id}"
        card = Card(
            key=f"graph/{incident.id}", version=incident.version, title=title, lines=tuple(lines), picture=picture,
            link=link,
        )  # fmt: skip
        return Answer(card=card, private=False)

    async def stats(self, command: Command, _asker: Asker) -> Answer:
        over_s = command.seconds or 7 * _DAY_S
        figures = await self._floor.figures(over_s)
        return Answer(card=figures_card(figures))

    async def silences(self, _command: Command, _asker: Asker) -> Answer:
        now = self._floor.clock.now()
        live = [one for one in self._floor.state.silences.values() if one.state(now) != "expired"]
        if not live:
            return Answer(text="Nothing is silenced.")
        lines = []
        for one in sorted(live, key=lambda one: one.ends_at)[:MOST_LISTED]:
            labels = ", ".join(str(matcher) for matcher in one.matchers)
            until = f"until {clock(one.ends_at)} UTC, {format_duration(max(one.ends_at - now, 0.0))} more"
            why = f"{clean(one.created_by)}: {clean(one.comment)}"
            lines.append(Line(f"**{one.id}** {clean(labels)} ({until}) by {why}", "item"))
        return Answer(card=Card(key="silences", version=0, title=f"{len(live)} silences", lines=tuple(lines)))

    async def runs(self, command: Command, asker: Asker) -> Answer:
        runs = list(self._floor.state.runs.values())
        if command.incident or (asker.about and asker.about in self._floor.state.incidents):
            name = self._floor.incident(command.incident, asker).id
            runs = [run for run in runs if run.incident == name]
        paused = self._floor.state.paused_by
        text = f"Every playbook is paused by {clean(paused)}." if paused else ""
        if not runs:
            return Answer(text=text or "No playbook has run.")
        runs.sort(key=lambda run: (-run.started_at, run.id))
        lines = []
        for run in runs[:MOST_LISTED]:
            about = f" for {run.incident}" if run.incident else ""
            dry = " (dry run)" if run.dry else ""
            why = f": {clean(run.error)}" if run.error else ""
            lines.append(
                Line(
                    f"**{run.id}** {clock(run.started_at)} {clean(run.playbook)}{dry}{about}: {run.state}{why}", "item"
                )
            )
        return Answer(text=text, card=Card(key="runs", version=0, title=f"{len(runs)} runs", lines=tuple(lines)))

    async def oncall(self, command: Command, _asker: Asker) -> Answer:
        """Whatever connector knows who is called is asked; one that does not answer is said to."""
        asked = [
            (source.id, source.connector, spec)
            for source in self._floor.sources
            for spec in source.connector.spec.actions
            if spec.name in ON_CALL and spec.effect == "read"
        ]
        lines = self._by_rota(command.about)
        for source, connector, spec in asked:
            assert isinstance(connector, Acts)
            wanted = {"team": command.about} if command.about else {}
            params = {option.name: wanted.get(option.name, option.default) for option in spec.params}
            now = self._floor.clock.now()
            call = Call(key=f"oncall/{source}", action=spec.name, params=params, now=now, timeout_s=_ASK_S)
            try:
                async with asyncio.timeout(_ASK_S):
                    answer = await awaited(connector.act(call))
            except (ConnectorError, TimeoutError) as error:
                lines.append(f"{source} could not be asked: {error or 'no answer'}")
            else:
                lines.append(f"{source}: {answer.sentence if isinstance(answer, Done) else 'no answer yet'}")
        text = "\n".join(clean(line) for line in lines)
        return Answer(text=text or "No source here knows who is on call; pages go where pages: in quell.yaml says.")

    def _by_rota(self, about: str) -> list[str]:
        """Who is called by the rotas of the rules, all of them or the one that is meant."""
        book, now = self._floor.loop.rulebook, self._floor.clock.now()
        lines = []
        for rota in book.rotas:
            if about and about.lower() != rota.name.lower():
                continue
            who, end = on_call(rota, now), until(rota, now)
            name = book.contacts.get(who, {}).get("name") or who
            lines.append(f"{rota.name}: {name}" + (f" until {format_time(end)[:16]}Z" if isfinite(end) else ""))
        return lines


def _fits(labels: dict[str, str], incident: Incident, wanted: dict[str, str]) -> bool:
    for name, value in wanted.items():
        low = value.lower()
        if name == "sev" and incident.severity.lower() not in _SEVERITIES.get(low, frozenset({low})) | {low}:
            return False
        if name == "team" and labels.get("team", "").lower() != low:
            return False
        if name == "service" and not _at(incident, low) and labels.get("service", "").lower() != low:
            return False
        if name == "status" and low not in {"all", incident.status}:
            return False
    return True


def _at(incident: Incident, service: str) -> bool:
    return any(service in {entity.lower(), entity.lower().partition("/")[2]} for entity in incident.entities)


def clean_lines(text: str, lines: Iterable[str] = ()) -> str:
    """Others' text, line by line, in which our marks mean nothing."""
    return "\n".join(clean(line) if line.strip() else "" for line in (*text.splitlines(), *lines)).strip()
