"""Names of partitions, and of the data set or job that they are a part of.

Producers of lineage often name what one run wrote: ``orders_20260102``, ``lake/orders/dt=2026-01-02/hour=05``,
``exports/2026/01/02/part-00000.parquet``. Each would be a data set of its own, a new one with every run. What is by its
name a date or hour, a UUID or digest, or the number of a run is taken off, and the rest is the name of the whole.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

_DAY = r"(?:19|20)\d\d(?P<sep{0}>[-_.]?)(?:0[1-9]|1[0-2])(?P=sep{0})(?:0[1-9]|[12]\d|3[01])"
_HOUR = r"(?:[T_ .-]?(?:[01]\d|2[0-3])(?:[:_.h-]?[0-5]\d){0,2}(?:\.\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?)?"
_COARSE = r"(?:19|20)\d\d(?:[-_.]?(?:0[1-9]|1[0-2])|[-_.]?[Ww](?:0[1-9]|[1-4]\d|5[0-3])|[-_.]?[Qq][1-4])"
_UUID = r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
_DIGEST = r"(?=[a-f]*\d)(?=\d*[a-f])[0-9a-f]{16,64}"
_EPOCH = r"1\d{9}(?:\d{3})?"
_RUN = r"(?i:run|attempt|partition|part|shard|execution)(?:[-_.]?(?i:id|no))?[-_.]?\d{1,19}|(?i:batch)[-_.]?\d{3,19}"
_DAG_RUN = r"(?:manual|scheduled|backfill|dataset_triggered|asset_triggered)__.{8,}"
_EXTENSION = r"(?P<extension>(?:\.[A-Za-z][A-Za-z0-9]{1,7}){1,2})?"


def _stamp(name: str) -> str:
    return "|".join((_DAY.format(name) + _HOUR, _COARSE, _UUID, _DIGEST, _EPOCH, _RUN, _DAG_RUN))


_KEYED = re.compile(r"[A-Za-z_][\w.-]*=.+")
_DATED = re.compile(
    r"/(?:19|20)\d\d/(?:0?[1-9]|1[0-2])(?:/(?:0?[1-9]|[12]\d|3[01])(?:/(?:[01]?\d|2[0-3])(?:/[0-5]\d)?)?)?(?=/|$)"
)
_SEGMENT = re.compile(rf"(?:{_stamp('a')}|\d{{4,}}){_EXTENSION}")
_WITHIN = re.compile(rf"{_DAY.format('a')}{_HOUR}|{_UUID}|{_DAG_RUN}")
_FILE = re.compile(r"(?i:part)-\d{3,}[\w.-]*")
_SEPARATOR = re.compile(r"[-_.@$ ]+")
_AFTER = re.compile(rf"(?:{_stamp('a')}){_EXTENSION}")
_BEFORE = re.compile(rf"{_DAY.format('a')}{_HOUR}[-_. ]+(?=[A-Za-z])")
_RUNS = frozenset({"run", "runs", "attempt", "attempts", "execution", "executions"})
_MOST = 4
"""So many stamps are taken off one part of a name."""
_LONGEST = 120
"""Characters of a stamp."""


class Whole(NamedTuple):
    """The name of the whole, and what was taken off ("" for what is no partition)."""

    name: str
    partition: str


@lru_cache(maxsize=16_384)
def whole(name: str) -> Whole:
    """Of what the thing of this name is a partition; itself when it is none, or when nothing else were left."""
    segments = _without_keys(name).split("/")
    while len(segments) > 1 and (
        _SEGMENT.fullmatch(segments[-1]) or _FILE.fullmatch(segments[-1]) or _numbered(segments)
    ):
        if _numbered(segments):
            segments.pop()
        segments.pop()
        segments = _DATED.sub("", "/".join(segments)).split("/")
    kept = [at for at, part in enumerate(segments) if at in {0, len(segments) - 1} or not _WITHIN.fullmatch(part)]
    segments = [segments[at] for at in kept]
    segments[-1] = _plain(segments[-1])
    found = "/".join(segments)
    if found == name or not any(map(str.isalpha, found)):
        return Whole(name, "")
    return Whole(found, _taken_off(name, found))


def _without_keys(name: str) -> str:
    """Without ``key=value`` and all that comes after, as tables keep their partitions, and without dates as folders."""
    segments = name.split("/")
    at = next((at for at, part in enumerate(segments) if at and _KEYED.fullmatch(part)), len(segments))
    short = _DATED.sub("", "/".join(segments[:at]))
    return short if any(map(str.isalpha, short)) else name


def _plain(part: str) -> str:
    """The last part of a name without stamps before and after what it is called."""
    for _ in range(_MOST):
        before = _BEFORE.match(part)
        shorter = part[before.end() :] if before is not None else _without_last(part)
        if shorter == part:
            break
        part = shorter
    return part


def _without_last(part: str) -> str:
    """Without the stamp at the end, if there is one; an extension stays."""
    for separator in _SEPARATOR.finditer(part, max(0, len(part) - _LONGEST)):
        stem = part[: separator.start()]
        stamp = _AFTER.fullmatch(part, separator.end())
        if stamp is not None and any(map(str.isalpha, stem)):
            return stem + (stamp["extension"] or "")
    return part


def _numbered(segments: list[str]) -> bool:
    """Whether a path ends like ``runs/17``."""
    return segments[-1].isdecimal() and len(segments) > 2 and segments[-2].lower() in _RUNS


def _taken_off(name: str, found: str) -> str:
    """What a name has beyond another: from where they begin to differ to where they end alike."""
    begin = 0
    while begin < len(found) and name[begin] == found[begin]:
        begin += 1
    end = 0
    while end < len(found) - begin and name[-1 - end] == found[-1 - end]:
        end += 1
    return name[begin : len(name) - end].strip("/-_.@$ ")
