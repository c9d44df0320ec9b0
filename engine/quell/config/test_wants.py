"""The shapes of what a scenario expects."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from quell.config.fields import Duration, Shape, plain
from quell.model.incident import IncidentStatus
from quell.model.run import RunState, StepState

_MOST = 100_000
_NAMES: dict[str, Any] = {"type": "array", "items": {"type": "string"}}


def _wanted_step(value: object) -> object:
    return {"state": value} if isinstance(value, str) else value


def _so_many(value: object) -> object:
    """A number stands for as many things of any kind."""
    return [{}] * value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST else value


def _names_or_true(value: object) -> object:
    if value is not True and not _is_names(value):
        raise ValueError(f'"{plain(value)}" is neither a list of names nor true')
    return value


def _names_or_number(value: object) -> object:
    number = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    if not number and not _is_names(value):
        raise ValueError(f'"{plain(value)}" is neither a list of names nor a number')
    return value


def _is_names(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


NamesOrTrue = Annotated[Any, AfterValidator(_names_or_true), WithJsonSchema({"anyOf": [_NAMES, {"const": True}]})]
NamesOrNumber = Annotated[
    Any, AfterValidator(_names_or_number), WithJsonSchema({"anyOf": [_NAMES, {"type": "integer"}]})
]


class WantedIncidentShape(Shape):
    """An incident as it should be."""

    suspect: str | None = None
    """The first suspect: an entity, or its name. "" is none."""
    kind: str | None = None
    """What the first suspect is: entity, or a kind of change."""
    clear: bool | None = None
    """Whether there is a clear cause."""
    alerts: NamesOrNumber | None = None
    """How many alerts are in it, or their names."""
    severity: str | None = None
    status: IncidentStatus | None = None
    title: str | None = None
    """Words in its title."""
    paged: bool | None = None
    """Whether people were told of it."""
    acknowledged_by: str | None = None


class WantedStepShape(Shape):
    """A step of a run as it should be."""

    state: StepState | None = None
    sentence: str | None = None
    """Words in what is true now."""
    error: str | None = None
    """Words in what went wrong."""


class WantedRunShape(Shape):
    """A run as it should be."""

    playbook: str | None = None
    state: RunState | None = None
    why: str | None = None
    """Words in why it runs, or which guard kept it from running."""
    error: str | None = None
    """Words in what went wrong."""
    dry: bool | None = None
    """Whether it is a dry run."""
    each: str | None = None
    """What it is about: the values of guards.each."""
    steps: dict[
        str,
        Annotated[
            WantedStepShape,
            BeforeValidator(_wanted_step),
            WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "object"}]}),
        ],
    ] = Field(default={})
    """By step id: its state, or state, sentence and error. Undos are <id>/undo, deeds on failure on_failure/1, …"""


class WantedPageShape(Shape):
    """A page as it should be."""

    alert: str | None = None
    """The name of the alert that people were told of."""
    reason: str | None = None
    """Words in why."""
    reminder: bool | None = None
    """Whether they were told again as nobody took it."""


_CALL = {
    "type": "object",
    "properties": {
        "times": {"type": "integer", "minimum": 0, "description": "How often; once or more if left out."},
        "dry": {"type": "boolean", "description": "Whether dry runs of it are meant."},
    },
    "additionalProperties": {"type": ["object", "null"]},
    "description": "The full name of an action, and some of its parameters.",
}


Alerts = Annotated[list[dict[str, str]], BeforeValidator(_so_many, json_schema_input_type=list[dict[str, str]] | int)]


class ExpectShape(Shape):
    """What should be the case at a time. Incidents, pages and runs are those so far, and a list names all of them."""

    at: Duration
    """When, from the clock on, after all that happens then."""
    incidents: (
        Annotated[
            list[WantedIncidentShape], BeforeValidator(_so_many, json_schema_input_type=list[WantedIncidentShape] | int)
        ]
        | None
    ) = None
    """All incidents so far but those that were merged or withdrawn, in any order; or how many."""
    pages: (
        Annotated[list[WantedPageShape], BeforeValidator(_so_many, json_schema_input_type=list[WantedPageShape] | int)]
        | None
    ) = None
    """All pages so far, in any order; or how many."""
    firing: Alerts | None = None
    """All alerts that fire now, each by some of its labels, or by words of its annotations; or how many."""
    held: Alerts | None = None
    """All alerts that fire and are held back now, each by some of its labels; or how many."""
    muted: Alerts | None = None
    """All alerts that fire and are muted now."""
    digest: Alerts | None = None
    """All alerts that fire and are left to the digest now."""
    runs: (
        Annotated[list[WantedRunShape], BeforeValidator(_so_many, json_schema_input_type=list[WantedRunShape] | int)]
        | None
    ) = None
    """All runs so far, in any order; or how many."""
    calls: list[Annotated[dict[str, Any], WithJsonSchema(_CALL)]] | None = None
    """Calls of actions so far, each {ACTION: {some: parameters}, times: 2}; others may have been made, too."""
    no_calls: NamesOrTrue | None = None
    """Actions that were not called so far; true: none was but reads and pages."""
