"""Entities and the dependencies between them: *A depends on B* points from A to B; failure travels from B to A."""

from __future__ import annotations

from typing import Literal

import msgspec

Learned = Literal["", "spans", "telemetry", "lineage", "registry"]
"""From what something was gathered: requests that were seen, what telemetry says of its sender, runs that read and
write data, a registry of models. "" is told as configuration."""

NAMING_LABELS = (
    "entity", "service", "deployment", "statefulset", "daemonset", "component", "app", "application", "service_name",
    "node", "host", "hostname", "model", "model_name", "endpoint", "feature_view", "feature", "dataset", "table",
    "dag_id", "dag", "pipeline", "topic", "queue", "database", "datname", "cache", "kpi", "metric_name", "job_name",
    "horizontalpodautoscaler", "consumergroup", "rack", "zone", "region", "resource", "device", "cluster_name",
)  # fmt: skip
"""Labels that name a thing, most specific first."""


class Entity(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A node, named ``kind/name``. ``labels`` carry its aliases (namespace, instance, cluster, zone, …)."""

    entity: str
    labels: dict[str, str] = {}
    owner: str = ""
    tier: int | None = None
    sources: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """``labels["kind"]`` if given, else the part before the first slash."""
        return self.labels.get("kind") or self.entity.partition("/")[0]

    @property
    def name(self) -> str:
        """``labels["name"]`` if given, else what follows the first slash."""
        return self.labels.get("name") or self.entity.partition("/")[2] or self.entity


class Dependency(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """An edge: ``from_`` depends on ``to``. ``sources`` say who claimed it, ``last_seen`` when last.

    What was ``learned`` (and never told as configuration) is forgotten when ``told_at``, its last arrival, is long ago.
    """

    from_: str
    to: str
    type: str = "depends_on"
    weight: float = 1.0
    confidence: float = 1.0
    sources: tuple[str, ...] = ()
    first_seen: float | None = None
    last_seen: float | None = None
    learned: Learned = ""
    told_at: float = 0.0


class Gathered(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """From what an entity was gathered, and when it last arrived."""

    learned: Learned
    told_at: float


class Forgetting(msgspec.Struct, frozen=True, kw_only=True):
    """So long, in seconds, what was learned is remembered without being told again, by what it was learned from."""

    spans_s: float = 86_400.0
    telemetry_s: float = 7 * 86_400.0
    lineage_s: float = 45 * 86_400.0
    registry_s: float = 400 * 86_400.0


class Change(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A deploy, config, flag, schema, prompt, model or data change; ``entity`` is resolved, None when unknown."""

    id: str
    at: float
    type: str
    entity: str | None
    revision: str = ""
    previous: str = ""
    commit: str = ""
    author: str = ""
    summary: str = ""
    url: str = ""
    source: str = ""
