"""Who is told, in rules files: routes of pages, escalation chains and rotas, checked against what there is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from quell.config.actions import Actions
from quell.config.asking import asks, rooms
from quell.config.complaints import did_you_mean
from quell.config.follow import following
from quell.config.nodes import Document, Path
from quell.config.oncall_shapes import DAY_S, EscalationShape, HandoverShape, RotaShape, RouteShape, StageShape
from quell.config.references import Known
from quell.config.rules_file import Rules
from quell.config.settings import Person, Source
from quell.config.settings_file import PAGE_PARAMS, PAGE_ROOTS
from quell.errors import Problem
from quell.model.oncall import Chain, Override, Rota, Stage
from quell.model.rulebook import Room, Route
from quell.sdk.spec import ActionSpec

_MONDAY = date(1970, 1, 5)
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@dataclass(slots=True)
class OnCall:
    """What rules files say of whom to tell. ``people`` are those of people.yaml, None where that is not there."""

    people: tuple[Person, ...] | None
    actions: Actions
    problems: list[Problem]
    warnings: list[Problem]
    sources: Sequence[Source] = ()
    routes: list[Route] = field(default_factory=list)
    chains: dict[str, Chain] = field(default_factory=dict)
    rooms: list[Room] = field(default_factory=list)
    rotas: dict[str, Rota] = field(default_factory=dict)
    contacts: dict[str, dict[str, Any]] = field(default_factory=dict)

    def read(self, rules: Rules, pages: Sequence[Route]) -> None:
        """Takes in what stands in rules files; ``pages`` are the routes of quell.yaml."""
        for document, index, rota in rules.rotas:
            self._rota(document, ("rotas", index), rota)
        for document, index, chain in rules.escalations:
            self._chain(document, ("escalations", index), chain)
        taken = {page.name for page in pages}
        for document, index, route in rules.routes:
            path: Path = ("routes", index)
            if route.name in taken:
                message = f'"{route.name}" is the name of a page in quell.yaml already'
                self.problems.append(document.problem((*path, "name"), message, "give it another name"))
            self._route(document, path, route)
        known = [source.id for source in self.sources]
        for document, shapes in rules.rooms:
            self.rooms += rooms(document, ("rooms",), shapes, known, self.problems)
        self._gaps(rules, pages)

    def _rota(self, document: Document, path: Path, shape: RotaShape) -> None:
        for index, name in enumerate(shape.people):
            self._person(document, (*path, "people", index), name, shape.contacts)
        overrides: list[Override] = []
        for index, one in enumerate(shape.overrides):
            self._person(document, (*path, "overrides", index, "who"), one.who, shape.contacts)
            if any(one.from_ < other.to and other.from_ < one.to for other in overrides):
                message = f'overrides of rota "{shape.name}" overlap; the last one counts'
                self.warnings.append(document.problem((*path, "overrides", index), message))
            overrides.append(Override(from_=one.from_, to=one.to, who=one.who))
        named = {*shape.people, *(one.who for one in shape.overrides)}
        for name in shape.contacts.keys() - named:
            message = f'"{name}" is not in rota "{shape.name}"'
            self.warnings.append(document.problem((*path, "contacts", name), message, did_you_mean(name, named)))
        self.rotas[shape.name] = Rota(
            name=shape.name,
            people=tuple(shape.people),
            first_day=_first_day(shape.handover),
            minute=shape.handover.at,
            every_days=int(shape.handover.every // DAY_S),
            zone=shape.zone,
            overrides=tuple(overrides),
            place=document.place(path),
        )

    def _person(
        self, document: Document, path: Path, name: str, contacts: Mapping[str, Mapping[str, str]] | None = None
    ) -> None:
        """Keeps what is known of somebody who may be told."""
        known = next((one for one in self.people or () if one.id == name), None)
        given = (contacts or {}).get(name)
        if known is not None:
            mine: dict[str, Any] = {**known.ids, "id": name, "name": known.name or name}
            self.contacts[name] = {**self.contacts.get(name, {}), **mine, **(given or {})}
        elif given is not None:
            self.contacts[name] = {**self.contacts.get(name, {}), **given}
        elif self.people is not None and name not in self.contacts:
            near = did_you_mean(name, [one.id for one in self.people], "")
            hint = near or "add them there, or write contacts: for them in their rota"
            self.problems.append(document.problem(path, f'people.yaml has nobody of the id "{name}"', hint))

    def _chain(self, document: Document, path: Path, shape: EscalationShape) -> None:
        stages = [self._stage(document, path, index, shape, stage) for index, stage in enumerate(shape.steps)]
        if not any(stage.rota or stage.people or not _names_people(stage.to) for stage in stages):
            message = f'chain "{shape.name}" reaches nobody: its roles are nobody\'s'
            hint = "add a step for a rota, a person or an action, or give somebody the role in people.yaml"
            told = self.warnings if self.people is None else self.problems
            told.append(document.problem((*path, "steps"), message, hint))
        self.chains[shape.name] = Chain(
            name=shape.name,
            stages=tuple(stages),
            repeat=shape.repeat,
            ack_lasts_s=shape.ack_lasts,
            place=document.place(path),
        )

    def _stage(self, document: Document, path: Path, index: int, chain: EscalationShape, shape: StageShape) -> Stage:
        here: Path = (*path, "steps", index)
        kind, slash, name = shape.to.partition("/")
        persons = _names_people(shape.to)
        rota = ""
        people: tuple[str, ...] = ()
        if slash and not persons:
            message = f'"{shape.to}" is nobody to tell'
            hint = "write rota/NAME, person/NAME, role/NAME or an action as id.verb"
            self.problems.append(document.problem((*here, "to"), message, hint))
        elif kind == "rota" and persons:
            rota = self._named(document, (*here, "to"), "rota", name, self.rotas)
        elif kind == "person" and persons:
            self._person(document, (*here, "to"), name)
            people = (name,)
        elif kind == "role" and persons:
            people = self._role(document, (*here, "to"), name)
        params = {**chain.with_, **shape.with_} if persons and not shape.by else shape.with_
        action = (shape.by or chain.by) if persons else shape.to
        if not action:
            message = f'nothing says how "{shape.to}" is told'
            hint = 'write "by" with an action, here or for the whole chain, such as by: pager.page'
            self.problems.append(document.problem((*here, "to"), message, hint))
        follows: dict[str, Any] = {}
        if action and (not slash or persons):
            at, verb = (here, "to") if not persons else (here, "by") if shape.by else (path, "by")
            spec = self._check(document, at, verb, action, params)
            of_chain = persons and not shape.by and chain.follow
            if spec is not None and (of_chain if shape.follow is None else shape.follow):
                follows = self._following(document, path if shape.follow is None else here, action, spec)
        return Stage(action=action, params=params, rota=rota, people=people, wait_s=shape.wait, to=shape.to, **follows)

    def _role(self, document: Document, path: Path, name: str) -> tuple[str, ...]:
        wanted = name if ":" in name else f"role:{name}"
        found = tuple(one.id for one in self.people or () if wanted in one.roles)
        for one in found:
            self._person(document, path, one)
        if not found and self.people is not None:
            message = f'nobody has the role "{name}", so this step tells nobody and the next one comes at once'
            self.warnings.append(document.problem(path, message))
        return found

    def _following(self, document: Document, path: Path, action: str, spec: ActionSpec) -> dict[str, Any]:
        """What is needed to keep what was paged in step with its incident."""
        more, problem = following(document, path, action, spec=spec, sources=self.sources, actions=self.actions)
        self.problems += [problem] if problem is not None and problem not in self.problems else []
        return more

    def _check(
        self, document: Document, path: Path, verb: str, action: str, params: dict[str, Any]
    ) -> ActionSpec | None:
        found: list[Problem] = []
        spec = self.actions.check(
            document,
            path,
            {verb: action, "with": params},
            found,
            known=Known(roots=PAGE_ROOTS | {"oncall"}),
            verb=verb,
            given=PAGE_PARAMS,
            built_in=False,
        )
        self.problems.extend(one for one in found if one not in self.problems)  # steps share what their chain says
        return spec

    def _named(self, document: Document, path: Path, what: str, name: str, known: Iterable[str]) -> str:
        if name not in known:
            self.problems.append(document.problem(path, f'no {what} has the name "{name}"', did_you_mean(name, known)))
        return name

    def _route(self, document: Document, path: Path, shape: RouteShape) -> None:
        if shape.escalation:
            self._named(document, (*path, "escalation"), "escalation", shape.escalation, self.chains)
        action = "" if shape.to == "digest" else shape.to
        follows: dict[str, Any] = {}
        if action:
            known = Known(roots=PAGE_ROOTS)
            deed = {"to": action, "with": shape.with_}
            spec = self.actions.check(
                document, path, deed, self.problems, known=known, verb="to", given=PAGE_PARAMS, built_in=False
            )
            if spec is not None and shape.follow:
                follows = self._following(document, path, action, spec)
        self.routes.append(
            Route(
                name=shape.name,
                action=action,
                params=shape.with_,
                chain=shape.escalation,
                **asks(shape, shape.name, document.place(path)),
                **follows,
            )
        )

    def _gaps(self, rules: Rules, pages: Sequence[Route]) -> None:
        """Warns where a page may reach nobody, and of chains and rotas that nothing leads to."""
        if rules.routes and not any(map(_takes_all, (*pages, *self.routes))):
            document, index, _ = rules.routes[-1]
            message = "a page that matches none of the routes reaches nobody"
            hint = "add a last route without match, team, affects, tier, severity and hours"
            self.warnings.append(document.problem(("routes", index), message, hint))
        used = {route.chain for route in self.routes}
        for document, index, chain in rules.escalations:
            if chain.name not in used:
                message = f'no route leads to escalation "{chain.name}"'
                self.warnings.append(document.problem(("escalations", index, "name"), message))


def _takes_all(route: Route) -> bool:
    asked = (route.matchers, route.teams, route.affects, route.tiers, route.severities, route.hours, route.early)
    return not any(asked)


def _names_people(to: str) -> bool:
    kind, slash, name = to.partition("/")
    return bool(slash and name) and kind in {"rota", "person", "role"}


def _first_day(handover: HandoverShape) -> int:
    if handover.from_ is not None:
        return handover.from_.toordinal()
    return _MONDAY.toordinal() + (_DAYS.index(handover.day) if handover.day is not None else 0)
