"""Lines of Alertmanager's event recorder, as protojson writes them: large numbers and enums as texts, no defaults."""

import json
import random

import pytest

from quell.model.records import AlertRecord, CommandRecord
from quell.model.rulebook import Rulebook
from quell.replay.alertmanager_events import recorded_event
from quell.replay.reader import Reader
from quell.replay.run import replay

START = "2026-03-01T10:00:00.123456789Z"
GROUP = {"groupKey": '{}:{alertname="A"}', "groupId": "ab12", "receiverName": "pager", "groupUuid": "u"}


def pairs(**labels):
    return {"labels": [{"key": name, "value": value} for name, value in sorted(labels.items())]}


def alert(name="HighErrors", *, resolved=False, ends="2026-03-01T10:04:00Z", service="web"):
    out = {
        "fingerprint": "9837219837219837219",
        "name": name,
        "labels": pairs(alertname=name, service=service, severity="critical"),
        "annotations": pairs(summary="it fails"),
        "startsAt": START,
        "endsAt": ends,
    }
    return {**out, "resolved": True} if resolved else out


def event(at, **data):
    return json.dumps({"@timestamp": at, "instance": "am-0", "data": data}).encode()


def read(line):
    return recorded_event(line, "7")


def test_a_new_alert_fires_from_its_start():
    (record,) = read(event("2026-03-01T10:00:05Z", alertCreated={"alert": alert()}))
    assert isinstance(record, AlertRecord)
    assert record.status == "firing"
    assert record.labels == {"alertname": "HighErrors", "service": "web", "severity": "critical"}
    assert record.annotations == {"summary": "it fails"}
    assert record.at == record.starts_at == 1_772_359_200.123456
    assert record.seen == 1_772_359_205.0
    assert record.ends_at is None
    assert record.id == "7#0"


def test_a_resolution_ends_it_when_it_says():
    grouped = {"hash": "1", "details": alert(resolved=True)}
    (record,) = read(event("2026-03-01T10:05:00Z", alertResolved={"alert": grouped, "groupInfo": GROUP}))
    assert (record.status, record.at, record.ends_at) == ("resolved", 1_772_359_440.0, 1_772_359_440.0)


def test_a_notification_holds_several():
    alerts = [{"hash": "1", "details": alert("A")}, {"hash": "2", "details": alert("B", resolved=True)}, {"hash": "3"}]
    told = read(
        event(
            "2026-03-01T10:05:00Z",
            notification={
                "alerts": alerts, "firingAlerts": [{"hash": "1"}], "resolvedAlerts": [{"hash": "2"}],
                "groupInfo": GROUP, "repeatInterval": "14400s", "reason": "NOTIFY_REASON_FIRST_NOTIFICATION",
                "flushId": "3", "integration": {"name": "pagerduty"},
            },
        )
    )  # fmt: skip
    assert [(one.labels["alertname"], one.status, one.id) for one in told] == [
        ("A", "firing", "7#0"), ("B", "resolved", "7#1"),
    ]  # fmt: skip


@pytest.mark.parametrize("kind", ["silenceCreated", "silenceUpdated"])
def test_a_silence_is_a_command(kind):
    term = {"type": "TYPE_NOT_REGEXP", "name": "env", "pattern": "prod.*", "rendered": 'env!~"prod.*"'}
    silence = {
        "id": "s-1", "matchers": [term], "matcherSets": [{"matchers": [term]}], "startsAt": "2026-03-01T10:00:00Z",
        "endsAt": "2026-03-01T12:00:00Z", "updatedAt": START, "createdBy": "ana", "comment": "known",
    }  # fmt: skip
    (record,) = read(event("2026-03-01T10:00:01Z", **{kind: {"silence": silence}}))
    assert isinstance(record, CommandRecord)
    assert (record.verb, record.target, record.by) == ("silence", "s-1", "ana")
    assert list(record.args["silence"]["matchers"]) == [
        {"name": "env", "value": "prod.*", "isRegex": True, "isEqual": False}
    ]
    assert record.args["silence"]["ends_at"] == 1_772_366_400.0


@pytest.mark.parametrize(
    "data",
    [
        {"alertmanagerStartupEvent": {"version": "0.33.0"}},
        {"alertmanagerShutdownEvent": {}},
        {"silenceMutedAlert": {"silence": {"id": "s"}, "mutedAlert": {"labels": pairs(a="b"), "fingerprint": "1"}}},
        {"inhibitionMutedAlert": {"inhibitRules": [], "mutedAlert": {}}},
        {"somethingNewer": {"alert": 7}},
        {},
    ],
)
def test_what_alertmanager_did_is_no_record(data):
    assert read(event("2026-03-01T10:00:00Z", **data)) == []


@pytest.mark.parametrize("line", [b'{"kind":"tick","at":1}', b'{"@timestamp": 1', b'{"@timestamp":"x","message":"hi"}'])
def test_other_lines_are_none(line):
    assert read(line) is None


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (event("soon", alertCreated={"alert": alert()}), "@timestamp: "),
        (event("0001-01-01T00:00:00Z"), "no time is set"),
        (event("2026-03-01T10:00:00Z", alertCreated={"alert": {"labels": 7}}), "Alertmanager's event: "),
        (event("2026-03-01T10:00:00Z", alertCreated={"alert": {**alert(), "startsAt": "x"}}), "startsAt: "),
        (
            event("2026-03-01T10:00:00Z", silenceCreated={"silence": {"id": "s", "matcherSets": [{}, {}]}}),
            "2 sets of matchers",
        ),
        (
            event("2026-03-01T10:00:00Z", silenceCreated={"silence": {"matchers": [{"name": "a", "type": "X"}]}}),
            '"X" is not known',
        ),
    ],
)
def test_what_is_wrong_is_said(line, said):
    with pytest.raises(ValueError, match=said):
        read(line)


def test_a_file_of_events_is_a_history(tmp_path):
    """As a cluster of two writes it: everything twice, and a line that is broken."""
    lines = []
    over = alert(resolved=True, ends="2026-03-01T10:44:00Z")
    for peer in range(2):
        lines += [
            event(f"2026-03-01T10:00:0{peer}Z", alertCreated={"alert": alert()}),
            event(f"2026-03-01T10:00:0{peer}Z", alertCreated={"alert": alert("SlowReplies", service="db")}),
            event(f"2026-03-01T10:30:0{peer}Z", notification={"alerts": [{"details": alert()}]}),
            event(f"2026-03-01T10:45:0{peer}Z", alertResolved={"alert": {"details": over}}),
        ]  # fmt: skip
    lines.sort()
    lines.insert(3, event("soon"))
    file = tmp_path / "events.jsonl"
    file.write_bytes(b"\n".join(lines) + b"\n")
    reader = Reader()
    outcome = replay(reader.read(file), Rulebook())
    assert [problem.line for problem in reader.problems] == [4]
    assert len({(one.fingerprint, one.episode) for one in outcome.alerts}) == 2
    assert len([one for one in outcome.incidents if one.incident.paged_at]) == 2


def test_nothing_makes_it_fail_in_another_way():
    chance = random.Random(3)
    line = event("2026-03-01T10:00:00Z", notification={"alerts": [{"details": alert()}]})
    for _ in range(2000):
        cut = bytearray(line)
        for _ in range(chance.randrange(1, 4)):
            cut[chance.randrange(len(cut))] = chance.randrange(256)
        try:
            read(bytes(cut))
        except ValueError:
            continue
