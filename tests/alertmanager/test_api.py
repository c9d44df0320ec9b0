"""What the differential test cannot ask a real Alertmanager: mutings of quell's own, limits, newer parameters."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quell.model.alert import Alert, Muting, fingerprint
from quell.model.mute import Matcher, Silence
from quell.model.times import format_time
from quell.sdk.connector import Context, Received, Request
from quell.sdk.testkit import NOW, FakeHttp, FakeView
from quell_connectors.alertmanager import Alertmanager, wire

JSON = {"content-type": "application/json"}


def ask(path: str, view: FakeView | None = None, body: Any = None, method: str = "", now: float = NOW) -> Received:
    connector = Alertmanager({"receiver": "on-call"}, Context(source="am", http=FakeHttp(), resolve_timeout_s=60.0))
    raw = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    bare, _, query = path.partition("?")
    pairs = [part.partition("=")[::2] for part in query.split("&") if part]
    request = Request(method or ("GET" if body is None else "POST"), f"/api/{bare}", raw, JSON, pairs)
    return connector.serve(request, view or FakeView(), now)


def shown(path: str, view: FakeView) -> Any:
    reply = ask(path, view).reply
    assert reply.status == 200, reply
    return json.loads(reply.body)


def an_alert(name: str, *mutings: Muting, **more: Any) -> Alert:
    labels = {"alertname": name}
    fixed: dict[str, Any] = {"status": "firing", "starts_at": NOW - 60, "updated_at": NOW - 1, "onset_seen": NOW - 59}
    return Alert(fingerprint=fingerprint(labels), source="x", labels=labels, mutings=mutings, **{**fixed, **more})


CAUSE = an_alert("Cause")
MUTED = FakeView(
    [
        an_alert("Windowed", Muting(kind="window", by="nightly")),
        an_alert("Ruled", Muting(kind="rule", by="known-noise"), Muting(kind="window", by="nightly")),
        an_alert(
            "Inhibited", Muting(kind="inhibition", by=CAUSE.fingerprint), Muting(kind="inhibition", by="feedfeed")
        ),
        an_alert("Silenced", Muting(kind="silence", by="s2"), Muting(kind="silence", by="s1")),
        CAUSE,
    ]
)


def names(alerts: list[dict[str, Any]]) -> set[str]:
    return {alert["labels"]["alertname"] for alert in alerts}


def test_each_muting_is_shown_where_clients_look_for_it() -> None:
    by_name = {alert["labels"]["alertname"]: alert["status"] for alert in shown("v2/alerts", MUTED)}
    nothing: dict[str, Any] = {"silencedBy": [], "inhibitedBy": [], "mutedBy": []}
    assert by_name == {
        "Cause": {"state": "active", **nothing},
        "Windowed": {"state": "suppressed", **nothing, "mutedBy": ["nightly"]},
        "Ruled": {"state": "suppressed", **nothing, "mutedBy": ["known-noise", "nightly"]},
        "Inhibited": {
            "state": "suppressed",
            **nothing,
            "inhibitedBy": sorted([wire.fingerprint(CAUSE.labels), "feedfeed"]),
        },
        "Silenced": {"state": "suppressed", **nothing, "silencedBy": ["s1", "s2"]},
    }


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("active=false", {"Windowed", "Ruled", "Inhibited", "Silenced"}),
        ("silenced=false", {"Windowed", "Ruled", "Inhibited", "Cause"}),
        ("inhibited=false", {"Windowed", "Ruled", "Silenced", "Cause"}),
        ("receiver=on-.*", {"Windowed", "Ruled", "Inhibited", "Silenced", "Cause"}),
        ("receiver=quell", set()),
        ('receiver_matchers=name="on-call"', {"Windowed", "Ruled", "Inhibited", "Silenced", "Cause"}),
        (
            'receiver_matchers=name="other"&receiver_matchers=name=~"on.*"',
            {"Windowed", "Ruled", "Inhibited", "Silenced", "Cause"},
        ),
        ('receiver_matchers=name="other"', set()),
        ('receiver_matchers=team="x"', set()),
    ],
)
def test_filters_by_state_and_receiver(query: str, expected: set[str]) -> None:
    assert names(shown(f"v2/alerts?{query}", MUTED)) == expected


def test_groups_can_leave_muted_ones_out() -> None:
    (group,) = shown("v2/alerts/groups", MUTED)
    assert {key: group[key] for key in ("labels", "receiver", "routeLabels")} == {
        "labels": {},
        "receiver": {"name": "on-call"},
        "routeLabels": {},
    }
    assert len(group["alerts"]) == 5
    (group,) = shown("v2/alerts/groups?muted=false", MUTED)
    assert names(group["alerts"]) == {"Inhibited", "Silenced", "Cause"}


def test_alerts_of_other_sources_appear_and_ended_ones_do_not() -> None:
    view = FakeView(
        [
            an_alert("Open", url="http://x/y", annotations={"a": "b"}),
            an_alert("Ends", ends_at=NOW + 5),
            an_alert("Ended", ends_at=NOW - 5),
            an_alert("Resolved", status="resolved", ends_at=NOW + 5),
            an_alert("Expired", status="expired", ends_at=NOW - 5),
        ]
    )
    alerts = shown("v2/alerts", view)
    assert names(alerts) == {"Open", "Ends"}
    assert [alert["fingerprint"] for alert in alerts] == sorted(alert["fingerprint"] for alert in alerts)
    assert next(alert for alert in alerts if alert["labels"]["alertname"] == "Open") == {
        "annotations": {"a": "b"},
        "endsAt": format_time(NOW + 60),
        "fingerprint": wire.fingerprint({"alertname": "Open"}),
        "generatorURL": "http://x/y",
        "labels": {"alertname": "Open"},
        "receivers": [{"name": "on-call"}],
        "startsAt": format_time(NOW - 60),
        "status": {"state": "active", "silencedBy": [], "inhibitedBy": [], "mutedBy": []},
        "updatedAt": format_time(NOW - 1),
    }


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({"alertname": "ok"}, "01167342b0fed1b2"),
        ({"alertname": "Plain", "job": "api"}, "07dc660eb6f02df7"),
        ({"job": "api", "alertname": "Plain"}, "07dc660eb6f02df7"),
        ({}, "cbf29ce484222325"),
    ],
)
def test_fingerprints_are_those_of_alertmanager(labels: dict[str, str], expected: str) -> None:
    assert wire.fingerprint(labels) == expected


def test_resolve_timeout_fills_in_the_end_and_says_so() -> None:
    (record,) = ask("v2/alerts", body=[{"labels": {"a": "b"}}]).records
    assert (record.starts_at, record.ends_at, record.timeout) == (NOW, NOW + 60, True)
    (record,) = ask("v2/alerts", body=[{"labels": {"a": "b"}, "endsAt": format_time(NOW + 9)}]).records
    assert (record.at, record.starts_at, record.ends_at, record.timeout) == (NOW, NOW + 9, NOW + 9, False)


def test_what_is_valid_in_a_batch_is_kept_whatever_is_wrong_with_the_rest() -> None:
    good = {"labels": {"alertname": "Good"}}
    for bad, status in (({}, 422), ({"labels": {"a": 1}}, 400), ({"labels": {"a": ""}}, 400), (None, 400), ([], 400)):
        received = ask("v2/alerts", body=[good, bad, good])
        assert received.reply.status == status
        assert len(received.records) == 2
        assert len(received.rejected) == 1


TEXT = st.text(max_size=6)
VALUE = st.none() | st.integers() | TEXT | st.lists(TEXT, max_size=2) | st.dictionaries(TEXT, TEXT, max_size=3)
TIMES = st.sampled_from([format_time(NOW + seconds) for seconds in (-60, 0, 60)] + ["0001-01-01T00:00:00Z", ""])
ALERT = st.fixed_dictionaries(
    {"labels": VALUE | st.just({"alertname": "A"})},
    optional={"annotations": VALUE, "startsAt": TIMES | VALUE, "endsAt": TIMES | VALUE, "generatorURL": VALUE},
)


@given(st.lists(ALERT | VALUE, max_size=4))
def test_every_posted_alert_becomes_a_record_or_is_set_aside(alerts: list[Any]) -> None:
    received = ask("v2/alerts", body=alerts)
    assert len(received.records) + len(received.rejected) == len(alerts)
    assert received.reply.status in ((400, 422) if received.rejected else (200,))
    assert received == ask("v2/alerts", body=alerts)
    for record in received.records:
        assert record.at <= NOW
        assert record.starts_at <= record.ends_at
        assert (record.status == "firing") == (record.ends_at > NOW)
        assert all(record.labels.values())


SILENCE = st.dictionaries(
    st.sampled_from(["id", "comment", "createdBy", "startsAt", "endsAt", "matchers", "annotations"]),
    VALUE
    | TIMES
    | st.lists(st.dictionaries(st.sampled_from(["name", "value", "isRegex", "isEqual"]), VALUE | st.booleans())),
)


@given(SILENCE)
def test_no_silence_makes_it_choke(silence: Any) -> None:
    received = ask("v2/silences", body=silence)
    assert received.reply.status in (200, 400, 404, 422)
    assert bool(received.records) == (received.reply.status == 200)


def test_a_batch_too_large_is_told_in_the_api_s_own_form() -> None:
    received = ask("v2/alerts", body=[{"labels": {"a": "b"}}] * 10_001)
    assert received.reply.status == 400
    assert json.loads(received.reply.body)["message"].endswith("10001 alerts; at most 10000 are taken at once")
    assert not received.records


def test_a_silence_becomes_a_command_that_holds_it_whole() -> None:
    body = {
        "matchers": [
            {"name": "b", "value": "x.*", "isRegex": True},
            {"name": "a", "value": "1", "isRegex": False, "isEqual": False},
        ],
        "startsAt": format_time(NOW - 60),
        "endsAt": format_time(NOW + 60),
        "createdBy": "ada",
        "comment": "works on it",
        "annotations": {"ticket": "T-1"},
    }
    received = ask("v2/silences", body=body)
    (record,) = received.records
    assert (record.verb, record.by, record.source, record.at) == ("silence", "ada", "am", NOW)
    assert json.loads(received.reply.body) == {"silenceID": record.target}
    silence = msgspec.convert(record.args["silence"], Silence)
    assert silence == Silence(
        id=record.target,
        matchers=(Matcher(name="a", value="1", is_equal=False), Matcher(name="b", value="x.*", is_regex=True)),
        starts_at=NOW,
        ends_at=NOW + 60,
        updated_at=NOW,
        created_by="ada",
        comment="works on it",
        annotations={"ticket": "T-1"},
    )
    (listed,) = shown("v2/silences", FakeView(all_silences=[silence]))
    assert listed["annotations"] == {"ticket": "T-1"}
    assert listed["status"] == {"state": "active"}
    assert ask("v2/silences", body=body) == received
    assert ask("v2/silences", body=body, now=NOW + 1).records[0].target != record.target


def test_replacing_a_silence_expires_it_by_a_command_of_its_own() -> None:
    known = Silence(id="11111111-2222-3333-4444-555555555555", matchers=(Matcher(name="a", value="1"),),
                    starts_at=NOW - 60, ends_at=NOW + 60, updated_at=NOW - 60)  # fmt: skip
    body = {
        "id": known.id,
        "matchers": [{"name": "a", "value": "2", "isRegex": False}],
        "startsAt": format_time(NOW - 60),
        "endsAt": format_time(NOW + 60),
        "createdBy": "ada",
        "comment": "",
    }
    view = FakeView(all_silences=[known])
    expire, make = ask("v2/silences", view, body).records
    assert (expire.verb, expire.target, expire.by) == ("expire_silence", known.id, "ada")
    assert make.verb == "silence"
    assert make.target != known.id
    (ended,) = ask(f"v2/silence/{known.id.upper()}", view, method="DELETE").records
    assert (ended.verb, ended.target) == ("expire_silence", known.id)


@pytest.mark.parametrize(
    ("matcher", "message"),
    [
        ({"name": "a", "value": "x" * 5000, "isRegex": False}, "is longer than 4096 bytes"),
        ({"name": "n" * 2000, "value": "x", "isRegex": False}, "has 2000 characters"),
        (None, "matchers.0 in body is required"),
    ],
)
def test_matchers_have_limits(matcher: Any, message: str) -> None:
    times = {"startsAt": format_time(NOW), "endsAt": format_time(NOW + 60)}
    received = ask("v2/silences", body={**times, "matchers": [matcher], "createdBy": "", "comment": ""})
    assert received.reply.status in (400, 422)
    assert message in received.reply.body.decode()
    assert not received.records


def test_status_names_quell_and_the_version_it_stands_in_for() -> None:
    status = shown("v2/status", FakeView(release="1.2.3", started=NOW - 5))
    assert status["uptime"] == format_time(NOW - 5)
    assert status["versionInfo"]["version"] == "0.28.0"
    assert status["versionInfo"]["revision"] == "quell-1.2.3"
    assert all(isinstance(text, str) for text in status["versionInfo"].values())
    assert len(status["versionInfo"]) == 6
    assert 'receiver: "on-call"' in status["config"]["original"]


@pytest.mark.parametrize("path", ["v1", "v1/", "v1/alerts", "v1/status/buildinfo"])
def test_v1_is_gone(path: str) -> None:
    reply = ask(path).reply
    assert reply.status == 410
    assert json.loads(reply.body)["status"] == "deprecated"
