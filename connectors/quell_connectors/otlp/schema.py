"""What quell reads of OTLP's messages, declared once for both encodings; whatever is not listed is skipped.

A field is written ``[each | one of | maybe] name number [raw | unread] type``. Names and numbers are those of
opentelemetry-proto 1.x, which promises to keep them. ``raw`` messages stay bytes in protobuf until somebody asks what
they say, and what is ``unread`` stays text in JSON as well: most attributes repeat from one span or point to the next,
and most say nothing that is counted here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

ROOTS: Mapping[str, str] = {"traces": "Traces", "metrics": "Metrics", "logs": "Logs"}
"""The message of a request, by what it carries."""

MESSAGES: Mapping[str, str] = {
    "AnyValue": (
        "one of string_value 1 string; one of bool_value 2 bool; one of int_value 3 int64; "
        "one of double_value 4 double; one of array_value 5 ArrayValue; one of kvlist_value 6 KeyValueList; "
        "one of bytes_value 7 bytes"
    ),
    "KeyValue": "key 1 string; value 2 AnyValue",
    "ArrayValue": "each values 1 AnyValue",
    "KeyValueList": "each values 1 KeyValue",
    "Resource": "each attributes 1 raw KeyValue",
    "Status": "code 3 enum",
    "Event": "name 2 string; each attributes 3 raw KeyValue",
    "Span": (
        "trace_id 1 bytes; span_id 2 bytes; parent_span_id 4 bytes; name 5 string; kind 6 enum; "
        "start_time_unix_nano 7 fixed64; end_time_unix_nano 8 fixed64; each attributes 9 raw KeyValue; "
        "each events 11 raw Event; status 15 raw Status"
    ),
    "ScopeSpans": "each spans 2 Span",
    "ResourceSpans": "resource 1 raw Resource; each scope_spans 2 ScopeSpans",
    "Traces": "each resource_spans 1 ResourceSpans",
    "NumberDataPoint": (
        "start_time_unix_nano 2 fixed64; time_unix_nano 3 fixed64; one of as_double 4 double; "
        "one of as_int 6 sfixed64; each attributes 7 unread KeyValue; flags 8 uint32"
    ),
    "HistogramDataPoint": (
        "each attributes 9 unread KeyValue; start_time_unix_nano 2 fixed64; time_unix_nano 3 fixed64; count 4 fixed64; "
        "maybe sum 5 double; each bucket_counts 6 fixed64; each explicit_bounds 7 double; flags 10 uint32; "
        "maybe min 11 double; maybe max 12 double"
    ),
    "Buckets": "offset 1 sint32; each bucket_counts 2 uint64",
    "ExponentialHistogramDataPoint": (
        "each attributes 1 unread KeyValue; start_time_unix_nano 2 fixed64; time_unix_nano 3 fixed64; count 4 fixed64; "
        "maybe sum 5 double; scale 6 sint32; zero_count 7 fixed64; positive 8 Buckets; negative 9 Buckets; "
        "flags 10 uint32; maybe min 12 double; maybe max 13 double"
    ),
    "ValueAtQuantile": "quantile 1 double; value 2 double",
    "SummaryDataPoint": (
        "each attributes 7 unread KeyValue; start_time_unix_nano 2 fixed64; time_unix_nano 3 fixed64; count 4 fixed64; "
        "sum 5 double; each quantile_values 6 ValueAtQuantile; flags 8 uint32"
    ),
    "Gauge": "each data_points 1 raw NumberDataPoint",
    "Sum": "each data_points 1 raw NumberDataPoint; aggregation_temporality 2 enum; is_monotonic 3 bool",
    "Histogram": "each data_points 1 raw HistogramDataPoint; aggregation_temporality 2 enum",
    "ExponentialHistogram": "each data_points 1 ExponentialHistogramDataPoint; aggregation_temporality 2 enum",
    "Summary": "each data_points 1 SummaryDataPoint",
    "Metric": (
        "name 1 string; unit 3 string; one of gauge 5 Gauge; one of sum 7 Sum; one of histogram 9 Histogram; "
        "one of exponential_histogram 10 ExponentialHistogram; one of summary 11 Summary"
    ),
    "ScopeMetrics": "each metrics 2 Metric",
    "ResourceMetrics": "resource 1 raw Resource; each scope_metrics 2 ScopeMetrics",
    "Metrics": "each resource_metrics 1 ResourceMetrics",
    "LogRecord": (
        "time_unix_nano 1 fixed64; severity_number 2 enum; severity_text 3 string; body 5 AnyValue; "
        "each attributes 6 raw KeyValue; observed_time_unix_nano 11 fixed64; event_name 12 string"
    ),
    "ScopeLogs": "each log_records 2 LogRecord",
    "ResourceLogs": "resource 1 raw Resource; each scope_logs 2 ScopeLogs",
    "Logs": "each resource_logs 1 ResourceLogs",
}
"""The fields of each message; what a message holds stands before it, but for values within values."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field: ``each`` is a list, ``choice`` excludes the others so marked, ``maybe`` tells unset from nought.

    ``raw``: bytes in protobuf; ``unread``: that, and text in JSON.
    """

    name: str
    number: int
    type: str
    each: bool
    choice: bool
    maybe: bool
    raw: bool
    unread: bool


def fields_of(message: str) -> Iterator[Field]:
    """The fields of a message."""
    for text in MESSAGES[message].split("; "):
        each, choice, maybe = (text.startswith(word) for word in ("each ", "one of ", "maybe "))
        name, number, *kind = text.removeprefix("each ").removeprefix("one of ").removeprefix("maybe ").split(" ")
        yield Field(name, int(number), kind[-1], each, choice, maybe, kind[0] in {"raw", "unread"}, kind[0] == "unread")
