"""Who is in the picture: a box for each entity that matters, one for each crowd of others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from quell.core.story import Actor, Link, Story

MOST_BOXES = 20
MOST_IN_STEP = 7
"""A step has two rows of four boxes; the last is for the crowd."""
MOST_OF_MANY = 3
"""In a story that does not fit, a step is one row."""
MOST_TO_CROWD = 2
"""Lines that lead to one crowd; more would only say again that it is a crowd."""
RIVAL_BAR = 0.02
"""A rejected candidate outside the story that is less likely is told of in words only."""
NOWHERE = 99
"""The step of what no known way leads to: below everything else."""


@dataclass(frozen=True, slots=True)
class Box:
    """One entity (``actor``), or a crowd of them at one step. ``step`` is negative for rivals above the cause."""

    key: str
    step: int
    actor: Actor | None = None
    crowd: tuple[Actor, ...] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """A link between two boxes by their keys; ``merged`` counts the links that it stands for."""

    source: str
    target: str
    link: Link
    merged: int = 1


@dataclass(frozen=True, slots=True)
class Cast:
    """The boxes by step and then by onset, and the lines between them."""

    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]


@dataclass(slots=True)
class _Steps:
    """At which step each entity stands."""

    of: dict[str, int] = field(default_factory=dict)

    def place(self, story: Story) -> None:
        for actor in story.actors:
            if actor.step is not None:
                self.of[actor.entity] = actor.step
        for link in story.links:
            if link.rival and link.to in self.of:
                self.of.setdefault(link.from_, self.of[link.to] - 1)


def cast(story: Story) -> Cast:
    """At most `MOST_BOXES` entities: the path, the suspects and what was changed first, then by step and alerts."""
    story = _without_faint_rivals(story)
    steps = _Steps()
    steps.place(story)
    on_path = {end for link in story.links if link.main for end in (link.from_, link.to)}

    def rank(actor: Actor) -> tuple[int, int, int, float, str]:
        must = 0 if actor.role == "cause" or actor.entity in on_path else 1 if actor.suspect or actor.changes else 2
        return must, steps.of.get(actor.entity, NOWHERE), -len(actor.alerts), actor.onset or 0.0, actor.entity

    kept: dict[str, Actor] = {}
    in_step: Counter[int] = Counter()
    fits = len(story.actors) <= MOST_BOXES
    room, most = (MOST_BOXES, MOST_IN_STEP) if fits else (MOST_BOXES - 4, MOST_OF_MANY)
    for actor in sorted(story.actors, key=rank):
        step = steps.of.get(actor.entity, NOWHERE)
        if len(kept) < room and (in_step[step] < most or rank(actor)[0] < 2):
            kept[actor.entity] = actor
            in_step[step] += 1
    crowds: dict[int, list[Actor]] = {}
    for actor in story.actors:
        if actor.entity not in kept:
            crowds.setdefault(steps.of.get(actor.entity, NOWHERE), []).append(actor)
    boxes = [Box(name, steps.of.get(name, NOWHERE), actor=actor) for name, actor in kept.items()]
    holder = {name: name for name in kept}
    for step, crowd in crowds.items():
        if len(crowd) == 1:
            boxes.append(Box(crowd[0].entity, step, actor=crowd[0]))
            holder[crowd[0].entity] = crowd[0].entity
            continue
        boxes.append(Box(f"crowd {step}", step, crowd=tuple(crowd)))
        holder.update({actor.entity: f"crowd {step}" for actor in crowd})
    return Cast(tuple(_ordered(boxes, story)), tuple(_lines(story.links, holder)))


def _without_faint_rivals(story: Story) -> Story:
    faint = {one.entity for one in story.actors if one.role == "rival" and one.confidence < RIVAL_BAR}
    return msgspec.structs.replace(
        story,
        actors=tuple(one for one in story.actors if one.entity not in faint),
        links=tuple(one for one in story.links if one.from_ not in faint),
    )


def _ordered(boxes: Sequence[Box], story: Story) -> list[Box]:
    place = {actor.entity: at for at, actor in enumerate(story.actors)}
    return sorted(boxes, key=lambda box: (box.step, bool(box.crowd), place.get(box.key, len(place)), box.key))


def _lines(links: Sequence[Link], holder: dict[str, str]) -> list[Line]:
    merged: dict[tuple[str, str], Line] = {}
    for link in links:
        ends = holder.get(link.from_, ""), holder.get(link.to, "")
        if not all(ends) or ends[0] == ends[1]:
            continue
        known = merged.get(ends)
        if known is None:
            merged[ends] = Line(*ends, link)
        else:
            kept = known.link if known.link.main or not link.main else link
            merged[ends] = Line(*ends, kept, known.merged + 1)
    found: list[Line] = []
    to_crowd: Counter[str] = Counter()
    for line in sorted(merged.values(), key=lambda one: (not one.link.main, -one.merged, one.source, one.target)):
        crowded = line.target not in holder
        to_crowd[line.target] += 1
        if not crowded or to_crowd[line.target] <= MOST_TO_CROWD:
            found.append(line)
    return found
