"""The shapes of ``*.test.yaml``: what a scenario may hold."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from quell.config.fields import Duration, Shape, Span, plain
from quell.config.rule_shapes import Moment
from quell.config.test_wants import ExpectShape
from quell.model.playbook import Mode

CLOCK = "2026-03-01T10:00:00Z"
"""When a scenario begins that does not say."""


def _word_or_true(value: object) -> object:
    if value is not True and not (isinstance(value, str) and value):
        raise ValueError(f'"{plain(value)}" is neither a word nor true')
    return value


WordOrTrue = Annotated[
    Any, AfterValidator(_word_or_true), WithJsonSchema({"anyOf": [{"type": "string"}, {"const": True}]})
]


class KnownEntityShape(Shape):
    """What is known of an entity."""

    labels: dict[str, str] = Field(default={})
    owner: str = ""
    tier: Annotated[int, Field(ge=0, le=100)] | None = None


class KnownGraphShape(Shape):
    """What depends on what, beside what the rules say. A name without a kind is a service."""

    edges: list[Annotated[list[str], Field(min_length=2, max_length=3)]] = Field(default=[])
    """Pairs such as [web, checkout]: web depends on checkout. A third text is the type of the edge."""
    entities: dict[str, KnownEntityShape] = Field(default={})
    """Labels, owner and tier by name."""


class FedShape(Shape):
    """One thing that is told to quell. Exactly one of alert, change, sample, log, series and record stands in it."""

    at: Duration
    """When, from the clock on."""
    alert: dict[str, str] | None = None
    """The labels of an alert that fires."""
    for_: Span | None = Field(default=None, alias="for")
    """How long the alert fires; to the end if left out."""
    annotations: dict[str, str] = Field(default={})
    """Of the alert."""
    value: float | None = None
    """Of the alert."""
    threshold: float | None = None
    """Of the alert."""
    change: dict[str, Any] | None = None
    """A change: kind (deploy, config, flag, …), service or entity, revision, previous, …; the rest is labels."""
    sample: dict[str, Any] | None = None
    """A metric: service or entity, metric, and value, or points as a mapping from time to value."""
    log: dict[str, Any] | None = None
    """A log line: service or entity, severity, text, …"""
    series: dict[str, Any] | None = None
    """A metric over time: service or entity, metric (or log, a statement, with severity), and values as promtool writes
    them, such as 0.2x10 0.9x5: one each "every" (1m). With field (and segment, version) they are the values of a field
    that are counted at once."""
    record: dict[str, Any] | None = None
    """Any record as in docs/reference/records.md; its times may be left out."""
    source: str = "test"
    """The source that tells it."""
    every: Span | None = None
    """It is told again so often."""
    times: Annotated[int, Field(ge=1, le=1000)] = 1
    """How often it is told altogether."""

    @model_validator(mode="after")
    def _one_thing(self) -> FedShape:
        told = [name for name in TOLD if getattr(self, name) is not None]
        if len(told) != 1:
            raise ValueError(f"exactly one of {', '.join(TOLD[:-1])} and {TOLD[-1]} belongs here")
        if told != ["alert"] and (self.for_ is not None or self.annotations or self.value is not None):
            raise ValueError("for, annotations, value and threshold go with an alert")
        if self.series is not None:
            if self.times > 1:
                raise ValueError('"times" does not go with a series; write more values')
        elif (self.times > 1) != (self.every is not None):
            raise ValueError('"every" and "times" go together: every: 1m, times: 5')
        return self


TOLD = ("alert", "change", "sample", "log", "series", "record")
"""What may be told."""


class CommandShape(Shape):
    """A command as the API takes it."""

    verb: str
    target: str = ""
    args: dict[str, Any] = Field(default={})


class PersonShape(Shape):
    """What a person does. Exactly one verb stands in it, as a key with what it is about."""

    at: Duration
    """When, from the clock on."""
    as_: Annotated[str, Field(min_length=1)] = Field(default="somebody", alias="as")
    """The person's name."""
    roles: list[str] | None = None
    """The person's roles, such as sre or owner:shop; every role if left out."""
    note: str = ""
    """What the person says with it."""
    approve: str | None = None
    """The step that asks, or the playbook that does; of a run in doubt: that its act took effect."""
    reject: str | None = None
    """As approve, with a no."""
    stop: str | None = None
    """The playbook whose runs are stopped."""
    run: str | None = None
    """The playbook that is begun by hand, for the incident."""
    dry: bool = False
    """With run: as a dry run."""
    incident: str = ""
    """With run: a service, entity or word of the title of the incident meant; the only open one if left out."""
    ack: WordOrTrue | None = None
    """The incident, by service, entity or word of its title; true is every open one."""
    resolve: WordOrTrue | None = None
    """As ack."""
    reopen: WordOrTrue | None = None
    """As ack, among those that are resolved."""
    pause: Literal[True] | None = None
    """Keeps every playbook from acting."""
    unpause: Literal[True] | None = None
    """Lets playbooks act again."""
    release: str | None = None
    """The playbook whose stuck runs let go of their locks."""
    command: CommandShape | None = None
    """Any other command."""
    refused: WordOrTrue | None = None
    """It is to be refused, with these words in the reason."""

    @model_validator(mode="after")
    def _one_verb(self) -> PersonShape:
        if sum(getattr(self, verb) is not None for verb in VERBS) != 1:
            raise ValueError(f"exactly one of {', '.join(VERBS)} belongs here")
        return self


VERBS = ("approve", "reject", "stop", "run", "ack", "resolve", "reopen", "pause", "unpause", "release", "command")
"""What a person may do."""


_ANSWERS: dict[str, Any] = {
    "description": "A list of answers in order, one for always, an output, a number, or a series such as "
    '{"0s": 0.2, "12m": 0.001}.',
    "examples": [[{"fail": "unreachable"}, {"ok": {}}], {"value": 0.9}, {"0s": 0.2, "12m": 0.001}],
}


class _Common(Shape):
    """What scenarios of one file may share."""

    playbooks: list[str] | None = None
    """The playbooks that take part; all of the directory if left out."""
    rules: list[str] | None = None
    """The rules files that count, such as rules/mute.yaml; all of the directory if left out."""
    detect: list[str] | None = None
    """The detectors that take part, also if they are off; all that are on if left out."""
    mode: Mode | None = None
    """The mode of all playbooks that take part; as their files say if left out."""
    clock: Moment | None = None
    """When the scenario begins; 2026-03-01T10:00:00Z if left out."""
    graph: KnownGraphShape = KnownGraphShape()
    feed: list[FedShape] = Field(default=[])
    """What is told to quell."""
    fake: dict[str, Annotated[Any, WithJsonSchema(_ANSWERS)]] = Field(default={})
    """What actions (by full name) and measures answer; an action that is not named is done."""
    strict: bool = False
    """An action that is not named under fake fails the test."""
    people: list[PersonShape] = Field(default=[])
    """What people do."""
    expect: list[ExpectShape] = Field(default=[])
    crash: Literal["everywhere"] | None = None
    """everywhere: also run with a kill after every commit; everything must come to the same."""


class ScenarioShape(_Common):
    """One scenario."""

    test: Annotated[str, Field(min_length=1)]
    """What it shows, in one sentence."""


class TrialShape(_Common):
    """A test file: one scenario, or some that share what stands beside them."""

    test: Annotated[str, Field(min_length=1)] | None = None
    """What it shows, in one sentence."""
    tests: Annotated[list[ScenarioShape], Field(min_length=1)] | None = None
    """Several scenarios instead; each adds to and replaces what stands beside this key."""

    @model_validator(mode="after")
    def _one_or_many(self) -> TrialShape:
        if (self.test is None) == (self.tests is None):
            raise ValueError('a test file holds "test", what it shows, or "tests", a list of scenarios')
        if self.tests is None and not self.expect:
            raise ValueError('a scenario needs "expect"')
        return self
