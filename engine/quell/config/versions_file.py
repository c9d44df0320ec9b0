"""Versions that the topology in the rules tells of."""

from __future__ import annotations

from quell.config.rule_shapes import VersionShape
from quell.model.provenance import DeclaredVersion, Promotion, Version


def declared_version(shape: VersionShape, file: str) -> DeclaredVersion:
    """The version, and who put it to use when; ``file`` says so."""
    promotions = [
        Promotion(at=one.at, version=shape.version, alias=one.alias, previous=one.previous, by=one.by, source=file)
        for one in shape.promoted
    ]
    return DeclaredVersion(
        entity=shape.entity,
        version=Version(
            version=shape.version,
            at=shape.at,
            by=shape.by,
            run=shape.run,
            commit=shape.commit,
            inputs=shape.inputs,
            labels=shape.labels,
            url=shape.url,
            source=file,
        ),
        promotions=tuple(sorted(promotions, key=lambda one: one.at)),
    )
