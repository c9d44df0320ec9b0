"""Deploys that nobody announced: telemetry tells of another version of an entity than before.

While a new version is rolled out both tell of themselves, in turns; so the label ``version`` stays at the newer one,
and the older one counts as back only when it was silent for a while. What is seen for the first time was not deployed
just now for all anybody knows.
"""

from __future__ import annotations

from msgspec.structs import replace

from quell.model.records import ChangeRecord, EntityRecord
from quell.model.state import State

VERSION = "version"
SILENT_S = 900.0
"""A version that was not heard of for so long and is there again was rolled back to."""
MOST_VERSIONS = 8
"""Of one entity that are remembered, the latest."""
MOST_ENTITIES = 20_000
MOST_TURNS = 2
"""So often labels may be told otherwise within `SILENT_S`: somebody may correct them, and correct that."""
_SINCE, _TURNS = "\x00since", "\x00turns"
"""Among the versions of an entity: since when its labels are told in turns, and how often they were."""
_DEPLOYS = frozenset({"deploy", "model"})


def steady(state: State, record: EntityRecord) -> EntityRecord:
    """The record without labels that were told otherwise again and again lately: those known stay for a while.

    One name in two clusters tells of either in turns. All that is worked out from the graph would be worked out anew
    each time.
    """
    known = state.entities.get(record.entity)
    if known is None or record.removed:
        return record
    labels = known.labels
    other = {
        name: labels[name]
        for name, value in record.labels.items()
        if name != VERSION and labels.get(name, value) != value
    }
    if not other:
        return record
    heard = state.running.setdefault(record.entity, {})
    while len(state.running) > MOST_ENTITIES:
        del state.running[next(iter(state.running))]
    since, turns = heard.get(_SINCE), heard.get(_TURNS, 0.0)
    if since is None or not 0.0 <= record.at - since < SILENT_S:
        heard[_SINCE], heard[_TURNS] = record.at, 1.0
    elif turns < MOST_TURNS:
        heard[_TURNS] = turns + 1.0
    else:
        return replace(record, labels={**record.labels, **other})
    return record


def deployed(state: State, record: EntityRecord) -> tuple[EntityRecord, ChangeRecord | None]:
    """The record as it is to be learned, and the deploy it tells of."""
    version, entity = record.labels.get(VERSION, ""), record.entity
    if record.removed or not version:
        return record, None
    known = state.entities.get(entity)
    current = known.labels.get(VERSION, "") if known is not None else ""
    last = _heard(state, entity, version, record.at)
    if current in {"", version}:
        return record, None
    if last is not None and record.at - last < SILENT_S:
        return replace(record, labels={**record.labels, VERSION: current}), None
    if any(change.entity == entity and change.revision == version and change.type in _DEPLOYS and
           change.at > record.at - SILENT_S for change in state.changes.values()):  # fmt: skip
        return record, None  # somebody announced it
    change = ChangeRecord(
        at=record.at,
        seen=record.seen,
        source=record.source,
        id=f"{VERSION}/{entity}/{version}/{record.at:.0f}",
        type="deploy",
        entity=entity,
        revision=version,
        previous=current,
        summary=f"version {version} tells of itself, after {current}",
    )
    return record, change


def _heard(state: State, entity: str, version: str, at: float) -> float | None:
    """Remembers that a version was heard of; returns when it was before."""
    versions = state.running.pop(entity, {})
    state.running[entity] = versions
    last = versions.pop(version, None)
    versions[version] = at if last is None else max(last, at)
    while len(versions) > MOST_VERSIONS:
        del versions[next(iter(versions))]
    while len(state.running) > MOST_ENTITIES:
        del state.running[next(iter(state.running))]
    return last
