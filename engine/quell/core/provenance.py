"""What records say of versions: kept for as long as somebody may ask, and compared with what was told before.

A schema that differs, an alias that points elsewhere and code that is newer are changes; whoever pulls or receives need
not know what was there before, only the state does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from quell.core.schemas import Difference, difference
from quell.model.provenance import Column, Promotion, Provenance, Schema, Version
from quell.model.records import ChangeRecord, ChangeType, VersionRecord
from quell.model.state import State

MOST_ENTITIES = 5_000
KEEP_VERSIONS: Mapping[str, int] = {"model": 100, "prompt": 100}
KEEP_OTHER_VERSIONS = 20
KEEP_PROMOTIONS = 100
KEEP_TELLERS = 8
KEEP_S = 400 * 86400.0
MOST_COLUMNS = 2_000
MOST_LABELS = 120
MOST_INPUTS = 200
LONGEST = 500
SAME_WITHIN_S = 86400.0
"""What several readers of a dataset tell of one change of its schema within this time is one change."""
_CODE: Mapping[str, ChangeType] = {"pipeline": "deploy"}
"""Kinds of which every new version is in use at once, and as what it counts then."""


def learn_version(state: State, record: VersionRecord) -> list[ChangeRecord]:
    """Keeps what was told; returns the changes that follow from it."""
    if not record.entity:
        return []
    known = state.provenance.pop(record.entity, None) or Provenance()
    state.provenance[record.entity] = known  # told of last
    known.told_at = max(known.told_at, record.at)
    changes: list[ChangeRecord] = []
    if record.columns:
        changes += _schema_changed(state, known, record)
    if record.version:
        changes += _code_changed(known, record)
        _keep_version(known, record)
        changes += _aliases_moved(state, known, record)
    while len(state.provenance) > MOST_ENTITIES:
        del state.provenance[next(iter(state.provenance))]
    return changes


def moved(state: State, record: ChangeRecord) -> ChangeRecord | None:
    """A change of a model or prompt with what was before filled in, which is kept; None when it was told already."""
    if not record.entity:
        return record
    known = state.provenance.pop(record.entity, None) or Provenance()
    state.provenance[record.entity] = known
    known.told_at = max(known.told_at, record.at)
    alias = record.labels.get("alias", "")[:LONGEST]
    name = record.id or f"{record.type}/{record.entity}/{record.at:.3f}"
    last = _last(known, alias)
    if last is not None and last.version == record.revision and last.change != name and alias:
        if not (last.found and record.at < last.at):
            _attribute(state, known, last, record.author)
            return None
        known.promotions.remove(last)  # it was found as this left it
        last = _last(known, alias)
    previous = record.previous or (last.version if last is not None else "")
    told = replace(record, previous=previous, id=name)
    promotion = Promotion(
        at=record.at,
        version=record.revision[:LONGEST],
        alias=alias,
        previous=previous[:LONGEST],
        by=record.author[:LONGEST],
        change=name,
        source=record.source,
    )
    _keep_promotion(known, promotion)
    return told


def forget_versions(state: State, now: float) -> None:
    """Drops what nobody has told of for more than a year."""
    for entity in [name for name, one in state.provenance.items() if one.told_at + KEEP_S < now]:
        del state.provenance[entity]


def _schema_changed(state: State, known: Provenance, record: VersionRecord) -> list[ChangeRecord]:
    columns = tuple(_short(column) for column in record.columns[:MOST_COLUMNS])
    teller = f"{record.source}/{record.by}"[:LONGEST]
    before = known.schemas.pop(teller, None)
    if before is not None and before.at > record.at:
        known.schemas[teller] = before
        return []
    known.schemas[teller] = Schema(at=record.at, columns=columns)
    while len(known.schemas) > KEEP_TELLERS:
        del known.schemas[next(iter(known.schemas))]
    found = difference(before.columns, columns) if before is not None else None
    if found is None:
        return []
    name = f"schema/{record.entity}/{found.key}"
    past = state.changes.get(name)
    if past is not None and record.at - past.at <= SAME_WITHIN_S and past.author != record.by:
        return []  # another reader saw the same
    return [_schema_change(record, found, name if past is None else f"{name}/{record.at:.0f}")]


def _schema_change(record: VersionRecord, found: Difference, name: str) -> ChangeRecord:
    return ChangeRecord(
        at=record.at,
        seen=record.seen,
        source=record.source,
        id=name,
        type="schema",
        entity=record.entity,
        revision=record.version or found.key,
        commit=record.commit,
        author=record.by,
        summary=found.text,
        diff="\n".join(found.lines),
        url=record.url,
    )


def _code_changed(known: Provenance, record: VersionRecord) -> list[ChangeRecord]:
    kind = _CODE.get(record.entity.partition("/")[0])
    latest = known.versions[-1] if known.versions else None
    if kind is None or latest is None or latest.at > record.at:
        return []
    if latest.version == record.version:
        return []
    return [
        ChangeRecord(
            at=record.at,
            seen=record.seen,
            source=record.source,
            id=f"{kind}/{record.entity}/{record.version[:LONGEST]}/{record.at:.0f}",
            type=kind,
            entity=record.entity,
            revision=record.version,
            previous=latest.version,
            commit=record.commit,
            author=record.promoted_by,
            summary=f"{record.entity} runs {record.version[:40]}, before {latest.version[:40]}",
            url=record.url,
        )
    ]


def _keep_version(known: Provenance, record: VersionRecord) -> None:
    told = Version(
        version=record.version[:LONGEST],
        at=record.at,
        by=record.by[:LONGEST],
        run=record.run[:LONGEST],
        commit=record.commit[:LONGEST],
        inputs=_bounded(record.inputs, MOST_INPUTS),
        labels=_bounded(record.labels, MOST_LABELS),
        url=record.url[:LONGEST],
        source=record.source,
    )
    at = next((at for at, one in enumerate(known.versions) if one.version == told.version), None)
    latest = known.versions[-1] if known.versions else None
    code = record.entity.partition("/")[0] in _CODE
    if at is not None and code and latest is not None and latest.version != told.version:
        del known.versions[at]  # in use again
        at = None
    if at is None:
        known.versions.append(told)
        known.versions.sort(key=lambda one: one.at)
        most = KEEP_VERSIONS.get(record.entity.partition("/")[0], KEEP_OTHER_VERSIONS)
        del known.versions[:-most]
        return
    before = known.versions[at]
    known.versions[at] = Version(
        version=told.version,
        at=min(before.at, told.at),
        by=told.by or before.by,
        run=told.run or before.run,
        commit=told.commit or before.commit,
        inputs=_bounded({**before.inputs, **told.inputs}, MOST_INPUTS),
        labels=_bounded({**before.labels, **told.labels}, MOST_LABELS),
        url=told.url or before.url,
        source=before.source or told.source,
    )


def _aliases_moved(state: State, known: Provenance, record: VersionRecord) -> list[ChangeRecord]:
    """Aliases that point to a version now: known, found for the first time, or moved since."""
    changes = []
    for alias in record.aliases:
        last = _last(known, alias[:LONGEST])
        if last is not None and (last.version == record.version or last.at > record.at):
            if last.version == record.version:
                _attribute(state, known, last, record.promoted_by)
            continue
        if last is None:
            found = Promotion(
                at=record.at,
                version=record.version[:LONGEST],
                alias=alias[:LONGEST],
                by=record.promoted_by[:LONGEST],
                found=True,
                source=record.source,
            )
            _keep_promotion(known, found)
            continue
        changes.append(
            ChangeRecord(
                at=record.at,
                seen=record.seen,
                source=record.source,
                id=f"alias/{record.entity}@{alias}/{record.version}/{record.at:.0f}",
                type="prompt" if record.entity.startswith("prompt/") else "model",
                entity=record.entity,
                labels={"alias": alias},
                revision=record.version,
                previous=last.version,
                commit=record.commit,
                author=record.promoted_by,
                summary=promoted(record.entity, alias, record.version, last.version),
                url=record.url,
            )
        )
    return changes


def _attribute(state: State, known: Provenance, promotion: Promotion, who: str) -> None:
    """Whoever told of it first may not have known who did it."""
    if not who or promotion.by:
        return
    known.promotions[known.promotions.index(promotion)] = replace(promotion, by=who[:LONGEST])
    change = state.changes.get(promotion.change)
    if change is not None and not change.author:
        state.changes[promotion.change] = replace(change, author=who[:LONGEST])


def promoted(entity: str, alias: str, version: str, previous: str) -> str:
    """The sentence for an alias that points elsewhere."""
    return f"{alias} of {entity} points to version {version}" + (f", before to {previous}" if previous else "")


def _keep_promotion(known: Provenance, promotion: Promotion) -> None:
    same = [at for at, one in enumerate(known.promotions) if one.change and one.change == promotion.change]
    if same:
        known.promotions[same[0]] = promotion
    else:
        known.promotions.append(promotion)
    known.promotions.sort(key=lambda one: one.at)
    del known.promotions[:-KEEP_PROMOTIONS]


def _last(known: Provenance, alias: str) -> Promotion | None:
    return next((one for one in reversed(known.promotions) if one.alias == alias), None)


def _bounded(pairs: Mapping[str, str], most: int) -> dict[str, str]:
    return {name[:LONGEST]: text[:LONGEST] for name, text in sorted(pairs.items())[:most]}


def _short(column: Column) -> Column:
    if len(column.name) + len(column.type) + len(column.unit) + len(column.about) <= LONGEST:
        return column
    return Column(
        name=column.name[:LONGEST], type=column.type[:LONGEST], unit=column.unit[:LONGEST], about=column.about[:LONGEST]
    )


def versions_of(state: State, entity: str) -> Sequence[Version]:
    """What is known of the versions of an entity, the newest last."""
    known = state.provenance.get(entity)
    return known.versions if known is not None else ()
