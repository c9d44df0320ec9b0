"""A test file becomes scenarios; what is wrong with it is told with line and column, as for every other file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from quell.config.complaints import did_you_mean, shaped
from quell.config.fields import duration
from quell.config.nodes import Document, Path
from quell.config.scenario import (
    Answer,
    Expect,
    Fake,
    Fed,
    Many,
    Person,
    Scenario,
    Wanted,
    WantedCall,
)
from quell.config.test_feed import entity_of, fed_by
from quell.config.test_shapes import CLOCK, VERBS, KnownGraphShape, PersonShape, ScenarioShape, TrialShape
from quell.config.test_wants import ExpectShape
from quell.errors import Problem
from quell.model.playbook import Place
from quell.model.times import parse_time
from quell.model.topology import Dependency, Entity

_FAILURES = ("unreachable", "timeout", "refused", "lost")
_ANSWER_KEYS = frozenset({"ok", "fail", "sentence", "error", "takes", "retry_after"})
_HANDLED = {"firing": "firing", "held": "hold", "muted": "muted", "digest": "digest"}


@dataclass(frozen=True, slots=True)
class Names:
    """What a test file may speak of: names of playbooks, of rules files, of actions and measures, of detectors."""

    playbooks: frozenset[str]
    rules: frozenset[str]
    actions: frozenset[str]
    detectors: frozenset[str] = frozenset()


def scenarios_of(document: Document, names: Names, problems: list[Problem]) -> list[Scenario]:
    """The scenarios of a file; a file with a problem gives none, and all of its problems are added."""
    if document.value is None:
        problems.append(Problem(document.file, 0, 0, "the file holds no test", 'write "test:" and "expect:"'))
        return []
    before = len(problems)
    shape = shaped(TrialShape, document, problems, value=document.value)
    if shape is None:
        return []
    reading = _Reading(document, names, problems)
    if shape.tests is None:
        found = [reading.scenario(shape, (), shape.test or "", None)]
    else:
        found = [reading.scenario(one, ("tests", n), one.test, shape) for n, one in enumerate(shape.tests)]
    return found if len(problems) == before else []


@dataclass(slots=True)
class _Reading:
    """Reads one file."""

    document: Document
    names: Names
    problems: list[Problem]

    def scenario(self, own: TrialShape | ScenarioShape, path: Path, name: str, shared: TrialShape | None) -> Scenario:
        """One scenario, with what it shares with the others of its file."""
        both: list[tuple[TrialShape | ScenarioShape, Path]] = [(own, path)]
        if shared is not None:
            both.insert(0, (shared, ()))
        start = parse_time(CLOCK) or 0.0
        clock = next((one.clock for one, _ in reversed(both) if one.clock is not None), start)
        entities: dict[str, Entity] = {}
        edges: dict[tuple[str, str], Dependency] = {}
        fakes: dict[str, Fake] = {}
        for shape, at in both:
            self._graph(shape.graph, (*at, "graph"), entities, edges)
            fakes |= {name: self._fake((*at, "fake", name), name, raw, clock) for name, raw in shape.fake.items()}
        expects = [each for shape, at in both for each in self._expects(shape, at, clock)]
        if not expects:
            self._say(path, 'a scenario needs "expect"')
        return Scenario(
            name=name,
            place=self._place(path),
            clock=clock,
            expects=tuple(sorted(expects, key=lambda each: each.at)),
            playbooks=self._chosen(both, "playbooks", "playbook", self.names.playbooks),
            rules=self._chosen(both, "rules", "rules file", self.names.rules),
            detect=self._chosen(both, "detect", "detector", self.names.detectors),
            mode=next((shape.mode for shape, _ in reversed(both) if shape.mode is not None), None),
            entities=tuple(entities.values()),
            dependencies=tuple(edges.values()),
            feed=tuple(sorted((fed for shape, at in both for fed in self._feed(shape, at, clock)), key=_at)),
            fakes=fakes,
            strict=any(shape.strict for shape, _ in both),
            people=tuple(
                sorted((each for shape, at in both for each in self._people(shape, at, clock)), key=lambda one: one.at)
            ),
            crash=any(shape.crash for shape, _ in both),
        )

    def _chosen(
        self, both: Sequence[tuple[Any, Path]], key: str, what: str, known: frozenset[str]
    ) -> tuple[str, ...] | None:
        for shape, path in reversed(both):
            chosen = getattr(shape, key)
            if chosen is None:
                continue
            for index, name in enumerate(chosen):
                if name not in known:
                    self._say((*path, key, index), f'unknown {what} "{name}"', did_you_mean(name, known))
            return tuple(chosen)
        return None

    def _graph(
        self,
        shape: KnownGraphShape,
        path: Path,
        entities: dict[str, Entity],
        edges: dict[tuple[str, str], Dependency],
    ) -> None:
        for name, known in shape.entities.items():
            entity = entity_of(name)
            entities[entity] = Entity(
                entity=entity, labels=known.labels, owner=known.owner, tier=known.tier, sources=("test",)
            )
        for index, edge in enumerate(shape.edges):
            from_, to = entity_of(edge[0]), entity_of(edge[1])
            if from_ == to:
                self._say((*path, "edges", index), f'"{from_}" cannot depend on itself')
            kind = edge[2] if len(edge) > 2 else "depends_on"
            edges[from_, to] = Dependency(from_=from_, to=to, type=kind, sources=("test",))
            for entity in (from_, to):
                entities.setdefault(entity, Entity(entity=entity, sources=("test",)))

    def _feed(self, shape: Any, path: Path, clock: float) -> Iterator[Fed]:
        for index, fed in enumerate(shape.feed):
            yield from fed_by(self.document, (*path, "feed", index), fed, clock, self.problems)

    def _fake(self, path: Path, name: str, raw: Any, clock: float) -> Fake:
        if name not in self.names.actions:
            self._say(path, f'unknown action or measure "{name}"', did_you_mean(name, self.names.actions), key=True)
        place = self._place(path)
        if isinstance(raw, list) and raw:
            answers = tuple(self._answer((*path, index), one) for index, one in enumerate(raw))
            return Fake(name, answers, place=place)
        if isinstance(raw, dict) and raw and all(_is_duration(key) for key in raw):
            timed = sorted((clock + duration(key), key) for key in raw)
            answers = tuple(self._answer((*path, key), raw[key]) for _, key in timed)
            return Fake(name, answers, tuple(at for at, _ in timed), place)
        if raw is None or raw == []:
            self._say(path, f'"{name}" needs an answer', "write {ok: {}}, a number, or a list of answers")
        return Fake(name, (self._answer(path, raw),), place=place)

    def _answer(self, path: Path, raw: Any) -> Answer:
        """``{ok: {…}}`` or ``{fail: …}``; any other mapping is the output, and anything else its ``value``."""
        if not isinstance(raw, dict):
            return Answer(output={"value": raw})
        if not ({"ok", "fail"} & raw.keys()):
            return Answer(output=raw)
        for key in raw.keys() - _ANSWER_KEYS:
            self._say((*path, key), f'unknown key "{key}"', did_you_mean(key, _ANSWER_KEYS), key=True)
        fail, output = raw.get("fail"), raw.get("ok")
        if fail is not None and fail not in _FAILURES:
            self._say((*path, "fail"), f'"{fail}" is not one of {", ".join(_FAILURES)}')
        if fail is not None and "ok" in raw:
            self._say(path, "an answer is either ok or a failure")
        if output is not None and not isinstance(output, dict):
            output = {"value": output}
        return Answer(
            fail=fail if fail in _FAILURES else "",
            output=output or {},
            sentence=str(raw.get("sentence") or ""),
            error=str(raw.get("error") or ""),
            takes_s=self._span(path, raw, "takes") or 0.0,
            retry_after_s=self._span(path, raw, "retry_after"),
        )

    def _span(self, path: Path, raw: Mapping[str, Any], key: str) -> float | None:
        if raw.get(key) is None:
            return None
        try:
            return duration(raw[key])
        except ValueError as error:
            self._say((*path, key), str(error))
            return None

    def _people(self, shape: Any, path: Path, clock: float) -> Iterator[Person]:
        for index, one in enumerate(shape.people):
            yield self._person((*path, "people", index), one, clock)

    def _person(self, path: Path, shape: PersonShape, clock: float) -> Person:
        verb = next(verb for verb in VERBS if getattr(shape, verb) is not None)
        about = getattr(shape, verb)
        if verb in {"run", "stop", "release"} and about not in self.names.playbooks:
            self._say((*path, verb), f'unknown playbook "{about}"', did_you_mean(about, self.names.playbooks))
        args: dict[str, Any] = {}
        target = "" if about is True else about
        if shape.command is not None:
            verb, target, args = shape.command.verb, shape.command.target, dict(shape.command.args)
        refused = shape.refused
        return Person(
            at=clock + shape.at,
            by=shape.as_,
            verb=verb,
            target=target,
            place=self._place(path),
            roles=None if shape.roles is None else tuple(shape.roles),
            note=shape.note,
            dry=shape.dry,
            incident=shape.incident,
            args=args,
            exact=shape.command is not None,
            refused="" if refused is True else refused,
        )

    def _expects(self, shape: Any, path: Path, clock: float) -> Iterator[Expect]:
        for index, expect in enumerate(shape.expect):
            yield self._expect((*path, "expect", index), expect, clock)

    def _expect(self, path: Path, shape: ExpectShape, clock: float) -> Expect:
        no_calls = shape.no_calls
        if isinstance(no_calls, list):
            for index, name in enumerate(no_calls):
                self._action((*path, "no_calls", index), name)
        for index, run in enumerate(shape.runs if isinstance(shape.runs, list) else []):
            if run.playbook is not None and run.playbook not in self.names.playbooks:
                place: Path = (*path, "runs", index, "playbook")
                self._say(place, f'unknown playbook "{run.playbook}"', did_you_mean(run.playbook, self.names.playbooks))
        return Expect(
            at=clock + shape.at,
            place=self._place(path),
            incidents=self._many((*path, "incidents"), shape.incidents),
            pages=self._many((*path, "pages"), shape.pages),
            alerts={
                handling: many
                for key, handling in _HANDLED.items()
                if (many := self._many((*path, key), getattr(shape, key))) is not None
            },
            runs=self._many((*path, "runs"), shape.runs),
            calls=tuple(self._call((*path, "calls", index), raw) for index, raw in enumerate(shape.calls or [])),
            no_calls=None if no_calls is None else () if no_calls is True else tuple(no_calls),
            no_calls_place=self._place((*path, "no_calls")),
        )

    def _many(self, path: Path, wanted: Sequence[Any] | None) -> Many | None:
        if wanted is None:
            return None
        if self.document.raw(path):  # a number, which stands for as many of any kind
            return Many(self._place(path), count=len(wanted))
        these = [
            Wanted(
                one if isinstance(one, dict) else one.model_dump(exclude_unset=True, by_alias=True),
                self._place((*path, index)),
            )
            for index, one in enumerate(wanted)
        ]
        return Many(self._place(path), tuple(these))

    def _call(self, path: Path, raw: Mapping[str, Any]) -> WantedCall:
        times, dry = raw.get("times"), raw.get("dry", False)
        named = [key for key in raw if key not in {"times", "dry"}]
        if len(named) != 1:
            self._say(path, f"a call names one action, this one {len(named)}", "write {ticket.open: {title: …}}")
        if times is not None and (isinstance(times, bool) or not isinstance(times, int) or times < 0):
            self._say((*path, "times"), f'"{times}" is not a number of times')
            times = None
        if not isinstance(dry, bool):
            self._say((*path, "dry"), f'expected true or false, found "{dry}"')
        for name in named:
            self._action((*path, name), name, key=True)
            if raw[name] is not None and not isinstance(raw[name], dict):
                self._say((*path, name), "expected a mapping of parameters", "write {} for any")
        name = named[0] if named else ""
        params = raw.get(name)
        return WantedCall(name, params if isinstance(params, dict) else {}, self._place(path), times, dry is True)

    def _action(self, path: Path, name: str, *, key: bool = False) -> None:
        if name not in self.names.actions:
            self._say(path, f'unknown action "{name}"', did_you_mean(name, self.names.actions), key=key)

    def _place(self, path: Path) -> Place:
        return Place(file=self.document.file, line=self.document.line(path))

    def _say(self, path: Path, message: str, suggestion: str = "", *, key: bool = False) -> None:
        self.problems.append(self.document.problem(path, message, suggestion, key=key))


def _is_duration(text: str) -> bool:
    try:
        duration(text)
    except ValueError:
        return False
    return True


def _at(fed: Fed) -> float:
    return fed.at
