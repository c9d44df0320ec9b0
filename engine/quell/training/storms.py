"""Labelled storms: what arrived, which alerts belonged together, and what caused them.

A folder holds ``truth.jsonl`` and either ``records.jsonl`` (records or deliveries, as `quell replay` reads them) or
``stream.jsonl`` (envelopes of a generator: ``t``, ``to``, ``event_ids``, ``body``) with ``topology.json`` beside it.
Any of them may be packed (``.gz``). The lines of the truth are of two kinds; other kinds and fields are left alone:

    {"kind": "event", "event_id": ..., "incident_id": ... or null, "alert_id": optional}
    {"kind": "incident", "incident_id": ..., "root_node": entity, or "root_nodes": [...], or neither where unknown}

An event is the id of a record of an alert; null says noise, and no line that nobody knows.
"""

from __future__ import annotations

import gzip
import json
import zlib
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from quell.errors import BadPayload, Misconfigured, Problem
from quell.model.records import AlertRecord, AnyRecord, DeliveryRecord
from quell.model.times import parse_time
from quell.replay.deliveries import Deliveries
from quell.replay.reader import Reader

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Truth:
    """Of record ids the incident that they belong to (None: noise); of incidents what caused them.

    ``innocent`` are entities that people said were not the cause. ``alerts`` tells which records are of one alert,
    where that is known. ``whole``: of every record it is known where it belongs.
    """

    incident: dict[str, str | None]
    roots: dict[str, frozenset[str]]
    innocent: dict[str, frozenset[str]] = field(default_factory=dict)
    alerts: dict[str, str] = field(default_factory=dict)
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Storm:
    """A labelled storm, by its name. ``unknown``: so many labels are of events that are not among its records."""

    name: str
    records: Sequence[AnyRecord]
    truth: Truth
    unknown: int = 0


def is_storm(folder: Path) -> bool:
    """Whether a folder holds a labelled storm."""
    return _file(folder, "truth.jsonl") is not None


def read_storm(folder: Path, reader: Reader, name: str = "") -> Storm:
    """The storm of a folder, called ``name``, or as the folder is.

    Raises `Misconfigured` where a line cannot be read.
    """
    truth = _file(folder, "truth.jsonl")
    if truth is None:
        raise Misconfigured([Problem(str(folder), 0, 0, "the folder holds no truth.jsonl", "name a labelled storm")])
    names: dict[str, str] = {}
    plain, stream = _file(folder, "records.jsonl"), _file(folder, "stream.jsonl")
    if plain is not None:
        records = list(reader.read(plain))
    elif stream is not None:
        records = list(_streamed(folder, stream, reader.deliveries, names))
    else:
        text = "the folder holds neither records.jsonl nor stream.jsonl"
        raise Misconfigured([Problem(str(folder), 0, 0, text, "nothing was trained")])
    told = _told(truth, names)
    kept = _of_records(told, {record.id for record in records})
    if told.incident and not kept.incident:
        text = f'none of its {len(told.incident)} events is the id of a record, "{next(iter(told.incident))}" for one'
        raise Misconfigured([Problem(str(truth), 0, 0, text, "nothing was trained")])
    return Storm(name or folder.name, records, kept, len(told.incident) - len(kept.incident))


def _of_records(truth: Truth, known: set[str]) -> Truth:
    """What is told of these records: an incident of which none is there would count as one that was never found."""
    incident = {record: name for record, name in truth.incident.items() if record in known}
    there = set(incident.values())
    roots = {name: found for name, found in truth.roots.items() if name in there}
    return replace(truth, incident=incident, roots=roots)


def parted(storm: Storm, parts: int) -> list[Storm]:
    """The storm's incidents in so many parts by time, as storms of the same records; fewer where there are fewer.

    Noise goes with the part in whose time it came. In none of them everything is known.
    """
    place = {record.id: at for at, record in enumerate(storm.records) if isinstance(record, AlertRecord)}
    truth = storm.truth
    first: dict[str, int] = {}
    for record, name in truth.incident.items():
        if name is not None:
            first[name] = min(place.get(record, 0), first.get(name, len(place)))
    names = sorted(first, key=lambda name: (first[name], name))
    count = min(parts, len(names))
    if count < 2:
        return [storm]
    starts = [first[names[len(names) * at // count]] for at in range(count)]
    starts[0] = 0
    of = {name: at for at in range(count) for name in names[len(names) * at // count :]}
    found = []
    for at in range(count):
        mine = {
            record: name
            for record, name in truth.incident.items()
            if (bisect_right(starts, place.get(record, 0)) - 1 if name is None else of[name]) == at
        }
        roots = {name: truth.roots[name] for name in names if of[name] == at}
        part = replace(truth, incident=mine, roots=roots, whole=False)
        found.append(Storm(f"{storm.name}, part {at + 1}", storm.records, part))
    return found


def _told(path: Path, names: dict[str, str]) -> Truth:
    """``names``: by event, the id of its record, where that is another."""
    incident: dict[str, str | None] = {}
    alerts: dict[str, str] = {}
    roots: dict[str, frozenset[str]] = {}
    for number, row in _rows(path):
        try:
            if row.get("kind") == "event":
                event = _named(row, "event_id")
                record = names.get(event, event)
                incident[record] = None if row["incident_id"] is None else _named(row, "incident_id")
                if row.get("alert_id") is not None:
                    alerts[record] = _named(row, "alert_id")
            elif row.get("kind") == "incident":
                roots[_named(row, "incident_id")] = _causes(row)
        except KeyError as error:
            raise _bad(path, number, f"a line of kind {row['kind']} needs {error}") from error
        except ValueError as error:
            raise _bad(path, number, str(error)) from error
    for name in incident.values():
        if name is not None:
            roots.setdefault(name, frozenset())
    return Truth(incident, roots, alerts=alerts)


def _named(row: Row, key: str) -> str:
    """The name or number under a key. Raises KeyError where there is none, ValueError where it is something else."""
    value = row[key]
    if isinstance(value, bool) or not isinstance(value, (str, int)) or value == "":
        raise ValueError(f"{key}: expected a name, found {json.dumps(value)[:100]}")
    return str(value)


def _causes(row: Row) -> frozenset[str]:
    """The entities that caused an incident; none where nobody knows."""
    found = row.get("root_nodes") or ([row["root_node"]] if row.get("root_node") else [])
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        key = "root_nodes" if row.get("root_nodes") else "root_node"
        expected = "a list of entities" if key == "root_nodes" else "an entity"
        raise ValueError(f"{key}: expected {expected}, found {json.dumps(row[key])[:100]}")
    return frozenset(found)


def _streamed(folder: Path, stream: Path, deliveries: Deliveries | None, names: dict[str, str]) -> Iterator[AnyRecord]:
    """The records of envelopes, those of the topology before them."""
    if deliveries is None:
        raise Misconfigured([Problem(str(stream), 0, 0, "no connectors were given to decode deliveries")])
    topology = _file(folder, "topology.json")
    for number, row in _rows(stream):
        try:
            at = _moment(row["t"])
            path = "/in/" + str(row["to"]).rsplit("/", 1)[-1]
            events = row["event_ids"]
            if number == 1 and topology is not None:
                body = json.loads(_read(topology))
                yield from deliveries.decode(
                    DeliveryRecord(at=at, id="topology", path="/in/topology", body=body)
                ).records
            delivery = DeliveryRecord(at=at, id=str(number), path=path, body=row["body"])
            decoded = deliveries.decode(delivery).records
            for event, record in zip(events, decoded, strict=True):
                names[event] = record.id
        except KeyError as error:
            raise _bad(stream, number, f"an envelope needs {error}") from error
        except (ValueError, TypeError, BadPayload) as error:
            raise _bad(stream, number, str(error)) from error
        yield from decoded


def _moment(text: str) -> float:
    at = parse_time(text)
    if at is None:
        raise ValueError(f't: "{text}" says that no time is set')
    return at


def _rows(path: Path) -> Iterator[tuple[int, Row]]:
    for number, line in enumerate(_read(path).splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise _bad(path, number, f"not JSON: {error}") from error
        if not isinstance(row, dict):
            raise _bad(path, number, "expected one JSON object a line")
        yield number, row


def _read(path: Path) -> bytes:
    try:
        return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise Misconfigured([Problem(str(path), 0, 0, f"cannot be read: {error}", "nothing was trained")]) from error


def _file(folder: Path, name: str) -> Path | None:
    return next((path for path in (folder / name, folder / f"{name}.gz") if path.is_file()), None)


def _bad(path: Path, number: int, message: str) -> Misconfigured:
    return Misconfigured([Problem(str(path), number, 1, message, "nothing was trained")])
