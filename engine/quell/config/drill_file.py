"""Drills in rules files: a feed as in tests, and what is expected of it."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from quell.config.fields import Shape, Span, Zone
from quell.config.nodes import Document
from quell.config.scenario import Fed
from quell.config.test_feed import entity_of, fed_by
from quell.config.test_series import values_of
from quell.config.test_shapes import FedShape, KnownGraphShape
from quell.errors import ExpressionError, Problem
from quell.expressions.cron import Cron
from quell.model.drill import Drill
from quell.model.playbook import Place
from quell.model.topology import Dependency, Entity

SOURCE = "drill"


def _cron(value: str) -> str:
    try:
        return Cron(value).text
    except ExpressionError as error:
        raise ValueError(str(error)) from None


class DrillExpectShape(Shape):
    """What is to come of a drill."""

    detectors: list[str] = Field(default=[])
    """Detectors that find something."""
    cause: str = ""
    """What is suspected first, with enough certainty to be called the cause. A name without a kind is a service."""
    pages: list[str] = Field(default=[])
    """Actions that would be called to page people, such as console.page."""
    playbooks: list[str] = Field(default=[])
    """Playbooks that would begin, or say what they would do."""
    quiet: bool = False
    """Nobody is paged."""

    @model_validator(mode="after")
    def _something(self) -> DrillExpectShape:
        if not (self.detectors or self.cause or self.pages or self.playbooks or self.quiet):
            raise ValueError("a drill expects something: detectors, cause, pages, playbooks or quiet")
        if self.quiet and self.pages:
            raise ValueError('"quiet" and "pages" contradict each other')
        return self


class DrillShape(Shape):
    """A fire drill: made-up signals, which a copy of quell takes in with the rules and the graph in use."""

    name: Annotated[str, Field(min_length=1)]
    about: str = ""
    """What it tries, in a sentence."""
    graph: KnownGraphShape = KnownGraphShape()
    """What depends on what, beside the graph in use."""
    feed: Annotated[list[FedShape], Field(min_length=1)]
    """What is told, as in tests; times from the beginning of the drill on."""
    lasts: Span | None = None
    """How long it lasts; if left out, until ten minutes after the detectors that are expected have judged the feed."""
    expect: DrillExpectShape
    cron: Annotated[str, AfterValidator(_cron)] | None = None
    """When it is held, as a cron line of five fields; only by hand if left out."""
    zone: Zone = "UTC"
    """The time zone of these times."""


def read_drill(document: Document, index: int, shape: DrillShape, problems: list[Problem]) -> Drill:
    """One drill; what is wrong with its feed is added to ``problems``."""
    fed: list[Fed] = []
    for number, one in enumerate(shape.feed):
        told = one.model_copy(update={"source": SOURCE}) if "source" not in one.model_fields_set else one
        fed += fed_by(document, ("drills", index, "feed", number), told, 0.0, problems)
    fed.sort(key=lambda each: each.at)
    edges = [(entity_of(edge[0]), entity_of(edge[1]), edge[2:]) for edge in shape.graph.edges]
    named = {entity_of(name): known for name, known in shape.graph.entities.items()}
    places = dict.fromkeys([*named, *(end for edge in edges for end in edge[:2])])
    want = shape.expect
    return Drill(
        name=shape.name,
        about=shape.about,
        place=Place(file=document.file, line=document.line(("drills", index))),
        feed=tuple(each.record for each in fed),
        fed_s=max([each.at for each in fed] + [_end(told) for told in shape.feed], default=0.0),
        lasts_s=shape.lasts,
        entities=tuple(
            Entity(entity=name, sources=(SOURCE,), **(named[name].model_dump() if name in named else {}))
            for name in places
        ),
        dependencies=tuple(
            Dependency(from_=from_, to=to, type=kind[0] if kind else "depends_on", sources=(SOURCE,))
            for from_, to, kind in edges
        ),
        detectors=tuple(want.detectors),
        cause=entity_of(want.cause) if want.cause else "",
        pages=tuple(want.pages),
        playbooks=tuple(want.playbooks),
        quiet=want.quiet,
        cron=shape.cron or "",
        zone=shape.zone,
    )


def _end(told: FedShape) -> float:
    """When a series is over, also where nothing is told at its end; its beginning for all else."""
    if told.series is None or "field" in told.series:  # the values of a field are counted at once
        return told.at
    try:
        return told.at + len(values_of(str(told.series.get("values", "")))) * (told.every or 60.0)
    except ValueError:  # it is complained of already
        return told.at
