"""Which entity labels speak of: the team's map rules first, then what the dependency graph knows by that name.

Tools name the same thing by service, pod, instance, DAG or topic labels; names are tried against the graph within
their namespace before anywhere else, pods without the suffix of their replica set. What the graph does not know gets
an entity of its own, so that alerts of one unknown service still stand together.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import compress

from quell.core.thrift import Words
from quell.errors import ExpressionError
from quell.expressions.matchers import matching_of
from quell.expressions.sieve import Sieve
from quell.expressions.templates import template_of
from quell.model.rulebook import MapRule
from quell.model.topology import NAMING_LABELS, Entity

_RANK: Mapping[str, int] = {label: rank for rank, label in enumerate(NAMING_LABELS)}
KIND_OF_LABEL: Mapping[str, str] = {
    "node": "host", "host": "host", "hostname": "host", "instance": "host", "model": "model", "model_name": "model",
    "feature_view": "feature", "feature": "feature", "dataset": "dataset", "table": "dataset", "dag_id": "pipeline",
    "dag": "pipeline", "pipeline": "pipeline", "topic": "queue", "queue": "queue", "database": "database",
    "datname": "database", "cache": "cache", "kpi": "kpi", "rack": "rack", "zone": "zone", "region": "region",
    "endpoint": "endpoint", "job_name": "pipeline", "device": "device",
}  # fmt: skip
SCOPE_LABELS = ("namespace", "kube_namespace", "exported_namespace", "group", "project", "environment")
ADDRESS_LABELS = ("instance", "address", "source", "target", "peer", "subject", "host")
NOT_NAMES = frozenset({
    "alertname", "severity", "priority", "level", "cluster", "team", "owner", "container", "env", "environment",
    "region", "job", "prometheus", "monitor", "class", "type", "status", "reason", "code", "method", "receiver",
    "namespace", "kube_namespace", "summary", "description", "message", "runbook_url",
})  # fmt: skip
MOST_SHAPES = 4096
"""So many sets of names of labels are remembered with those among them that name a thing."""
_POD_SUFFIXES = (
    re.compile(r"-[a-z0-9]{5,10}-[a-z0-9]{5}$"),
    re.compile(r"-[a-f0-9]{6,10}$"),
    re.compile(r"-\d+$"),
)


class Resolver:
    """Answers from indexes over the entities; rebuilt when they change."""

    def __init__(self, entities: Iterable[Entity], rules: Iterable[MapRule]) -> None:
        self._rules = [(rule, matching_of(rule.matchers), template_of(rule.entity)) for rule in rules]
        self.relabels = any(rule.set_labels for rule, _, _ in self._rules)
        """Whether some rule sets labels."""
        naming = [(matching, template) for rule, matching, template in self._rules if rule.entity]
        self._naming = Sieve(
            [matching for matching, _ in naming], lambda holds, _: tuple(compress([one for _, one in naming], holds))
        )
        self._shapes: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._coined = Words()
        self.coined = self._coined.one
        """The one object for an entity of such a name."""
        self._ids: set[str] = set()
        self._named: dict[str, list[Entity]] = {}
        self._aliases: dict[str, str] = {}
        for entity in sorted(entities, key=lambda entity: entity.entity):
            self._ids.add(entity.entity)
            self._named.setdefault(entity.name, []).append(entity)
            for label in ("instance", "address", "alias", "hostname"):
                if alias := entity.labels.get(label):
                    self._aliases.setdefault(alias, entity.entity)

    @property
    def knows_nothing(self) -> bool:
        """Whether no entity is known."""
        return not self._ids

    def relabelled(self, labels: dict[str, str]) -> dict[str, str]:
        """The labels after the map rules that set some."""
        for rule, matching, _ in self._rules:
            if rule.set_labels and matching.matches(labels):
                labels = {**labels, **rule.set_labels}
        return labels

    def resolve(self, labels: Mapping[str, str], hint: str = "") -> str | None:
        """The entity that labels speak of, or None when nothing in them names one."""
        if hint:
            return hint if hint in self._ids else self._by_name(hint.partition("/")[2], labels, "") or hint
        return self.by_rule(labels) or self.unruled(labels)

    def unruled(self, labels: Mapping[str, str]) -> str | None:
        """The same of labels of which no map rule says anything."""
        if not self._ids:  # nothing is known by any name
            return self._by_any(labels)
        return self._by_label(labels) or self._by_address(labels) or self._by_any(labels)

    def naming(self, labels: Mapping[str, str]) -> tuple[str, str]:
        """The label that names a thing where nothing is known by any name, with what goes before its value.

        "" for none; the same for all that have the same labels.
        """
        label = next(iter(self._telling(labels)), "")
        return label, f"{KIND_OF_LABEL.get(label, 'service')}/"

    def by_rule(self, labels: Mapping[str, str]) -> str | None:
        """The entity that the first map rule names whose labels are all there."""
        for template in self._naming.of(labels) if self._rules else ():
            try:
                named = str(template.render({"labels": _Present(labels)}))
            except (ExpressionError, KeyError):
                continue
            kind, _, name = named.partition("/")
            if name and not named.endswith("/"):
                return named if named in self._ids else self._by_name(name, labels, kind) or named
        return None

    def _by_label(self, labels: Mapping[str, str]) -> str | None:
        for label in self._telling(labels):
            value = labels[label]
            if value in self._ids:
                if value:
                    return value
            elif value and value in self._named:
                return self._by_name(value, labels, KIND_OF_LABEL.get(label, ""))
        return None

    def _telling(self, labels: Mapping[str, str]) -> tuple[str, ...]:
        """The labels that name a thing, most specific first: the same for all that have the same labels."""
        shape = tuple(labels)
        known = self._shapes.get(shape)
        if known is None:
            if len(self._shapes) >= MOST_SHAPES:
                self._shapes.clear()
            known = self._shapes[shape] = tuple(sorted(_RANK.keys() & labels.keys(), key=_RANK.__getitem__))
        return known

    def _by_address(self, labels: Mapping[str, str]) -> str | None:
        if not self._named:
            return None
        for label in ("pod", "pod_name", *ADDRESS_LABELS):
            value = labels.get(label)
            if not value:
                continue
            if value in self._aliases:
                return self._aliases[value]
            for name in _readings(value):
                found = self._aliases.get(name) or self._by_name(name, labels, "")
                if found:
                    return found
        return None

    def _by_any(self, labels: Mapping[str, str]) -> str | None:
        """A value that names exactly one entity; else a new entity named by the best label there is."""
        for label in sorted(labels) if self._named else ():
            named = self._named.get(labels[label]) if label not in NOT_NAMES else None
            if named and len(named) == 1:
                return named[0].entity
        for label in self._telling(labels):
            if labels[label]:
                return self._coined.one(f"{KIND_OF_LABEL.get(label, 'service')}/{labels[label]}")
        pod = labels.get("pod") or labels.get("pod_name")
        if pod:
            return f"service/{_readings(pod)[-1]}"
        for label, kind in (("instance", "host"), ("job", "service")):
            if labels.get(label):
                return f"{kind}/{labels[label]}"
        return None

    def _by_name(self, name: str, labels: Mapping[str, str], kind: str) -> str | None:
        """Of the entities of this name the one in the labels' namespace, or of the kind, or the first."""
        named = self._named.get(name)
        if not named:
            return None
        if len(named) == 1:
            return named[0].entity
        scope = next((labels[label] for label in SCOPE_LABELS if labels.get(label)), "")
        return min(
            named,
            key=lambda entity: (
                bool(scope) and entity.labels.get("namespace", "") != scope,
                bool(kind) and entity.kind != kind,
                entity.labels.get("cluster", "") != labels.get("cluster", ""),
                entity.entity,
            ),
        ).entity


class _Present(dict[str, str]):
    """Labels for a template: one that is missing or empty makes the rule not apply."""

    def __missing__(self, name: str) -> str:
        raise KeyError(name)


def _readings(value: str) -> list[str]:
    """Names that an address or pod name may stand for, as given first, most reduced last."""
    readings = [value]
    tail = value.rsplit("/", 1)[-1]
    host = tail.partition(":")[0]
    for reading in (tail, host, host.partition(".")[0]):
        if reading and reading not in readings:
            readings.append(reading)
    for suffix in _POD_SUFFIXES:
        for reading in list(readings):
            bare = suffix.sub("", reading)
            if bare and bare not in readings:
                readings.append(bare)
    return readings
