"""Where a version of a thing came from: the code, run and data it was made of, and who put it to use when."""

from __future__ import annotations

import msgspec


class Column(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A column of a dataset or feature view, as whoever reads or writes it declares it. ``about`` describes it."""

    name: str
    type: str = ""
    unit: str = ""
    about: str = ""


class Version(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One version, made ``at``. ``inputs`` are the versions of what it was made of, by entity ("" where not told).

    ``by`` is the person or the pipeline that made it; ``labels`` are facts about it such as tags, parameters, metrics.
    """

    version: str
    at: float
    by: str = ""
    run: str = ""
    commit: str = ""
    inputs: dict[str, str] = {}
    labels: dict[str, str] = {}
    url: str = ""
    source: str = ""


class Promotion(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """From ``at`` on ``alias`` meant ``version`` ("" when it was taken away), and ``previous`` before.

    ``found``: it was so already when it was first looked at, so that ``at`` is no more than the latest possible time.
    ``by`` is "" where nobody told who did it.
    """

    at: float
    version: str
    alias: str = ""
    previous: str = ""
    by: str = ""
    found: bool = False
    change: str = ""
    source: str = ""


class Schema(msgspec.Struct, frozen=True, kw_only=True):
    """The columns of a dataset as one teller declared them last."""

    at: float
    columns: tuple[Column, ...]


class Provenance(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What is kept of the versions of one entity, the newest last. ``schemas`` by who told them."""

    told_at: float = 0.0
    versions: list[Version] = []
    promotions: list[Promotion] = []
    schemas: dict[str, Schema] = {}


class DeclaredVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A version that the topology in the rules tells of, for what has no API; promotions in order of time."""

    entity: str
    version: Version
    promotions: tuple[Promotion, ...] = ()
