"""What routes and rooms ask of an incident, as the rulebook has it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from quell.config.complaints import did_you_mean
from quell.config.fields import joined
from quell.config.nodes import Document, Path
from quell.config.oncall_shapes import AsksShape, RoomShape
from quell.config.rules_file import times
from quell.errors import Problem
from quell.model.playbook import Place
from quell.model.rulebook import Room


def asks(shape: AsksShape, name: str, place: Place) -> dict[str, Any]:
    """The fields of `quell.model.rulebook.Asks`."""
    return {
        "matchers": joined(shape.match),
        "teams": tuple(shape.team),
        "affects": tuple(shape.affects),
        "tiers": tuple(shape.tier),
        "severities": tuple(one.lower() for one in shape.severity),
        "hours": tuple(times(hours, name, (), place) for hours in shape.hours),
        "outside": shape.outside_hours,
        "early": shape.early,
        "place": place,
    }


def rooms(
    document: Document, path: Path, shapes: Sequence[RoomShape], sources: Collection[str], problems: list[Problem]
) -> tuple[Room, ...]:
    """The rooms of a file, below ``path``."""
    found = []
    for index, shape in enumerate(shapes):
        here: Path = (*path, index)
        if shape.to not in sources and shape.to != "digest":
            hint = did_you_mean(shape.to, sources, f"sources here: {', '.join(sorted(sources)) or 'none'}")
            problems.append(document.problem((*here, "to"), f'no source has the id "{shape.to}"', hint))
        place = document.place(here)
        source = "" if shape.to == "digest" else shape.to
        found.append(Room(source=source, channel=shape.channel, **asks(shape, shape.channel or shape.to, place)))
    return tuple(found)
