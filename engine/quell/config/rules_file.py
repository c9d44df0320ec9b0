"""Rules files become the rules of the rulebook; what is suspicious about them becomes warnings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from quell.config.complaints import shaped
from quell.config.detect_file import detector
from quell.config.drill_file import read_drill
from quell.config.fields import Shape, joined
from quell.config.nodes import Document, Path
from quell.config.oncall_shapes import EscalationShape, RoomShape, RotaShape, RouteShape
from quell.config.references import Known, check_templates
from quell.config.rule_shapes import (
    CorrelateShape,
    DependencyShape,
    FreezeShape,
    InhibitShape,
    MapShape,
    MeasureShape,
    MuteShape,
    TimesShape,
    TriageShape,
    WindowShape,
)
from quell.config.rules_shape import RulesShape
from quell.config.slo_file import service_level
from quell.config.versions_file import declared_version
from quell.config.weight_shapes import Told, WeightsShape, told, weights
from quell.errors import Problem
from quell.expressions.matchers import matches_empty
from quell.model.detect import DetectRule
from quell.model.drill import Drill
from quell.model.mute import Matcher
from quell.model.playbook import Place
from quell.model.provenance import DeclaredVersion
from quell.model.rulebook import Correlate, EdgeKind, Freeze, InhibitRule, MapRule, MuteRule, Triage, TriageRule, Window
from quell.model.topology import Dependency, Entity, Forgetting

_ENTITY_ROOTS = Known(roots=frozenset({"labels"}))
_TRIAGE_FIELDS = {
    "flap_count": "flap_count",
    "flap_within": "flap_within_s",
    "flap_gap": "flap_gap_s",
    "page_severities": "page_severities",
    "digest_severities": "digest_severities",
    "lone_page_after": "lone_page_after_s",
    "lone_page_most": "lone_page_most_s",
    "learn": "learn",
    "remind_after": "remind_after_s",
    "remind_times": "remind_times",
    "slow_burn_after": "slow_burn_after_s",
    "quiet_places": "quiet_places",
    "model_only": "model_only",
    "calm": "calm_s",
}
_CORRELATE_FIELDS = {
    "least_alerts": "least_alerts",
    "solve_every": "solve_every_s",
    "quiet": "quiet_s",
    "clear_cause_bar": "clear_cause_bar",
}
_FORGET_FIELDS = {name: f"{name}_s" for name in ("spans", "telemetry", "lineage", "registry")}
_TOGETHER = (("prices", "opening"), ("prices", "changed"))
_NAMESAKES = {"freezes": "windows", "windows": "freezes", "slos": "detect", "detect": "slos"}
_NAMED = ("map", "mute", "inhibit", "windows", "freezes", "routes", "escalations", "rotas", "detect", "slos", "drills")


@dataclass(slots=True)
class Rules:
    """The rules of all files read so far, with everything that is wrong or suspicious."""

    problems: list[Problem]
    warnings: list[Problem]
    map: list[MapRule] = field(default_factory=list)
    mute: list[MuteRule] = field(default_factory=list)
    inhibit: list[InhibitRule] = field(default_factory=list)
    windows: list[Window] = field(default_factory=list)
    freezes: list[Freeze] = field(default_factory=list)
    detect: list[DetectRule] = field(default_factory=list)
    drills: list[Drill] = field(default_factory=list)
    entities: dict[str, Entity] = field(default_factory=dict)
    dependencies: dict[tuple[str, str, str], Dependency] = field(default_factory=dict)
    versions: list[DeclaredVersion] = field(default_factory=list)
    held: list[tuple[Document, Path, str, int]] = field(default_factory=list)
    """Playbooks that freezes name, each with its place and 0: whether there are any is told later."""
    measures: list[tuple[Document, str, MeasureShape]] = field(default_factory=list)
    """Measures as they are written: whether their actions exist is told later."""
    routes: list[tuple[Document, int, RouteShape]] = field(default_factory=list)
    rooms: list[tuple[Document, list[RoomShape]]] = field(default_factory=list)
    escalations: list[tuple[Document, int, EscalationShape]] = field(default_factory=list)
    rotas: list[tuple[Document, int, RotaShape]] = field(default_factory=list)
    """Who is told, as it is written: whether all of it exists is told later."""
    measures_named: set[str] = field(default_factory=set)
    """Names of measures, also of those that cannot be read: whoever calls them made no mistake."""
    _verdicts: list[TriageRule] = field(default_factory=list)
    _edges: dict[str, EdgeKind] = field(default_factory=dict)
    _weights: list[Told] = field(default_factory=list)
    _priced: tuple[Document, Path] | None = None
    """Where the last of the prices that must go together stands."""
    _settings: dict[str, dict[str, Any]] = field(default_factory=lambda: {"triage": {}, "correlate": {}, "forget": {}})
    _first: dict[tuple[str, str], str] = field(default_factory=dict)

    def read(self, document: Document) -> None:
        """Takes one file in."""
        raw = document.value
        if raw is None:
            return
        self._unique_names(document, raw)
        self._entity_templates(document, raw)
        named = raw.get("measures") if isinstance(raw, dict) else None
        self.measures_named |= {str(name) for name in named} if isinstance(named, dict) else set()
        shape = shaped(RulesShape, document, self.problems, value=raw)
        if shape is None:
            return
        for index, rule in enumerate(shape.map):
            self.map.append(self._map(document, index, rule))
        for index, muting in enumerate(shape.mute):
            self.mute.append(self._mute(document, index, muting))
        for index, inhibition in enumerate(shape.inhibit):
            self.inhibit.append(self._inhibit(document, index, inhibition))
        for index, window in enumerate(shape.windows):
            self.windows.append(self._window(document, index, window))
        for index, freeze in enumerate(shape.freezes):
            self.freezes.append(_freeze(document, index, freeze))
        self.detect += [detector(document, index, rule, self.problems) for index, rule in enumerate(shape.detect)]
        self.detect += [service_level(document, index, rule, self.problems) for index, rule in enumerate(shape.slos)]
        self.drills += [read_drill(document, index, one, self.problems) for index, one in enumerate(shape.drills)]
        self._triage(document, shape.triage)
        self._correlate(document, shape.correlate)
        self._weigh(document, shape.weights)
        self._take_settings(document, "forget", _FORGET_FIELDS, shape.topology.forget, under=("topology", "forget"))
        for index, entity in enumerate(shape.topology.entities):
            if self._once(document, "entity", entity.entity, ("topology", "entities", index, "entity")):
                self.entities[entity.entity] = Entity(
                    entity=entity.entity,
                    labels=entity.labels,
                    owner=entity.owner,
                    tier=entity.tier,
                    sources=(document.file,),
                )
        for index, dependency in enumerate(shape.topology.dependencies):
            self._dependency(document, index, dependency)
        for index, version in enumerate(shape.topology.versions):
            key = f"{version.entity} {version.version}"
            if self._once(document, "version", key, ("topology", "versions", index, "version")):
                self.versions.append(declared_version(version, document.file))
        self.routes += [(document, index, route) for index, route in enumerate(shape.routes)]
        self.rooms.append((document, shape.rooms))
        self.escalations += [(document, index, chain) for index, chain in enumerate(shape.escalations)]
        self.rotas += [(document, index, rota) for index, rota in enumerate(shape.rotas)]
        self.measures += [(document, name, measure) for name, measure in shape.measures.items()]

    def triage(self) -> Triage:
        """All triage settings and rules together."""
        return Triage(rules=tuple(self._verdicts), **self._settings["triage"])

    def correlate(self) -> Correlate:
        """All correlation settings together."""
        return Correlate(edges=self._edges, weights=weights(self._weights), **self._settings["correlate"])

    def forget(self) -> Forgetting:
        """How long what was learned is remembered."""
        return Forgetting(**self._settings["forget"])

    def all_entities(self) -> tuple[Entity, ...]:
        """Every entity described, and those that only dependencies and versions name."""
        found = dict(self.entities)
        for dependency in self.dependencies.values():
            for name in (dependency.from_, dependency.to):
                found.setdefault(name, Entity(entity=name, sources=dependency.sources))
        for declared in self.versions:
            found.setdefault(declared.entity, Entity(entity=declared.entity, sources=(declared.version.source,)))
        return tuple(found.values())

    def _map(self, document: Document, index: int, shape: MapShape) -> MapRule:
        path: Path = ("map", index)
        if not shape.entity and not shape.set_:
            self.problems.append(document.problem(path, 'a map rule needs "entity", "set" or both'))
        return MapRule(
            name=shape.name or f"map {len(self.map) + 1}",
            matchers=joined(shape.match),
            entity=shape.entity,
            set_labels=shape.set_,
            place=_place(document, path),
        )

    def _mute(self, document: Document, index: int, shape: MuteShape) -> MuteRule:
        path: Path = ("mute", index)
        matchers = joined(shape.match)
        self._narrow(document, (*path, "match"), matchers, meant=shape.everything, what=f'mute rule "{shape.name}"')
        return MuteRule(name=shape.name, matchers=matchers, reason=shape.reason, place=_place(document, path))

    def _inhibit(self, document: Document, index: int, shape: InhibitShape) -> InhibitRule:
        path: Path = ("inhibit", index)
        source, target = joined(shape.source), joined(shape.target)
        for side, matchers in (("source", source), ("target", target)):
            what = f'the {side} of inhibit rule "{shape.name}"'
            self._narrow(document, (*path, side), matchers, meant=shape.everything, what=what)
        return InhibitRule(
            name=shape.name, source=source, target=target, equal=tuple(shape.equal), place=_place(document, path)
        )

    def _window(self, document: Document, index: int, shape: WindowShape) -> Window:
        path: Path = ("windows", index)
        matchers = joined(shape.match)
        self._narrow(document, (*path, "match"), matchers, meant=shape.everything, what=f'window "{shape.name}"')
        return times(shape, shape.name, matchers, _place(document, path))

    def _triage(self, document: Document, shape: TriageShape) -> None:
        self._take_settings(document, "triage", _TRIAGE_FIELDS, shape)
        for index, rule in enumerate(shape.rules):
            path: Path = ("triage", "rules", index)
            self._verdicts.append(
                TriageRule(
                    name=rule.name,
                    matchers=joined(rule.match),
                    verdict=rule.verdict,
                    hold_s=rule.hold,
                    reason=rule.reason,
                    place=_place(document, path),
                )
            )

    def _correlate(self, document: Document, shape: CorrelateShape) -> None:
        self._take_settings(document, "correlate", _CORRELATE_FIELDS, shape)
        for name, edge in shape.edges.items():
            if self._once(document, "edge type", name, ("correlate", "edges", name), key=True):
                self._edges[name] = EdgeKind(p=edge.p, lag_s=edge.lag)

    def _weigh(self, document: Document, shape: WeightsShape) -> None:
        for place, value in told(shape):
            path: Path = ("weights", *place)
            if self._once(document, "weight", ".".join(map(str, place)), path, key=True):
                self._weights.append((place, value))
                if place in _TOGETHER:
                    self._priced = document, path

    def weighed(self) -> None:
        """Whether the weights of all files go together: two of them may stand in two files."""
        prices = weights(self._weights).prices
        if self._priced is not None and prices.opening <= prices.changed:
            document, path = self._priced
            message = f"opening ({prices.opening:g}) must be more than changed ({prices.changed:g})"
            self.problems.append(document.problem(path, message, "else a change would cost nothing", key=True))

    def _take_settings(
        self, document: Document, kind: str, fields: dict[str, str], shape: Shape, *, under: Path = ()
    ) -> None:
        for name, target in fields.items():
            value = getattr(shape, name)
            path = (*(under or (kind,)), name)
            if value is not None and self._once(document, f"{kind} setting", name, path, key=True):
                self._settings[kind][target] = tuple(value) if isinstance(value, list) else value

    def _dependency(self, document: Document, index: int, shape: DependencyShape) -> None:
        path: Path = ("topology", "dependencies", index)
        for to in shape.to:
            if to == shape.from_:
                message = f'"{to}" depends on itself; this says nothing and is left out'
                self.warnings.append(document.problem((*path, "to"), message))
                continue
            key = (shape.from_, to, shape.type)
            if key in self.dependencies:
                message = f'the dependency of "{shape.from_}" on "{to}" ({shape.type}) is described twice'
                self.warnings.append(document.problem((*path, "to"), message, "the first one counts"))
                continue
            self.dependencies[key] = Dependency(
                from_=shape.from_, to=to, type=shape.type, weight=shape.weight, sources=(document.file,)
            )

    def _narrow(self, document: Document, path: Path, matchers: tuple[Matcher, ...], *, meant: bool, what: str) -> None:
        """Warns of matchers that hold for alerts with no labels at all, unless the author says that this is meant."""
        if not meant and all(matches_empty(matcher) for matcher in matchers):
            message = f"{what} has no matcher that asks for a label, so it may match every alert"
            self.warnings.append(document.problem(path, message, "write everything: true if that is meant"))

    def _unique_names(self, document: Document, raw: Any) -> None:
        """Names tell rules of one kind apart, over all files."""
        if not isinstance(raw, dict):
            return
        triage = raw.get("triage")
        lists: list[tuple[str, Path, Any]] = [(kind, (kind,), raw.get(kind)) for kind in _NAMED]
        lists.append(("triage", ("triage", "rules"), triage.get("rules") if isinstance(triage, dict) else None))
        for kind, path, rules in lists:
            for index, rule in enumerate(rules if isinstance(rules, list) else []):
                if isinstance(rule, dict) and isinstance(rule.get("name"), str):
                    self._once(document, f"{kind} rule", rule["name"], (*path, index, "name"))
                    self._told_apart(document, kind, rule["name"], (*path, index, "name"))
                if kind == "freezes" and isinstance(rule, dict):
                    self._freeze_names(document, rule, (*path, index))

    def _told_apart(self, document: Document, kind: str, name: str, path: Path) -> None:
        """Playbooks name freezes and windows alike, tests detectors and service levels: such share their names."""
        other = _NAMESAKES.get(kind)
        first = self._first.get((f"{other} rule", name)) if other else None
        if first is not None:
            both = " and ".join(sorted((kind, str(other))))
            message = f'{both} share their names, and "{name}" is taken (in {first})'
            self.problems.append(document.problem(path, message, "give it another name"))

    def _freeze_names(self, document: Document, rule: dict[str, Any], path: Path) -> None:
        for key in ("playbooks", "except"):
            named = rule.get(key)
            for index, name in enumerate(named if isinstance(named, list) else []):
                if isinstance(name, str):
                    self.held.append((document, (*path, key, index), name, 0))

    def _once(self, document: Document, what: str, name: str, path: Path, *, key: bool = False) -> bool:
        """Whether this is the first thing of that name; a second one is a problem."""
        first = self._first.get((what, name))
        if first is not None:
            message = f'{what} "{name}" stands here twice (first in {first})'
            self.problems.append(document.problem(path, message, "take one out", key=key))
            return False
        self._first[what, name] = f"{document.file}:{document.spot(path, key=key).line}"
        return True

    def _entity_templates(self, document: Document, raw: Any) -> None:
        rules = raw.get("map") if isinstance(raw, dict) else None
        for index, rule in enumerate(rules if isinstance(rules, list) else []):
            if isinstance(rule, dict):
                path: Path = ("map", index)
                check_templates(document, (*path, "entity"), rule.get("entity"), _ENTITY_ROOTS, self.problems)
                check_templates(document, (*path, "set"), rule.get("set"), _ENTITY_ROOTS, self.problems)


def times(shape: TimesShape, name: str, matchers: tuple[Matcher, ...], place: Place) -> Window:
    """A window from times as they are written."""
    return Window(
        name=name,
        matchers=matchers,
        starts_at=shape.starts,
        ends_at=shape.ends,
        weekdays=tuple(shape.days),
        minute=shape.from_,
        duration_s=shape.for_ or 0.0,
        zone=shape.zone,
        reason=shape.reason,
        place=place,
    )


def _freeze(document: Document, index: int, shape: FreezeShape) -> Freeze:
    place = _place(document, ("freezes", index))
    return Freeze(
        name=shape.name,
        window=times(shape, shape.name, (), place),
        playbooks=tuple(shape.playbooks) if shape.playbooks is not None else None,
        except_=tuple(shape.except_),
        effects=tuple(dict.fromkeys(shape.effects)),
        reason=shape.reason,
        place=place,
    )


def _place(document: Document, path: Path) -> Place:
    return document.place(path)
