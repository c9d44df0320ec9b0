"""Data points that are read by their place say what the published classes say, and what is damaged is refused."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from google.protobuf.message import DecodeError
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from opentelemetry.proto.metrics.v1.metrics_pb2 import HistogramDataPoint, NumberDataPoint

from quell.errors import BadPayload
from quell_connectors.otlp import layout
from quell_connectors.otlp.binary import Binary

TIMES = st.integers(0, 2**64 - 1)
TEXTS = st.one_of(st.sampled_from(["", "a", "Y" + "." * 8 + "a" + "." * 8, "@\x01", "x" * 200]), st.text(max_size=20))
FLOATS = st.floats(allow_nan=False)


@st.composite
def numbers(draw: st.DrawFn) -> NumberDataPoint:
    point = NumberDataPoint(start_time_unix_nano=draw(TIMES), time_unix_nano=draw(TIMES), flags=draw(st.integers(0, 2)))
    kind = draw(st.sampled_from(["as_double", "as_int", ""]))
    if kind:
        setattr(point, kind, draw(FLOATS if kind == "as_double" else st.integers(-(2**63), 2**63 - 1)))
    _more(draw, point)
    return point


@st.composite
def histograms(draw: st.DrawFn) -> HistogramDataPoint:
    point = HistogramDataPoint(
        start_time_unix_nano=draw(TIMES), time_unix_nano=draw(TIMES), flags=draw(st.integers(0, 2)),
        count=draw(TIMES), bucket_counts=draw(st.lists(TIMES, max_size=20)),
        explicit_bounds=draw(st.lists(FLOATS, max_size=20)),
    )  # fmt: skip
    for name in ("sum", "min", "max"):
        if draw(st.booleans()):
            setattr(point, name, draw(FLOATS))
    _more(draw, point)
    return point


def _more(draw: st.DrawFn, point: Any) -> None:
    for name, value in draw(st.dictionaries(TEXTS, st.one_of(TEXTS, st.integers(-9, 9)), max_size=4)).items():
        pair = point.attributes.add(key=name)
        if isinstance(value, int):
            pair.value.int_value = value
        else:
            pair.value.string_value = value
    for size in draw(st.lists(st.integers(0, 300), max_size=2)):
        point.exemplars.add(time_unix_nano=1, as_double=2.0, span_id=b"8" * 8).filtered_attributes.add(key="k" * size)


def told(point: Any) -> list[tuple[str, Any]]:
    return [
        (pair.key, pair.value.int_value if pair.value.HasField("int_value") else pair.value.string_value[:256])
        for pair in point.attributes
    ]


def read(encoding: Binary, unread: Any) -> list[tuple[str, Any]]:
    return [(name, value[:256] if isinstance(value, str) else value) for name, value in encoding.read(unread)]


def as_number(encoding: Binary, raw: bytes) -> list[Any]:
    unread, since, at, value, flags = encoding.number(raw)
    return [read(encoding, unread), since, at, value, flags]


def as_histogram(encoding: Binary, raw: bytes) -> list[Any]:
    unread, since, at, count, total, counts, bounds, low, high, flags = encoding.histogram(raw)
    return [read(encoding, unread), since, at, count, total, list(counts), list(bounds), low, high, flags]


def number_as_published(raw: bytes) -> list[Any]:
    point = NumberDataPoint.FromString(raw)
    kind = point.WhichOneof("value")
    value = getattr(point, kind) if kind else None
    return [told(point), point.start_time_unix_nano, point.time_unix_nano, value, point.flags]


def histogram_as_published(raw: bytes) -> list[Any]:
    point = HistogramDataPoint.FromString(raw)
    total, low, high = (getattr(point, name) if point.HasField(name) else None for name in ("sum", "min", "max"))
    return [
        told(point), point.start_time_unix_nano, point.time_unix_nano, point.count, total, list(point.bucket_counts),
        list(point.explicit_bounds), low, high, point.flags,
    ]  # fmt: skip


@given(point=numbers())
@settings(max_examples=50, deadline=None)
def test_numbers_are_read_as_published(point: NumberDataPoint) -> None:
    raw, encoding = point.SerializeToString(), Binary()
    assert as_number(encoding, raw) == number_as_published(raw) == as_number(encoding, raw)


@given(point=histograms())
@settings(max_examples=50, deadline=None)
def test_histograms_are_read_as_published(point: HistogramDataPoint) -> None:
    raw, encoding = point.SerializeToString(), Binary()
    assert as_histogram(encoding, raw) == histogram_as_published(raw) == as_histogram(encoding, raw)


@given(point=st.one_of(numbers(), histograms()), data=st.data())
@settings(max_examples=80, deadline=None)
def test_what_is_damaged_is_refused_or_read_as_published(
    point: NumberDataPoint | HistogramDataPoint, data: st.DataObject
) -> None:
    raw, encoding = bytearray(point.SerializeToString()), Binary()
    if raw and data.draw(st.booleans()):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    else:
        raw = raw[: data.draw(st.integers(0, len(raw)))]
    number = isinstance(point, NumberDataPoint)
    if number:
        with suppress(BadPayload):
            assert repr(as_number(encoding, bytes(raw))) == repr(_published(number_as_published, bytes(raw)))
    else:
        with suppress(BadPayload):
            assert repr(as_histogram(encoding, bytes(raw))) == repr(_published(histogram_as_published, bytes(raw)))


def _published(how: Any, raw: bytes) -> Any:
    """What the published classes say; they also look into what is not read here, and may refuse it."""
    try:
        return how(raw)
    except (DecodeError, UnicodeDecodeError):
        reject()


def test_what_exporters_send_is_read_by_its_place() -> None:
    number = NumberDataPoint(start_time_unix_nano=1, time_unix_nano=2, as_int=-3)
    number.attributes.add(key="a").value.string_value = "b"
    number.exemplars.add(time_unix_nano=2, as_int=1)
    found = layout.number(number.SerializeToString())
    assert found is not None
    assert found[1:] == (1, 2, -3, 0)
    point = HistogramDataPoint(
        start_time_unix_nano=1, time_unix_nano=2, count=3, sum=4.5, bucket_counts=[1, 2], explicit_bounds=[0.5],
        min=0.25, max=9.0,
    )  # fmt: skip
    point.attributes.add(key="a").value.string_value = "b"
    seen = layout.histogram(point.SerializeToString())
    assert seen is not None
    assert seen[1:] == (1, 2, 3, 4.5, (1, 2), (0.5,), 0.25, 9.0, 0)


def test_points_without_attributes_or_with_more_than_expected_are_read_the_long_way() -> None:
    assert layout.number(b"") is None
    assert layout.number(NumberDataPoint(time_unix_nano=2).SerializeToString()) is None
    assert layout.histogram(HistogramDataPoint(count=1).SerializeToString()) is None
    flagged = NumberDataPoint(time_unix_nano=2, as_double=0.0, flags=1)
    assert Binary().number(flagged.SerializeToString()) == ((), 0, 2, 0.0, 1)
