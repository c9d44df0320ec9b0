"""What a scenario feeds, as records: labels, changes, samples and logs in short, or any record in full."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import isfinite
from typing import Any, get_args

import msgspec

from quell.config.complaints import did_you_mean
from quell.config.fields import duration
from quell.config.nodes import Document, Path
from quell.config.scenario import Fed
from quell.config.test_series import values_of
from quell.config.test_shapes import FedShape
from quell.errors import Problem
from quell.model.distribution import Tally, record_of
from quell.model.mismatch import place_and_reason
from quell.model.playbook import Place
from quell.model.records import AlertRecord, AnyRecord, ChangeRecord, DistributionRecord, LogRecord, SampleRecord
from quell.model.times import parse_time
from quell.model.wire import TIME_FIELDS

_KINDS: Mapping[str, type[AnyRecord]] = {str(cls.__struct_config__.tag): cls for cls in get_args(AnyRecord)}
_SHORT: Mapping[str, type[AnyRecord]] = {"change": ChangeRecord, "sample": SampleRecord, "log": LogRecord}
_SERIES = frozenset({"service", "entity", "metric", "log", "severity", "field", "segment", "version", "values"})
_OWN = frozenset({"at", "seen", "id", "source"})


class _Unfit(ValueError):
    """What is wrong with a record, and at which of its keys ("" is the whole)."""

    def __init__(self, key: str, message: str, suggestion: str = "") -> None:
        self.key, self.suggestion = key, suggestion
        super().__init__(message)


def entity_of(name: str) -> str:
    """``kind/name``; a name without a kind is a service."""
    return name if "/" in name else f"service/{name}"


def fed_by(document: Document, path: Path, shape: FedShape, clock: float, problems: list[Problem]) -> Iterator[Fed]:
    """The records that one entry of a feed stands for; one that cannot be made is a problem."""
    place = Place(file=document.file, line=document.line(path))
    if shape.series is not None:
        try:
            for record in _series(shape.series, shape, clock + shape.at, "-".join(map(str, path))):
                yield Fed(record.at, record, place)
        except _Unfit as error:
            where: Path = (*path, "series", *([error.key] if error.key in shape.series else []))
            problems.append(document.problem(where, str(error), error.suggestion))
        return
    for number in range(shape.times):
        at = clock + shape.at + number * (shape.every or 0.0)
        name = f"{'-'.join(map(str, path))}-{number}"
        try:
            for record in _records(shape, clock, at, name):
                yield Fed(record.at, record, place)
        except _Unfit as error:
            key = next(key for key in ("alert", *_SHORT, "record") if getattr(shape, key) is not None)
            inner: Path = (*path, key, *([error.key] if error.key else []))
            problems.append(document.problem(inner, str(error), error.suggestion))
            return


def _records(shape: FedShape, clock: float, at: float, name: str) -> Iterator[AnyRecord]:
    if shape.alert is not None:
        firing = AlertRecord(
            at=at,
            source=shape.source,
            id=name,
            status="firing",
            labels=shape.alert,
            annotations=shape.annotations,
            starts_at=at,
            value=shape.value,
            threshold=shape.threshold,
        )
        yield firing
        if shape.for_ is not None:
            over = at + shape.for_
            yield msgspec.structs.replace(firing, at=over, id=f"{name}-over", status="resolved", ends_at=over)
        return
    if shape.record is not None:
        yield _whole(shape.record, clock, {"at": at, "source": shape.source, "id": name})
        return
    for key, cls in _SHORT.items():
        told = getattr(shape, key)
        if told is not None:
            yield _short(cls, told, clock, {"at": at, "source": shape.source, "id": name})


def _series(told: Mapping[str, Any], shape: FedShape, start: float, name: str) -> Iterator[AnyRecord]:
    """One record for each value, at the time of it."""
    for key in told.keys() - _SERIES:
        raise _Unfit(key, f'unknown key "{key}"', did_you_mean(key, _SERIES))
    texts = {key: value for key, value in told.items() if isinstance(value, str)}
    entity = texts.get("entity") or texts.get("service")
    metric, log, field = texts.get("metric"), texts.get("log"), texts.get("field")
    if not entity or sum(one is not None for one in (metric, log, field)) != 1:
        raise _Unfit("", "a series needs service (or entity), one of metric, log and field, and values")
    try:
        values = values_of(str(told.get("values", "")))
    except ValueError as error:
        raise _Unfit("values", str(error)) from None
    if field is not None:
        yield _counted(values, texts, entity, start, source=shape.source, name=name)
        return
    for number, value in enumerate(values):
        at, ours = start + number * (shape.every or 60.0), f"{name}-{number}"
        if value is None:
            continue
        if metric is not None:
            yield SampleRecord(
                at=at, source=shape.source, id=ours, entity=entity_of(entity), metric=metric, value=value
            )
        elif isfinite(value) and value > 0 and log is not None:
            yield LogRecord(
                at=at,
                source=shape.source,
                id=ours,
                entity=entity_of(entity),
                severity=texts.get("severity", ""),
                template=log,
                count=int(value),
                over_s=shape.every or 60.0,
            )


def _counted(
    values: Iterable[float | None], texts: Mapping[str, str], entity: str, at: float, *, source: str, name: str
) -> DistributionRecord:
    """All values at once, as counts of a field; None is missing."""
    tally = Tally("number")
    for value in values:
        tally.add(value)
    return record_of(
        tally.told(),
        at=at,
        source=source,
        id=name,
        entity=entity_of(entity),
        field=texts["field"],
        segment=texts.get("segment", ""),
        version=texts.get("version", ""),
    )


def _whole(told: Mapping[str, Any], clock: float, common: Mapping[str, Any]) -> AnyRecord:
    kind = told.get("kind")
    cls = _KINDS.get(kind) if isinstance(kind, str) else None
    if cls is None:
        raise _Unfit("kind" if kind else "", f'unknown kind of record "{kind}"', did_you_mean(str(kind), _KINDS))
    fields = {**common, **{key: value for key, value in told.items() if key != "kind"}}
    fields["at"] = told.get("at", f"{common['at'] - clock}s")
    for key in TIME_FIELDS & fields.keys():
        fields[key] = _moment(key, fields[key], clock)
    return _converted(cls, fields)


def _short(cls: type[AnyRecord], told: Mapping[str, Any], clock: float, common: Mapping[str, Any]) -> AnyRecord:
    known = set(cls.__struct_fields__) - _OWN
    fields: dict[str, Any] = dict(common)
    labels: dict[str, str] = {}
    for key, value in told.items():
        if key == "service":
            fields["entity"] = entity_of(str(value))
            labels["service"] = str(value)
        elif key == "entity":
            fields["entity"] = entity_of(str(value))
        elif key == "kind" and cls is ChangeRecord:
            fields["type"] = value
        elif key == "points" and isinstance(value, dict):
            fields["points"] = [(_moment(key, since, clock), number) for since, number in value.items()]
        elif key in known:
            fields[key] = value
        elif cls is ChangeRecord and isinstance(value, str):
            labels[key] = value
        else:
            names = sorted({*known, "service", *(["kind"] if cls is ChangeRecord else [])})
            raise _Unfit(key, f'unknown key "{key}"', did_you_mean(key, names))
    if cls is ChangeRecord:
        fields["labels"] = {**labels, **fields.get("labels", {})}
    return _converted(cls, fields)


def _moment(key: str, value: Any, clock: float) -> float:
    """Seconds of Unix time for a duration after the clock, or for a time."""
    try:
        return clock + duration(value)
    except ValueError:
        pass
    try:
        moment = parse_time(value) if isinstance(value, str) else None
    except ValueError:
        moment = None
    if moment is None:
        raise _Unfit(key, f'"{value}" is not a time', "write a duration after the clock, such as 5m")
    return moment


def _converted(cls: type[AnyRecord], fields: Mapping[str, Any]) -> AnyRecord:
    try:
        return msgspec.convert(fields, cls)
    except msgspec.ValidationError as error:
        place, reason = place_and_reason(error, fields)
        key = place.partition(".")[0].partition("[")[0]
        said = {"type": "kind"}.get(key, key)
        raise _Unfit(said if said in {"kind", *fields} else "", f"{place or 'this'}: {reason}") from error
