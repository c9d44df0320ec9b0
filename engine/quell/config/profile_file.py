"""The files of reference profiles: JSON with one field of the data a line, versioned, and sealed by a hash.

`quell profile` writes them. A profile is data and not opinion, so nobody edits one: a file whose hash is not that of
what it says is refused, as is one of a format that this version does not know.
"""

from __future__ import annotations

import re
from itertools import pairwise
from math import inf, isfinite
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from quell.errors import Problem
from quell.model.distribution import Distribution
from quell.model.mismatch import place_and_reason
from quell.model.playbook import Place
from quell.model.profile import FORMAT, PerDay, Profile, ProfiledField, hash_of
from quell.model.records import ValueType
from quell.model.sketch import EMPTY, FINEST, MOST, Sketch, fitted
from quell.model.times import format_time, parse_time

MOST_BYTES = 32_000_000
MOST_FIELDS = 5_000
_AGAIN = 'make it again with "quell profile"'
_ENTITY = re.compile(r"[^\s/]+/\S+")
_LEAST_SCALE = -10
Count = Annotated[int, Meta(ge=0)]
Bucket = tuple[int, Annotated[int, Meta(gt=0)]]


class NumbersShape(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Numbers in an exponential histogram: bucket i of ``positive`` holds values above 2^(i / 2^scale)."""

    scale: Annotated[int, Meta(ge=_LEAST_SCALE, le=FINEST, description="How fine: buckets grow by 2^(2^-scale).")]
    zero: Annotated[Count, Meta(description="How many are 0.")] = 0
    positive: Annotated[list[Bucket], Meta(description="(index, count), ascending.")] = []
    negative: Annotated[list[Bucket], Meta(description="The same of numbers below 0, their sign turned.")] = []
    low: Annotated[float | None, Meta(description="The least number.")] = None
    high: Annotated[float | None, Meta(description="The largest number.")] = None
    total: Annotated[float, Meta(description="The sum.")] = 0.0


class FieldShape(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """One field (column, feature, score) of the data."""

    name: Annotated[str, Meta(min_length=1)]
    type: Annotated[ValueType, Meta(description="What its values are; times are seconds since 1970.")]
    count: Annotated[Count, Meta(description="All values, those missing and bad among them.")]
    nulls: Annotated[Count, Meta(description="How many are missing.")] = 0
    bad: Annotated[Count, Meta(description="How many are no values of the type.")] = 0
    numbers: NumbersShape | None = None
    categories: Annotated[dict[str, Count], Meta(description="Texts and how often each occurs.")] = {}
    other: Annotated[Count, Meta(description="How many texts are not listed.")] = 0
    hashed: Annotated[bool, Meta(description="Texts are counted by buckets of their hash.")] = False
    bins: Annotated[list[float], Meta(description="Upper edges of the bins in which numbers are compared.")] = []


class PerDayShape(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """How many rows whole days have (UTC)."""

    days: Annotated[int, Meta(gt=0)]
    mean: Annotated[float, Meta(ge=0)]
    least: Count
    most: Count


class ProfileShape(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """What a dataset, a feature or a model's scores were like when all was well."""

    format: Annotated[str, Meta(description=f"quell-profile/{FORMAT}")]
    entity: Annotated[str, Meta(description="Whose: dataset/payments, model/fraud, …")]
    version: Annotated[str, Meta(min_length=1, description="Of the dataset or model.")]
    rows: Annotated[Count, Meta(description="How many were looked at.")]
    hash: Annotated[str, Meta(description="SHA-256 of all else that it says.")]
    fields: list[FieldShape]
    created_at: Annotated[str, Meta(description="When it was made, RFC 3339.")] = ""
    author: Annotated[str, Meta(description="Who made it.")] = ""
    source: Annotated[str, Meta(description="Of what file.")] = ""
    time: Annotated[str, Meta(description="The field that says when a row came about.")] = ""
    per_day: PerDayShape | None = None


def read_profile(name: str, data: bytes, problems: list[Problem], place: Place) -> Profile | None:
    """The profile in a file; None, and what is wrong with it added to ``problems``, if it cannot be used."""
    if len(data) > MOST_BYTES:
        message = f"a profile has {MOST_BYTES // 1_000_000} MB at most; leave out fields with --without"
        problems.append(Problem(name, 0, 0, message))
        return None
    raw: Any = None
    try:
        raw = msgspec.json.decode(data)
        format_ = raw.get("format") if isinstance(raw, dict) else None
        if format_ != f"quell-profile/{FORMAT}":
            problems.append(Problem(name, 0, 0, *_of_another_format(format_)))
            return None
        shape = msgspec.convert(raw, ProfileShape)
    except msgspec.ValidationError as error:
        field, reason = place_and_reason(error, raw)
        problems.append(Problem(name, 0, 0, f"{field}: {reason}" if field else reason, _AGAIN))
        return None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        problems.append(Problem(name, 0, 0, f"not JSON: {error}", _AGAIN))
        return None
    found = [*_faults(shape)]
    if found:
        problems.extend(Problem(name, 0, 0, fault, _AGAIN) for fault in found)
        return None
    profile = _profile(shape)
    if hash_of(profile) != shape.hash:
        message = "hash: what the file says is not what it was made with: somebody changed it, or it is damaged"
        problems.append(Problem(name, 0, 0, message, f"{_AGAIN}; profiles are not edited"))
        return None
    return msgspec.structs.replace(profile, hash=shape.hash, place=place)


def profile_text(profile: Profile) -> str:
    """The file of a profile, one field of the data a line."""
    head = {
        "format": f"quell-profile/{FORMAT}",
        "entity": profile.entity,
        "version": profile.version,
        "created_at": format_time(profile.created_at),
        "author": profile.author,
        "source": profile.source,
        "rows": profile.rows,
        "time": profile.time,
        "per_day": profile.per_day,
        "hash": hash_of(profile),
    }
    lines = [f"  {_json(key)}: {_json(value)}," for key, value in head.items() if value not in ("", None)]
    fields = ",\n".join(f"    {_json(_shape(field))}" for field in profile.fields)
    return "\n".join(["{", *lines, '  "fields": [', *([fields] if fields else []), "  ]", "}", ""])


def schema() -> dict[str, Any]:
    """The JSON Schema of the file."""
    (told,), parts = msgspec.json.schema_components([ProfileShape], ref_template="#/$defs/{name}")
    top = parts.pop(told["$ref"].rsplit("/", 1)[1])
    return {**top, "title": "A profile of quell", "$defs": parts}


def _of_another_format(told: Any) -> tuple[str, str]:
    if not isinstance(told, str):
        return f'format: missing; a profile begins with "format": "quell-profile/{FORMAT}"', _AGAIN
    family, _, number = told.partition("/")
    if family == "quell-profile" and number.isdigit() and int(number) > FORMAT:
        message = f'format: "{told}" was written by a newer version of quell; this one reads up to {FORMAT}'
        return message, f"update quell, or {_AGAIN} of this version"
    return f'format: "{told}" is not known, expected "quell-profile/{FORMAT}"', _AGAIN


def _faults(shape: ProfileShape) -> list[str]:
    """What a shape alone cannot tell."""
    found = []
    if not _ENTITY.fullmatch(shape.entity):
        found.append(f'entity: "{shape.entity}" is no entity; expected kind/name, such as dataset/payments')
    if len(shape.fields) > MOST_FIELDS:
        found.append(f"fields: {len(shape.fields)} are too many; {MOST_FIELDS} are the most")
    try:
        parse_time(shape.created_at) if shape.created_at else None
    except ValueError as error:
        found.append(f"created_at: {error}")
    names: set[str] = set()
    for at, field in enumerate(shape.fields):
        if field.name in names:
            found.append(f'fields[{at}].name: "{field.name}" is there twice')
        names.add(field.name)
        found += [f"fields[{at}].{fault}" for fault in _field_faults(field)]
    if shape.time and shape.time not in names:
        found.append(f'time: there is no field "{shape.time}"')
    return found


def _field_faults(field: FieldShape) -> list[str]:
    found = []
    for name, buckets in _buckets(field.numbers):
        indices = [index for index, _ in buckets]
        if len(buckets) > MOST:
            found.append(f"numbers.{name}: {len(buckets)} buckets are too many; {MOST} are the most")
        elif any(later <= earlier for earlier, later in pairwise(indices)):
            found.append(f"numbers.{name}: indices do not ascend")
    if not all(map(isfinite, field.bins)) or sorted(set(field.bins)) != field.bins:
        found.append("bins: edges do not ascend")
    return found


def _buckets(numbers: NumbersShape | None) -> tuple[tuple[str, list[Bucket]], ...]:
    return (("positive", numbers.positive), ("negative", numbers.negative)) if numbers is not None else ()


def _profile(shape: ProfileShape) -> Profile:
    per_day = shape.per_day
    return Profile(
        entity=shape.entity,
        version=shape.version,
        rows=shape.rows,
        created_at=(parse_time(shape.created_at) or 0.0) if shape.created_at else 0.0,
        author=shape.author,
        source=shape.source,
        time=shape.time,
        per_day=None if per_day is None else PerDay(**msgspec.structs.asdict(per_day)),
        fields=tuple(_field(field) for field in shape.fields),
    )


def _field(shape: FieldShape) -> ProfiledField:
    told = shape.numbers
    numbers = EMPTY
    if told is not None:
        numbers = Sketch(
            scale=told.scale, zero=told.zero, positive=tuple(told.positive), negative=tuple(told.negative),
            low=_finite(told.low), high=_finite(told.high), total=told.total,
        )  # fmt: skip
    values = Distribution(
        type=shape.type, count=shape.count, nulls=shape.nulls, bad=shape.bad, numbers=fitted(numbers, MOST),
        categories=shape.categories, other=shape.other, hashed=shape.hashed,
    )  # fmt: skip
    return ProfiledField(name=shape.name, values=values, bins=tuple(shape.bins))


def _finite(value: float | None) -> float | None:
    return value if value is not None and -inf < value < inf else None


def _shape(field: ProfiledField) -> FieldShape:
    told, numbers = field.values, field.values.numbers
    shape = None
    if numbers.count:
        shape = NumbersShape(
            scale=numbers.scale, zero=numbers.zero, positive=list(numbers.positive), negative=list(numbers.negative),
            low=numbers.low, high=numbers.high, total=numbers.total,
        )  # fmt: skip
    return FieldShape(
        name=field.name, type=told.type, count=told.count, nulls=told.nulls, bad=told.bad, numbers=shape,
        categories=told.categories, other=told.other, hashed=told.hashed, bins=list(field.bins),
    )  # fmt: skip


def _json(value: Any) -> str:
    return msgspec.json.encode(value, order="deterministic").decode()
