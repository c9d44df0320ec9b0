"""Entities and the dependencies between them: *A depends on B* points from A to B; failure travels from B to A."""

from __future__ import annotations

import msgspec


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
    """An edge: ``from_`` depends on ``to``. ``sources`` say who claimed it, ``last_seen`` when last."""

    from_: str
    to: str
    type: str = "depends_on"
    weight: float = 1.0
    confidence: float = 1.0
    sources: tuple[str, ...] = ()
    first_seen: float | None = None
    last_seen: float | None = None


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
