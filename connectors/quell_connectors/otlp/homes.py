"""Which entity tells: the attributes of a resource, as a name that stays the same over all its replicas.

What differs from one replica to the next (pod, host, instance) is no part of the entity, nor of its labels: they would
change with every delivery. It only tells the running totals of replicas apart.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from dataclasses import dataclass

from quell_connectors.otlp.wire import Encoding, short, text_of

TEMPLATE = "service/${service.name}"
MOST_KEPT = 4096
"""Resources that are remembered: those of a process are the same in all its deliveries."""
_HOLE = re.compile(r"\$\{\s*([A-Za-z_][\w.]*)\s*\}")
_NAMED = re.compile(r"[a-z][a-z0-9_]*/\S.*")
_WORKLOADS = (
    "k8s.deployment.name", "k8s.statefulset.name", "k8s.daemonset.name", "k8s.cronjob.name", "k8s.job.name",
    "faas.name", "aws.ecs.service.name", "cloud_run.service.name",
)  # fmt: skip
_HOSTS = ("k8s.node.name", "host.name", "host.id")
_INSTANCES = ("service.instance.id", "k8s.pod.uid", "k8s.pod.name", "container.id", "host.name", "process.pid")
_LABELS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("namespace", ("k8s.namespace.name", "service.namespace")),
    ("cluster", ("k8s.cluster.name",)),
    ("environment", ("deployment.environment.name", "deployment.environment")),
    ("version", ("service.version",)),
)
_SHORT = 40
_UNKNOWN = "unknown_service"


@dataclass(frozen=True, slots=True)
class Home:
    """What a resource is. ``instance`` tells replicas apart; ``host`` is the entity it runs on, "" if none is told."""

    entity: str
    labels: Mapping[str, str]
    instance: str
    host: str
    attributes: Mapping[str, str]


class Homes:
    """Reads resources. What is remembered of one is a pure function of it."""

    def __init__(self, template: str = TEMPLATE) -> None:
        self._template = template
        self._known: dict[tuple[Hashable, ...], Home] = {}

    def of(self, encoding: Encoding, told: object) -> Home:
        """The home of a resource. Raises `quell.errors.BadPayload`."""
        attributes = encoding.resource(told)
        home = self._known.get(attributes)
        if home is None:
            if len(self._known) >= MOST_KEPT:
                self._known.clear()
            home = self._read({name: text_of(value) for name, value in encoding.pairs(attributes)})
            if short(attributes):
                self._known[attributes] = home
        return home

    def peer(self, home: Home, service: str) -> str:
        """The entity of another service, as seen from one."""
        return self._filled({**home.attributes, "service.name": service}) or f"service/{service}"

    def _read(self, told: Mapping[str, str]) -> Home:
        labels = {label: found for label, names in _LABELS if (found := _first(told, names))}
        machine = _first(told, ("k8s.node.name",)) or ("" if _contained(told) else told.get("host.name", ""))
        entity = self._entity(told)
        host = f"host/{machine}" if machine and not entity.startswith(("host/", "pod/")) else ""
        return Home(entity, labels, _first(told, _INSTANCES)[:_SHORT], host, told)

    def _entity(self, told: Mapping[str, str]) -> str:
        service = told.get("service.name", "")
        # SDKs that were not told a name say "unknown_service:java": a workload's name says more.
        if not service or service.startswith(_UNKNOWN):
            workload = _first(told, _WORKLOADS)
            if not workload and not service:
                pod = told.get("k8s.pod.name", "")
                return (
                    f"pod/{pod}" if pod else f"host/{host}" if (host := _first(told, _HOSTS)) else f"service/{_UNKNOWN}"
                )
            service = workload or service
        return self._filled({**told, "service.name": service}) or f"service/{service}"

    def _filled(self, told: Mapping[str, str]) -> str:
        """The template with its holes filled; "" when one cannot be."""
        if any(not told.get(hole) for hole in _HOLE.findall(self._template)):
            return ""
        return _HOLE.sub(lambda match: told[match[1]], self._template)


def template_problem(template: str) -> str:
    """What is wrong with a template of entities; "" when nothing is."""
    if "service.name" not in _HOLE.findall(template):
        return f'entity: "{template}" does not hold ${{service.name}}: all services would be one'
    if not _NAMED.fullmatch(_HOLE.sub("x", template)):
        return f'entity: "{template}" is no kind/name, such as {TEMPLATE}'
    return ""


def _first(told: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((told[name] for name in names if told.get(name)), "")


def _contained(told: Mapping[str, str]) -> bool:
    """Whether it runs in a container, whose "host name" is its own."""
    return any(name.startswith(("container.", "k8s.")) for name in told)
