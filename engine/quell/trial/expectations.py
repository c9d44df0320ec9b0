"""Holds what is expected against what there is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import msgspec

from quell.config.scenario import Expect, Many, Wanted, WantedCall
from quell.model.alert import Alert
from quell.model.decision import Page
from quell.model.incident import Incident
from quell.model.playbook import Place
from quell.model.run import Run, StepRun
from quell.trial.machine import Machine
from quell.trial.past import run_line
from quell.trial.world import Made

MOST_SHOWN = 8

Thing = TypeVar("Thing")
_NOT_THERE = frozenset({"merged", "withdrawn"})


@dataclass(frozen=True, slots=True)
class Failure:
    """An expectation that was not met: where it is written, for what, ``after_s`` from the clock on."""

    place: Place
    after_s: float
    what: str
    want: str
    got: str


@dataclass(frozen=True, slots=True)
class _Kind:
    """How things of a kind are compared and shown."""

    what: str
    unlike: Callable[[Any, Mapping[str, Any]], list[str]]
    shown: Callable[[Any], str]


def unmet(expect: Expect, machine: Machine, clock: float) -> Iterator[Failure]:
    """What is not as expected now."""
    state, past = machine.state, machine.past
    after_s = expect.at - clock
    incidents = [one for one in past.incidents.values() if one.status not in _NOT_THERE]
    names = {mark: alert.name for mark, alert in state.alerts.items()}
    kinds: list[tuple[Many | None, _Kind, Sequence[Any]]] = [
        (
            expect.incidents,
            _Kind("incidents", lambda one, want: _unlike_incident(one, want, names), _incident),
            incidents,
        ),
        (
            expect.pages,
            _Kind("pages", lambda one, want: _unlike_page(one, want, names), lambda one: _page(one, names)),
            list(past.pages.values()),
        ),
        (expect.runs, _Kind("runs", _unlike_run, run_line), list(past.runs.values())),
    ]
    firing = [alert for alert in state.alerts.values() if alert.firing]
    for handling, these in expect.alerts.items():
        what = "held" if handling == "hold" else handling
        of_it = [one for one in firing if handling in {"firing", one.handling}]
        kinds.append((these, _Kind(what, _unlike_alert, _alert), of_it))
    for many, kind, things in kinds:
        if many is not None:
            for failure in _unmatched(many, kind, things, after_s):
                why = machine.not_run() if kind.what == "runs" and failure.got in {"none", "0"} else []
                yield replace(failure, got=f"{failure.got}; {'; '.join(why)}") if why else failure
    made = list(machine.world.made.values())
    for call in expect.calls:
        yield from _uncalled(call, made, after_s)
    if expect.no_calls is not None:
        yield from _called(expect, made, after_s)


def _unmatched(many: Many, kind: _Kind, things: Sequence[Any], after_s: float) -> Iterator[Failure]:
    got = _listed(kind.shown(thing) for thing in things)
    if many.count is not None:
        if len(things) != many.count:
            yield Failure(many.place, after_s, kind.what, str(many.count), f"{len(things)}{': ' * bool(things)}{got}")
        return
    taken = _matching(many.these, things, kind.unlike)
    left = [thing for index, thing in enumerate(things) if index not in taken.values()]
    for index, wanted in enumerate(many.these):
        if index not in taken:
            yield Failure(
                wanted.place, after_s, kind.what, as_written(wanted.keys), _nearest(wanted, left, kind) or "none"
            )
    if len(taken) == len(many.these) and left:
        want = f"these {len(many.these)} only" if many.these else "none"
        yield Failure(many.place, after_s, kind.what, want, f"also {_listed(map(kind.shown, left))}")


def _matching(
    wanted: Sequence[Wanted], things: Sequence[Any], unlike: Callable[[Any, Mapping[str, Any]], list[str]]
) -> dict[int, int]:
    """The thing for each wanted one, such that as many as possible have one of their own."""
    fits = [[n for n, thing in enumerate(things) if not unlike(thing, one.keys)] for one in wanted]
    of_thing: dict[int, int] = {}

    def place(index: int, tried: set[int]) -> bool:
        for thing in fits[index]:
            if thing not in tried:
                tried.add(thing)
                if thing not in of_thing or place(of_thing[thing], tried):
                    of_thing[thing] = index
                    return True
        return False

    for index in range(len(wanted)):
        place(index, set())
    return {index: thing for thing, index in of_thing.items()}


def _nearest(wanted: Wanted, things: Sequence[Any], kind: _Kind) -> str:
    """The thing that comes nearest, with how it differs."""
    if not things:
        return ""
    thing = min(things, key=lambda one: len(kind.unlike(one, wanted.keys)))
    return f"{'; '.join(kind.unlike(thing, wanted.keys))}: {kind.shown(thing)}"


def _differing(pairs: Sequence[tuple[str, Any, Any]], wanted: Mapping[str, Any]) -> list[str]:
    return [f"{name} {as_written(got)}" for name, want, got in pairs if name in wanted and want != got]


def _unlike_incident(one: Incident, wanted: Mapping[str, Any], names: Mapping[str, str]) -> list[str]:
    first = one.suspects[0] if one.suspects else None
    entity = first.entity if first else ""
    suspect = wanted.get("suspect")
    pairs: list[tuple[str, Any, Any]] = [
        ("suspect", suspect, suspect if suspect in (entity, entity.partition("/")[2]) else entity),
        ("kind", wanted.get("kind"), first.kind if first else ""),
        ("clear", wanted.get("clear"), not one.no_clear_cause),
        ("severity", wanted.get("severity"), one.severity),
        ("status", wanted.get("status"), one.status),
        ("paged", wanted.get("paged"), one.paged_at is not None),
        ("acknowledged_by", wanted.get("acknowledged_by"), one.acknowledged_by),
    ]
    alerts = wanted.get("alerts")
    if isinstance(alerts, list):
        pairs.append(("alerts", sorted(alerts), sorted(names.get(mark, mark) for mark in one.alerts)))
    else:
        pairs.append(("alerts", alerts, len(one.alerts)))
    return [*_differing(pairs, wanted), *_wordless(wanted, title=one.title)]


def _unlike_page(one: Page, wanted: Mapping[str, Any], names: Mapping[str, str]) -> list[str]:
    pairs = [
        ("alert", wanted.get("alert"), names.get(one.alert, one.alert)),
        ("reminder", wanted.get("reminder"), one.reminder),
    ]
    return [*_differing(pairs, wanted), *_wordless(wanted, reason=one.reason)]


def _unlike_run(one: Run, wanted: Mapping[str, Any]) -> list[str]:
    pairs = [(name, wanted.get(name), getattr(one, name)) for name in ("playbook", "state", "dry", "each")]
    unlike = [*_differing(pairs, wanted), *_wordless(wanted, why=one.why, error=one.error)]
    acts = {act.id: act for act in (*one.steps, *one.deeds)}
    for name, step in wanted.get("steps", {}).items():
        act = acts.get(name)
        if act is None:
            unlike.append(f"it has no step {name}")
        else:
            unlike += [f"step {name}: {each}" for each in _unlike_step(act, step)]
    return unlike


def _unlike_step(act: StepRun, wanted: Mapping[str, Any]) -> list[str]:
    pairs = [("state", wanted.get("state"), act.state)]
    return [*_differing(pairs, wanted), *_wordless(wanted, sentence=act.sentence, error=act.error)]


def _unlike_alert(one: Alert, wanted: Mapping[str, Any]) -> list[str]:
    words = {name: text for name, text in wanted.items() if name in one.annotations and name not in one.labels}
    said = _wordless(words, **{name: one.annotations[name] for name in words})
    labels = {name: text for name, text in wanted.items() if name not in words}
    return [
        *(f'{name} "{one.labels.get(name, "")}"' for name, text in labels.items() if one.labels.get(name, "") != text),
        *said,
    ]


def _wordless(wanted: Mapping[str, Any], **texts: str) -> list[str]:
    """Texts that do not hold the wanted words; an empty want is an empty text."""
    return [
        f'{name} "{text}"'
        for name, text in texts.items()
        if (words := wanted.get(name)) is not None and (words not in text if words else bool(text))
    ]


def _uncalled(call: WantedCall, made: Sequence[Made], after_s: float) -> Iterator[Failure]:
    of_it = [one for one in made if one.deed.action == call.action and one.deed.dry_run == call.dry]
    fits = [one for one in of_it if _within(call.params, one.deed.params)]
    if len(fits) == call.times or (call.times is None and fits):
        return
    want = f"{'dry ' * call.dry}{call.action} with {as_written(call.params)}, {_times(call.times)}"
    got = f"{_times(len(fits))}; its calls: {_listed(map(_call, of_it)) or 'none'}"
    yield Failure(call.place, after_s, "calls", want, got)


def _called(expect: Expect, made: Sequence[Made], after_s: float) -> Iterator[Failure]:
    assert expect.no_calls is not None, "asked only where it is expected"
    unwanted = [
        one
        for one in made
        if not one.deed.dry_run
        and (one.deed.action in expect.no_calls if expect.no_calls else one.deed.run and one.deed.effect != "read")
    ]
    if unwanted:
        want = f"no call of {', '.join(expect.no_calls)}" if expect.no_calls else "no call"
        place = expect.no_calls_place or expect.place
        yield Failure(place, after_s, "no_calls", want, _listed(map(_call, unwanted)))


def _within(part: Any, whole: Any) -> bool:
    """Whether a value is part of another: mappings by key, everything else whole."""
    if isinstance(part, Mapping) and isinstance(whole, Mapping):
        return all(name in whole and _within(value, whole[name]) for name, value in part.items())
    return bool(part == whole)


def _times(count: int | None) -> str:
    return {None: "once or more", 0: "never", 1: "once"}.get(count, f"{count} times")


def _incident(one: Incident) -> str:
    first = one.suspects[0] if one.suspects else None
    cause = f"{first.entity} ({first.kind}, {first.confidence:.2f})" if first else "no suspect"
    clear = "no clear cause, " if one.no_clear_cause else ""
    return f"{one.id} {one.status} {one.severity}: {clear}{cause}, {len(one.alerts)} alerts: {one.title}"


def _page(one: Page, names: Mapping[str, str]) -> str:
    return f"{'reminder of ' * one.reminder}{names.get(one.alert, one.alert)} ({one.reason})"


def _alert(one: Alert) -> str:
    return f"{as_written(one.labels)} ({one.reason.text})"


def _call(one: Made) -> str:
    return f"{one.deed.action} {as_written(one.deed.params)} ({one.answer.fail or 'done'})"


def _listed(texts: Iterator[str] | map[str]) -> str:
    shown = list(texts)
    more = f"; and {len(shown) - MOST_SHOWN} more" if len(shown) > MOST_SHOWN else ""
    return "; ".join(shown[:MOST_SHOWN]) + more


def as_written(value: Any) -> str:
    """A value as it would stand in the file."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {as_written(item)}" for name, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(as_written, value)) + "]"
    if isinstance(value, str):
        return value or '""'
    return msgspec.json.encode(value).decode()
