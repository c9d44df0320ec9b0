"""The records format: every kind is read, what cannot be read is named and left out."""

import gzip
import json

import pytest

from quell.errors import Misconfigured
from quell.model import records as kinds
from quell.replay.reader import Reader, decode_record, read_records

AT = "2026-03-02T06:00:00Z"
T0 = 1772431200.0

EVERY_KIND = [
    ({"kind": "alert", "status": "firing", "labels": {"alertname": "Down"}, "starts_at": AT}, kinds.AlertRecord),
    (
        {"kind": "change", "type": "deploy", "entity": "service/cart", "revision": "v2", "files": ["a.py"]},
        kinds.ChangeRecord,
    ),
    ({"kind": "sample", "entity": "service/cart", "metric": "errors", "points": [[AT, 0.5]]}, kinds.SampleRecord),
    ({"kind": "log", "entity": "service/cart", "template": "timeout <*>", "count": 7, "over_s": 60}, kinds.LogRecord),
    ({"kind": "span", "trace": "t", "span": "s", "entity": "service/cart", "duration_s": 0.1}, kinds.SpanRecord),
    ({"kind": "entity", "entity": "service/cart", "labels": {"team": "shop"}, "tier": 1}, kinds.EntityRecord),
    ({"kind": "dependency", "from": "service/web", "to": "service/cart", "type": "calls"}, kinds.DependencyRecord),
    ({"kind": "incident", "status": "open", "title": "Card network", "entity": "service/pay"}, kinds.IncidentRecord),
    ({"kind": "feedback", "verdict": "right_cause", "incident": "INC-1", "by": "ana"}, kinds.FeedbackRecord),
    ({"kind": "command", "verb": "ack", "target": "INC-1", "by": "ana"}, kinds.CommandRecord),
    ({"kind": "step_finished", "key": "R/1/1", "outcome": "done"}, kinds.StepFinished),
    ({"kind": "tick"}, kinds.Tick),
]


def written(path, lines):
    path.write_text("".join(f"{json.dumps(line)}\n" if isinstance(line, dict) else f"{line}\n" for line in lines))
    return path


@pytest.mark.parametrize(("raw", "cls"), EVERY_KIND, ids=[raw["kind"] for raw, _ in EVERY_KIND])
def test_every_kind_is_read(raw, cls):
    record = decode_record(json.dumps({"at": AT, "seen": "2026-03-02T06:00:05.5Z", "source": "test", **raw}).encode())
    assert type(record) is cls
    assert (record.at, record.seen, record.source) == (T0, T0 + 5.5, "test")


def test_times_inside_a_sample_and_a_silence_are_seconds_too():
    sample = decode_record(json.dumps({"at": AT, **EVERY_KIND[2][0]}).encode())
    assert sample.points == [(T0, 0.5)]
    silence = {"id": "S", "starts_at": AT, "ends_at": "2026-03-02T07:00:00Z", "matchers": []}
    command = decode_record(
        json.dumps({"kind": "command", "at": AT, "verb": "silence", "args": {"silence": silence}}).encode()
    )
    assert command.args["silence"]["ends_at"] == T0 + 3600


def test_fields_that_are_not_ours_are_ignored():
    assert decode_record(json.dumps({"kind": "tick", "at": AT, "weather": "fine"}).encode()).at == T0


def test_a_year_1_time_is_not_set():
    raw = {"kind": "alert", "at": AT, "status": "firing", "labels": {}, "ends_at": "0001-01-01T00:00:00Z"}
    assert decode_record(json.dumps(raw).encode()).ends_at is None


def test_null_is_as_good_as_left_out():
    raw = {"kind": "span", "at": AT, "trace": "t", "span": "s", "parent": None, "entity": None}
    record = decode_record(json.dumps(raw).encode())
    assert (record.parent, record.entity) == ("", "")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "not JSON"),
        ("[1]", "expected one JSON object a line, got a list"),
        ("null", "expected one JSON object a line, got null"),
        ("[" * 100_000, "nested too deep"),
        ('{"at": "2026-03-02T06:00:00Z"}', 'no "kind"; expected one of alert, change'),
        ('{"kind": "alrt"}', 'unknown kind "alrt"; did you mean "alert"?'),
        ('{"kind": ["alert"]}', "unknown kind"),
        ('{"kind": "tick"}', "missing required field `at`"),
        ('{"kind": "tick", "at": "yesterday"}', "at: "),
        (
            '{"kind": "tick", "at": "0001-01-01T00:00:00Z"}',
            'at: "0001-01-01T00:00:00Z" says that no time is set; write',
        ),
        ('{"kind": "tick", "at": null}', "missing required field `at`"),
        ('{"kind": "tick", "at": "2026-03-02T06:00:00"}', "has no time zone"),
        ('{"kind": "tick", "at": 1e300}', "at: 1e+300 is not a time"),
        ('{"kind": "tick", "at": -5}', "is not a time"),
        (
            '{"kind": "alert", "at": "2026-03-02T06:00:00Z", "status": "burning", "labels": {}}',
            'status: "burning" is not known; expected one of firing, resolved',
        ),
        (
            '{"kind": "alert", "at": "2026-03-02T06:00:00Z", "status": "firing", "labels": {"a": 1}}',
            "labels.a: expected text, got a number",
        ),
        ('{"kind": "sample", "at": "2026-03-02T06:00:00Z", "entity": "a/b", "metric": "m", "points": [1]}', "points"),
        ('{"kind": "command", "at": "2026-03-02T06:00:00Z", "verb": "ack", "args": 7}', "args: expected an object"),
        ('{"kind": "delivery", "at": "2026-03-02T06:00:00Z", "path": "/in/x"}', "no connectors were given"),
    ],
)
def test_a_bad_line_is_a_problem_and_the_rest_is_read(tmp_path, line, message):
    path = written(tmp_path / "in.jsonl", [{"kind": "tick", "at": AT}, line, {"kind": "tick", "at": AT}])
    reader = Reader()
    assert len(list(reader.read(path))) == 2
    (problem,) = reader.problems
    assert (problem.file, problem.line) == (str(path), 2)
    assert message in problem.message
    assert problem.suggestion == "the line was left out"


def test_invalid_utf8_is_a_problem(tmp_path):
    path = tmp_path / "in.jsonl"
    path.write_bytes(b'{"kind": "tick", "at": "\xff\xfe"}\n{"kind": "tick", "at": 5}\n')
    reader = Reader()
    assert [record.at for record in reader.read(path)] == [5.0]
    assert reader.problems[0].line == 1


def test_strict_stops_at_the_first_bad_line(tmp_path):
    path = written(tmp_path / "in.jsonl", ["nonsense"])
    with pytest.raises(Misconfigured, match="nothing was replayed"):
        list(read_records(path))


def test_a_file_that_is_not_there_says_so(tmp_path):
    with pytest.raises(Misconfigured, match="No such file"):
        list(read_records(tmp_path / "absent.jsonl"))


def test_gzip_and_byte_order_mark_and_empty_lines(tmp_path):
    path = tmp_path / "in.jsonl.gz"
    path.write_bytes(gzip.compress(b'\xef\xbb\xbf{"kind": "tick", "at": 5}\n\n  \n{"kind": "tick", "at": 6}'))
    assert [record.at for record in read_records(path)] == [5.0, 6.0]


def test_a_line_that_is_not_utf8_names_the_byte():
    with pytest.raises(ValueError, match="not UTF-8: byte 10 cannot be read"):
        decode_record(b'{"kind": "\xff"}')


def test_a_damaged_gzip_gives_what_could_be_read(tmp_path):
    path = tmp_path / "in.jsonl.gz"
    whole = gzip.compress(b"".join(b'{"kind": "tick", "at": %d}\n' % n for n in range(20_000)))
    path.write_bytes(whole[: len(whole) // 2])
    reader = Reader()
    assert len(list(reader.read(path))) > 100
    assert "ends early or is damaged" in reader.problems[0].message


def test_an_alert_without_id_is_named_by_its_line(tmp_path):
    alert = {"kind": "alert", "at": AT, "status": "firing", "labels": {}}
    path = written(tmp_path / "in.jsonl", ["", alert, {**alert, "id": "mine"}])
    assert [record.id for record in read_records(path)] == ["2", "mine"]


def test_several_files_are_merged_by_arrival(tmp_path):
    first = written(tmp_path / "a.jsonl", [{"kind": "tick", "at": n, "id": f"a{n}"} for n in (1, 5, 3, 9)])
    second = written(tmp_path / "b.jsonl", [{"kind": "tick", "at": n, "id": f"b{n}"} for n in (1, 4, 7)])
    # a3 steps back: it arrived with a5, so it stays behind a5
    assert [record.id for record in Reader().read_all([first, second])] == ["a1", "b1", "b4", "a5", "a3", "b7", "a9"]
