"""What can be wrong with the steps of a playbook beyond their shape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from quell.config.actions import DEEDS_BUILT_IN, Actions
from quell.config.fields import duration, plain
from quell.config.nodes import Document, Path
from quell.config.references import Known, check_condition, check_templates
from quell.config.step_file import OWN_UNDO
from quell.errors import Problem
from quell.sdk.spec import ActionSpec

MOST_LOOKS = 10_000
RESULT_LATER = "only the check of a step sees its result"

_PEOPLE = frozenset({"role", "user", "owner", "team"})
_NOT_FOR_EACH = frozenset({"approve", "approve_then", "wait"})
_ITEM_LATER = "only a step with for_each has items"
_BEFORE_LATER = "only the undo of a step whose action reads the state before it acts sees that"
_NOT_OF: Mapping[str, tuple[str, ...]] = {
    "approve": ("check", "retry"),
    "wait": ("check", "otherwise", "retry"),
    "incident.note": ("retry",),
    "escalate": ("retry",),
    "quell.validate_drift": ("retry",),
}
"""Keys of a step that mean nothing where quell itself does it."""
_NOT_AT_ONCE = ("undo", "for_each")
_SPANS = ("within", "every", "hold")


@dataclass(slots=True)
class StepChecks:
    """Checks the steps of one playbook in order; ``known`` is what its expressions may use anywhere."""

    actions: Actions
    problems: list[Problem]
    document: Document
    known: Known
    timeout: float | None = None
    """How long a run may take, in seconds; None: as long as its steps may."""
    ids: frozenset[str] = frozenset()
    _earlier: dict[str, int] = field(default_factory=dict)

    def check(self, steps: list[Any]) -> None:
        """All steps, as they stand in the file."""
        entries = [(index, step) for index, step in enumerate(steps) if isinstance(step, dict)]
        members = [step for _, entry in entries for step in _members(entry)]
        self.ids = frozenset(step["id"] for step in members if isinstance(step.get("id"), str))
        for index, entry in entries:
            if "parallel" in entry:
                self._group(("steps", index, "parallel"), entry["parallel"])
            else:
                self._step(("steps", index), entry, self._known())
                self._named(("steps", index), entry)

    def _known(self) -> Known:
        """What an expression may use after the steps so far."""
        later = (("item", _ITEM_LATER), ("before", _BEFORE_LATER), *self.known.later)
        return replace(
            self.known,
            roots=self.known.roots | {"steps"},
            steps=frozenset(self._earlier),
            all_steps=self.ids,
            later=later,
        )

    def _group(self, path: Path, members: Any) -> None:
        known = self._known()
        steps = [(index, step) for index, step in enumerate(members if isinstance(members, list) else [])]
        for index, step in steps:
            if not isinstance(step, dict):
                continue
            inside = (*path, index)
            spec = self._step(inside, {word: step[word] for word in step if word not in _NOT_AT_ONCE}, known)
            name = step.get("do")
            if spec is not None and (spec.effect != "read" or str(name) in _NOT_FOR_EACH):
                message = f'"{name}" cannot be done at once with others: {_why_not(spec, str(name))}'
                self._problem((*inside, "do"), message, "make it a step of its own")
            for word in _NOT_AT_ONCE:
                if word in step:
                    message = f'a read at once with others has no "{word}"'
                    self._problem((*inside, word), message, "take it out", key=True)
        for index, step in steps:
            if isinstance(step, dict):
                self._named((*path, index), step)

    def _named(self, path: Path, step: dict[str, Any]) -> None:
        name = step.get("id")
        if not isinstance(name, str):
            return
        if name in self._earlier:
            message = f'the step id "{name}" stands here twice (first in line {self._earlier[name]})'
            self._problem((*path, "id"), message, "give it another id")
        self._earlier.setdefault(name, self.document.line((*path, "id")))

    def _step(self, path: Path, step: dict[str, Any], known: Known) -> ActionSpec | None:
        if "for_each" in step:
            known = self._items(path, step, known)
        reading = replace(known, readable=True)
        check_condition(self.document, (*path, "if"), step.get("if"), reading, self.problems)
        spec = self._action(path, step, known)
        name = str(step.get("do"))
        for word in _NOT_OF.get(name, ()):
            if word in step:
                self._problem((*path, word), f'"{name}" has no "{word}"', "take it out", key=True)
        if name in {"approve", "approve_then"}:
            self._approval((*path, "with"), _mapping(step, "with"))
        own = step.get("id")
        done = replace(known, steps=known.steps | {own}) if isinstance(own, str) else known
        with_result = replace(
            done,
            roots=done.roots | {"result"},
            later=tuple(one for one in done.later if one[0] != "result"),
            readable=True,
        )
        check_condition(self.document, (*path, "check"), step.get("check"), with_result, self.problems)
        self._undo(path, step, spec, done)
        return spec

    def _action(self, path: Path, step: dict[str, Any], known: Known) -> ActionSpec | None:
        name = step.get("do")
        if name == "wait":
            return self._wait(path, step, known)
        spec = self.actions.check(self.document, path, step, self.problems, known=known)
        if name != "approve_then":
            return spec
        inner = _mapping(step, "with")
        if not isinstance(inner.get("do"), str) or spec is None:
            return spec
        deed = {"do": inner["do"], "args": inner.get("args")}
        return self.actions.check(
            self.document, (*path, "with"), deed, self.problems, known=known, inside="args", built_in=False
        )

    def _items(self, path: Path, step: dict[str, Any], known: Known) -> Known:
        """Checks ``for_each``; gives what the expressions of the step may use."""
        if isinstance(step.get("do"), str) and step["do"] in _NOT_FOR_EACH:
            message = f'"{step["do"]}" cannot be done for each item'
            self._problem((*path, "for_each"), message, "make it a step of its own", key=True)
        of = _mapping(step, "for_each").get("in")
        place = (*path, "for_each", "in")
        if isinstance(of, str) and "${" not in of:
            check_condition(self.document, place, of, known, self.problems)
        else:
            check_templates(self.document, place, of, known, self.problems)
        later = tuple(one for one in known.later if one[0] != "item")
        return replace(known, roots=known.roots | {"item"}, later=later)

    def _undo(self, path: Path, step: dict[str, Any], spec: ActionSpec | None, known: Known) -> None:
        undo = step.get("undo")
        own = spec.undo if spec is not None else ""
        if undo is True and spec is not None and not own:
            name = step.get("do") if step.get("do") != "approve_then" else _mapping(step, "with").get("do")
            self._problem(
                (*path, "undo"), f'action "{name}" declares nothing that takes it back', "write undo: {do: …}"
            )
        if not isinstance(undo, dict) or undo.get("do") == OWN_UNDO:
            return
        if spec is not None and spec.before:
            later = tuple(one for one in known.later if one[0] != "before")
            known = replace(known, roots=known.roots | {"before"}, later=later)
        self.actions.check(self.document, (*path, "undo"), undo, self.problems, known=known, built_in=False)

    def _wait(self, path: Path, step: dict[str, Any], known: Known) -> ActionSpec | None:
        params = _mapping(step, "with")
        inside: Path = (*path, "with")
        plainly = {name: value for name, value in params.items() if name not in {"until", "query"}}
        query = params.get("query")
        seeing = replace(known, readable=True)
        if isinstance(query, dict):
            seeing = replace(
                seeing,
                roots=seeing.roots | {"result"},
                later=tuple(one for one in seeing.later if one[0] != "result"),
            )
            self._query((*inside, "query"), query, known)
        until = params.get("until")
        given = frozenset({"until", "query"} & set(params))
        spec = self.actions.check(
            self.document, path, {"do": "wait", "with": plainly}, self.problems, known=known, given=given
        )
        if until is not None and not isinstance(until, str):
            self._problem((*inside, "until"), "expected a condition", 'write one such as "${result.value < 0.01}"')
        check_condition(self.document, (*inside, "until"), until, seeing, self.problems)
        if query is not None and not isinstance(query, dict):
            self._problem((*inside, "query"), "expected an action", "write query: {do: …, with: {…}}")
        if "timeout" in step:
            self._problem((*path, "timeout"), 'a wait ends after "within"', "take it out", key=True)
        self._spans(inside, params)
        return spec

    def _query(self, path: Path, query: dict[str, Any], known: Known) -> None:
        for key in query:
            if key not in {"do", "with"}:
                self._problem((*path, key), f'unknown key "{key}"', "known here: do, with", key=True)
        if not isinstance(query.get("do"), str):
            self._problem(path, '"query" needs "do"', key=True)
        spec = self.actions.check(self.document, path, query, self.problems, known=known, built_in=False)
        if spec is not None and spec.effect != "read":
            self._problem(
                (*path, "do"), f'"{query["do"]}" cannot be looked at: {_why_not(spec)}', "name one that reads"
            )

    def _spans(self, path: Path, params: dict[str, Any]) -> None:
        """Checks how long and how often a wait looks: written out, as its timers are set before it begins."""
        spans: dict[str, float] = {}
        for name in _SPANS:
            value = params.get(name)
            if isinstance(value, str) and "${" in value:
                self._problem((*path, name), f'"{name}" must be written out', "write a duration such as 3m")
            elif value is not None:
                try:
                    spans[name] = duration(value)
                except ValueError:
                    continue  # said already
        within = spans.get("within")
        if within is None:
            return
        if spans.get("hold", 0.0) > within:
            self._problem((*path, "hold"), f'it cannot hold for longer than "within", {params["within"]}')
        every = spans.get("every")
        if every is not None and every < 1.0:
            self._problem((*path, "every"), "it may look once a second at most", "write a longer time")
        elif every is not None and within / every > MOST_LOOKS:
            message = f"it would look {int(within / every):,} times, {MOST_LOOKS:,} are allowed"
            self._problem((*path, "every"), message, "write a longer time")
        if self.timeout is not None and within > self.timeout:
            message = f"it may take longer than the run itself, whose timeout is {int(self.timeout)}s"
            self._problem((*path, "within"), message, "give the playbook a longer timeout, or none")

    def _approval(self, path: Path, params: dict[str, Any]) -> None:
        """An approval that nobody can give would only be found when it runs out of time."""
        who, need = params.get("who"), params.get("need", 1)
        if who == []:
            self._problem((*path, "who"), "nobody may approve this", 'name people, such as ["role:sre"]')
        for index, one in enumerate(who if isinstance(who, list) else []):
            if _said_by_nobody(one):
                suggestion = "write role:NAME, user:NAME, owner:NAME or team:NAME"
                self._problem((*path, "who", index), f'"{plain(one)}" names nobody', suggestion)
        if isinstance(need, int) and need < 1:
            self._problem((*path, "need"), f'"{need}" people cannot approve', "write 1 or more")

    def _problem(self, path: Path, message: str, suggestion: str = "", *, key: bool = False) -> None:
        self.problems.append(self.document.problem(path, message, suggestion, key=key))


def check_deeds(actions: Actions, document: Document, deeds: list[Any], known: Known, problems: list[Problem]) -> None:
    """What a playbook does when a run failed."""
    for index, deed in enumerate(deeds):
        if isinstance(deed, dict):
            actions.check(document, ("on_failure", index), deed, problems, known=known, built_in=DEEDS_BUILT_IN)


def _members(entry: dict[str, Any]) -> list[dict[str, Any]]:
    members = entry.get("parallel")
    if "parallel" not in entry:
        return [entry]
    return [step for step in members if isinstance(step, dict)] if isinstance(members, list) else []


def _why_not(spec: ActionSpec, name: str = "") -> str:
    return "it waits" if name in _NOT_FOR_EACH else f"its effect is {spec.effect}, and only reads are allowed here"


def _said_by_nobody(who: Any) -> bool:
    """Whether the text names nobody in a form that an approval understands."""
    if not isinstance(who, str) or "${" in who:
        return not isinstance(who, str)
    kind, colon, name = who.partition(":")
    return kind not in _PEOPLE or not colon or not name


def _mapping(raw: dict[str, Any], key: str) -> dict[str, Any]:
    value = raw.get(key)
    return value if isinstance(value, dict) else {}
