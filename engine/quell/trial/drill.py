"""Holds a drill: a copy of the core with the rules and graph in use takes made-up signals; nothing outside is asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

import msgspec
from msgspec.structs import replace

from quell.model.drill import Drill
from quell.model.records import AnyRecord
from quell.model.rulebook import Rulebook
from quell.model.times import format_duration
from quell.model.topology import Dependency, Entity
from quell.trial.actions import Declared
from quell.trial.machine import Machine
from quell.trial.world import World

MOST_LINES = 200
AFTERWARDS_S = 600.0
_LEAST_STEP_S = 0.001
_NOT_THERE = frozenset({"merged", "withdrawn"})
_TIMES = ("at", "seen", "starts_at", "ends_at")


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was expected: whether it came, and what did."""

    what: str
    want: str
    got: str
    ok: bool


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a drill held as of ``at``. ``log`` says what happened, a line each."""

    drill: str
    about: str
    at: float
    checks: tuple[Check, ...]
    log: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether all came as expected."""
        return all(check.ok for check in self.checks)


def drilled(
    drill: Drill,
    rulebook: Rulebook,
    declared: Declared,
    at: float,
    *,
    entities: Iterable[Entity] = (),
    dependencies: Iterable[Dependency] = (),
) -> Report:
    """Holds it as if it began ``at``. ``entities`` and ``dependencies`` are what is known beside the rules."""
    book = _staged(drill, rulebook, entities, dependencies)
    log: list[str] = []
    machine = Machine(book, World({}, declared.looks, strict=False), declared, kill=None, log=log.append)
    now = _play(drill, machine, at, _lasts(drill, book))
    assert now >= at, "time goes on"
    checks = tuple(_checks(drill, book, machine))
    return Report(drill=drill.name, about=drill.about, at=at, checks=checks, log=tuple(log[:MOST_LINES]))


def said(report: Report) -> Iterator[str]:
    """It in words: what came, and plainly what did not."""
    failed = sum(not check.ok for check in report.checks)
    verdict = "as expected" if not failed else f"{failed} of {len(report.checks)} did NOT come as expected"
    yield f"{'ok  ' if not failed else 'FAIL'} {report.drill}: {verdict}{f' ({report.about})' if report.about else ''}"
    for check in report.checks:
        mark = "ok  " if check.ok else "FAIL"
        yield f"     {mark} {check.what}: {check.want}" + ("" if check.ok else f"; got {check.got}")


def _staged(
    drill: Drill, rulebook: Rulebook, entities: Iterable[Entity], dependencies: Iterable[Dependency]
) -> Rulebook:
    nodes = {one.entity: one for one in drill.entities}
    nodes |= {one.entity: one for one in (*rulebook.entities, *entities)}
    edges = {(one.from_, one.to, one.type): one for one in (*rulebook.dependencies, *dependencies, *drill.dependencies)}
    return replace(rulebook, entities=tuple(nodes.values()), dependencies=tuple(edges.values()))


def _lasts(drill: Drill, rulebook: Rulebook) -> float:
    """How long it is held: what is expected has its time, for a detector is heard when its windows are over."""
    if drill.lasts_s is not None:
        return drill.lasts_s
    rules = (one for one in rulebook.detect if one.name in drill.detectors)
    takes = (one.every_s * (one.of + 1) + one.delay_s + getattr(one.when, "after_s", 0.0) for one in rules)
    return drill.fed_s + max(takes, default=0.0) + AFTERWARDS_S


def _play(drill: Drill, machine: Machine, begin: float, lasts_s: float) -> float:
    now = begin
    machine.take([], now)
    records = sorted((_shifted(one, begin) for one in drill.feed), key=lambda one: one.arrived)
    turns = [(at, list(these)) for at, these in groupby(records, key=lambda one: one.arrived)]
    for at, told in [*turns, (begin + lasts_s, [])]:
        while (due := machine.next_due()) is not None and due < at:
            now = max(due, now + _LEAST_STEP_S)
            machine.take([], now)
        now = max(at, now)
        machine.take(told, now)
    return now


def _shifted(record: AnyRecord, by: float) -> AnyRecord:
    """The record as if the drill's beginning, which is 0 in it, were ``by``."""
    moved = {
        name: value + by
        for name in _TIMES
        if name in record.__struct_fields__ and (value := getattr(record, name)) is not None
    }
    if points := getattr(record, "points", None):
        moved["points"] = [(at + by, value) for at, value in points]
    if times := getattr(record, "times", None):
        moved["times"] = [at + by for at in times]
    return replace(record, **moved)


def _checks(drill: Drill, rulebook: Rulebook, machine: Machine) -> Iterator[Check]:
    for name in drill.detectors:
        yield _detected(name, rulebook, machine)
    incidents = [one for one in machine.past.incidents.values() if one.status not in _NOT_THERE]
    if drill.cause:
        sure = [one.suspects[0].entity for one in incidents if one.suspects and not one.no_clear_cause]
        unsure = [one.suspects[0].entity for one in incidents if one.suspects and one.no_clear_cause]
        got = _list(sure) or (f"no clear cause, first {_list(unsure)}" if unsure else "no incident with a suspect")
        yield Check(what="cause", want=drill.cause, got=got, ok=drill.cause in sure)
    deeds = [made.deed for made in machine.world.made.values()]
    called = list(dict.fromkeys(one.action for one in deeds if not one.run and one.effect != "read"))
    pages = list(machine.past.pages.values())
    for action in drill.pages:
        yield Check(what="page", want=action, got=_list(called) or "nobody is called", ok=action in called)
    if drill.quiet:
        got = f"{len(pages)} pages: {_list(one.reason for one in pages)}" if pages else "nobody is paged"
        yield Check(what="quiet", want="nobody is paged", got=got, ok=not pages)
    began = {run.playbook: run for run in machine.past.runs.values() if run.state != "skipped"}
    for name in drill.playbooks:
        why = [line for line in machine.not_run() if line.startswith(f"{name}: ")]
        got = "; ".join(why) or (f"these begin: {_list(began)}" if began else "none begins")
        known = next((one for one in rulebook.playbooks if one.name == name), None)
        if known is None or known.mode == "off":
            got = "there is no such playbook" if known is None else "it is off"
        yield Check(what="playbook", want=name, got=got, ok=name in began)


def _detected(name: str, rulebook: Rulebook, machine: Machine) -> Check:
    rule = next((one for one in rulebook.detect if one.name == name), None)
    found = [one for one in machine.state.alerts.values() if one.name == name]
    got = (
        f"it finds nothing in {format_duration(rule.every_s)} windows"
        if rule is not None
        else "there is no such detector"
    )
    if rule is not None and not rule.on:
        got = "it is off"
    return Check(what="detector", want=name, got=got, ok=bool(found))


def _list(texts: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(texts))
