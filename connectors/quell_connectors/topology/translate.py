"""A topology document to records. Two shapes are read, also mixed: nodes and edges, entities and dependencies.

An entity keeps the very name that the document gives it (``svc/shop/cart``); what a node is called elsewhere (kind,
name, namespace, instance, cluster, zone, rack, region, pod) become labels, by which alerts find it. A part that
cannot be read is put aside and the rest goes on. Cycles are fine: services do call each other.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from quell.errors import BadPayload
from quell.model.records import DependencyRecord, EntityRecord
from quell.sdk.connector import Rejected
from quell.sdk.payload import decode, label_problem

MAX_BYTES = 64 * 1024 * 1024
"""A document of a hundred thousand nodes; it comes from whoever runs quell."""


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """A node as catalogues write it, or an entity in quell's own words. ``replicas`` and the like are not kept."""

    id: str = ""
    entity: str = ""
    kind: str = ""
    name: str = ""
    namespace: str = ""
    instance: str = ""
    cluster: str = ""
    zone: str = ""
    rack: str = ""
    region: str = ""
    pod: str = ""
    team: str = ""
    owner: str = ""
    tier: Annotated[int, msgspec.Meta(ge=0, le=99)] | None = None
    labels: dict[str, str] = {}
    removed: bool = False


class Edge(msgspec.Struct, frozen=True, kw_only=True, rename={"from_": "from"}):
    """``src`` (or ``from``) depends on ``dst`` (or ``to``)."""

    src: str = ""
    dst: str = ""
    from_: str = ""
    to: str = ""
    type: str = "depends_on"
    weight: float = 1.0
    confidence: float = 1.0
    removed: bool = False


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """The whole; each part is read on its own."""

    nodes: list[msgspec.Raw] = []
    edges: list[msgspec.Raw] = []
    entities: list[msgspec.Raw] = []
    dependencies: list[msgspec.Raw] = []


_ALIASES = ("kind", "name", "namespace", "instance", "cluster", "zone", "rack", "region", "pod")


def translate(body: bytes, source: str, at: float) -> tuple[list[EntityRecord | DependencyRecord], list[Rejected]]:
    """The records of a document, and the parts of it that cannot be read. Raises `BadPayload` when none can."""
    document = decode(body, Document, max_bytes=MAX_BYTES)
    nodes, edges = [*document.nodes, *document.entities], [*document.edges, *document.dependencies]
    if not nodes and not edges:
        raise BadPayload("no nodes and no edges; expected {nodes, edges} or {entities, dependencies}", body[:4096])
    records: list[EntityRecord | DependencyRecord] = []
    rejected: list[Rejected] = []
    for parts, read in ((nodes, _entity), (edges, _dependency)):
        for part in parts:
            try:
                records.append(read(bytes(part), source, at))
            except BadPayload as error:
                rejected.append(Rejected(str(error), bytes(part)[:4096]))
    return records, rejected


def _entity(part: bytes, source: str, at: float) -> EntityRecord:
    node = decode(part, Node)
    entity = node.id or node.entity or (f"{node.kind}/{node.name}" if node.kind and node.name else "")
    if not entity:
        raise BadPayload("a node has neither an id nor kind and name", part)
    named = {name: getattr(node, name) for name in _ALIASES}
    labels = {**node.labels, **{name: value for name, value in named.items() if value}}
    problem = label_problem(labels) or label_problem({"id": entity})
    if problem:
        raise BadPayload(f'node "{entity[:80]}": {problem}', part)
    return EntityRecord(
        at=at,
        seen=at,
        source=source,
        entity=entity,
        labels=labels,
        owner=node.owner or node.team,
        tier=node.tier,
        removed=node.removed,
    )


def _dependency(part: bytes, source: str, at: float) -> DependencyRecord:
    edge = decode(part, Edge)
    from_, to = edge.src or edge.from_, edge.dst or edge.to
    if not from_ or not to:
        raise BadPayload("an edge lacks one of its ends; write src and dst, or from and to", part)
    for name, value in (("weight", edge.weight), ("confidence", edge.confidence)):
        if not 0.0 <= value <= 1.0:
            raise BadPayload(f'edge "{from_[:80]}" → "{to[:80]}": {name} {value:g} is not between 0 and 1', part)
    return DependencyRecord(
        at=at,
        seen=at,
        source=source,
        from_=from_,
        to=to,
        type=edge.type or "depends_on",
        weight=edge.weight,
        confidence=edge.confidence,
        removed=edge.removed,
    )
