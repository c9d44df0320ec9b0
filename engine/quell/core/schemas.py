"""What differs between two schemas, in words: columns added, removed, renamed, of another type, unit or meaning."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from quell.model.provenance import Column

_MOST_TOLD = 3


@dataclass(frozen=True, slots=True)
class Difference:
    """``text`` for people, ``lines`` in full. ``key`` names the difference, whoever tells it."""

    text: str
    lines: tuple[str, ...]
    key: str


def difference(before: Sequence[Column], after: Sequence[Column]) -> Difference | None:
    """None when the same columns are there with the same types, units and meanings, in whatever order."""
    told, keys = _told(before, after)
    if not told:
        return None
    text = "; ".join(told[:_MOST_TOLD]) + (f"; and {len(told) - _MOST_TOLD} more" if len(told) > _MOST_TOLD else "")
    return Difference(text, tuple(told), _digest(keys))


def _told(before: Sequence[Column], after: Sequence[Column]) -> tuple[list[str], list[str]]:
    """Sentences, and the same as texts that do not depend on who tells them in what letters."""
    old, new = {column.name: column for column in before}, {column.name: column for column in after}
    gone = [column for column in before if column.name not in new]
    come = [column for column in after if column.name not in old]
    told: list[str] = []
    keys: list[str] = []
    for column in before:
        now = new.get(column.name)
        if now is not None and old[column.name] is column:
            found = _altered(column, now)
            told += [f"column {column.name} changed its {one}" for one in found]
            keys += [f"~{column.name}" for _ in found]
    for was, now in _renamed(before, after, gone, come):
        told.append(f"column {was.name} was renamed to {now.name}")
        keys.append(f"{was.name}>{now.name}")
        gone.remove(was)
        come.remove(now)
    told += [f"column {column.name} was removed" for column in gone]
    keys += [f"-{column.name}" for column in gone]
    told += [f"column {column.name}{_of_type(column)} was added" for column in come]
    keys += [f"+{column.name}" for column in come]
    return told, sorted(keys)


def _altered(was: Column, now: Column) -> list[str]:
    found = []
    if was.type.lower() != now.type.lower() and was.type and now.type:
        found.append(f"type from {was.type} to {now.type}")
    if was.unit != now.unit:
        found.append(f"unit from {was.unit or 'none told'} to {now.unit or 'none told'}")
    elif was.about != now.about and was.about and now.about:
        found.append(f'description from "{was.about}" to "{now.about}"')
    return found


def _renamed(
    before: Sequence[Column], after: Sequence[Column], gone: Sequence[Column], come: Sequence[Column]
) -> list[tuple[Column, Column]]:
    """Of as many columns gone as come, those that stand in the same place with the same type."""
    if len(gone) != len(come) or len(before) != len(after):
        return []
    places = {column.name: at for at, column in enumerate(after)}
    at = {column.name: place for place, column in enumerate(before)}
    by_place = {places[column.name]: column for column in come}
    found = []
    for was in gone:
        now = by_place.get(at[was.name])
        if now is not None and now.type.lower() == was.type.lower():
            found.append((was, now))
    return found


def _of_type(column: Column) -> str:
    return f" ({column.type})" if column.type else ""


def _digest(parts: Iterable[str]) -> str:
    return hashlib.sha256("\x00".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:12]
