"""The requests that a real Alertmanager and quell are both sent, in this order, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from quell.model.times import format_time

JSON = {"Content-Type": "application/json"}
UNSET = "0001-01-01T00:00:00.000Z"
UNKNOWN = "11111111-2222-3333-4444-555555555555"

CONFIG = """\
route: {receiver: quell}
receivers: [{name: quell}]
inhibit_rules:
- source_matchers: ['alertname="NodeDown"']
  target_matchers: ['alertname="PodDown"']
  equal: [node]
"""
"""The configuration of the real one; quell gets the same inhibition as a rule."""


@dataclass(frozen=True)
class Ask:
    """One request. ``save`` remembers the answer; ``$NAME.field`` in a later path or body stands for a part of it."""

    name: str
    method: str
    path: str
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=lambda: JSON)
    save: str = ""


def asks(now: float) -> list[Ask]:
    """All requests, with times around ``now``."""
    after = {"now": 0, "ago": -3600, "past": -600, "shortly": 900, "soon": 1800, "later": 7200, "far": 9000}
    at = {name: format_time(now + seconds) for name, seconds in after.items()}
    usual = [*_reading(), *_alerts(at), *_filters(), *_silences(at), *_bad_silences(at), *_bad_alerts(at), *_odd(at)]
    return [*usual, *_two_senders(now)]


def get(name: str, path: str, save: str = "") -> Ask:
    return Ask(name, "GET", f"/api/v2/{path}", save=save)


def post(name: str, body: Any, path: str = "alerts", save: str = "") -> Ask:
    return Ask(name, "POST", f"/api/v2/{path}", body, save=save)


def _reading() -> list[Ask]:
    return [
        get("status", "status"),
        get("receivers", "receivers"),
        get("no alerts yet", "alerts"),
        get("no groups yet", "alerts/groups"),
        get("no silences yet", "silences"),
    ]


def _alerts(at: Mapping[str, str]) -> list[Ask]:
    return [
        post("an empty batch", []),
        post("no times", [{"labels": {"alertname": "Plain", "job": "api"}}]),
        get("no times: shown", "alerts"),
        post(
            "as Prometheus sends",
            [
                {
                    "labels": {"alertname": "Prom", "job": "api", "severity": "critical"},
                    "annotations": {"summary": "broken", "empty": ""},
                    "startsAt": at["ago"],
                    "endsAt": at["soon"],
                    "generatorURL": "http://prometheus.example:9090/graph?g0.expr=up",
                },
                {"labels": {"alertname": "Prom", "job": "db"}, "startsAt": at["past"], "endsAt": at["later"]},
            ],
        ),
        post(
            "as amtool sends",
            [
                {
                    "labels": {"alertname": "Tool"},
                    "annotations": {},
                    "startsAt": UNSET,
                    "endsAt": UNSET,
                    "generatorURL": "",
                }
            ],
        ),
        post("labels without value go", [{"labels": {"alertname": "Trim", "empty": ""}, "startsAt": at["past"]}]),
        post("one good of two", [{"labels": {"a": ""}}, {"labels": {"alertname": "Kept"}, "startsAt": at["past"]}]),
        post("no label at all, twice", [{"labels": {}}, {"labels": {"a": ""}}]),
        post("start after end", [{"labels": {"alertname": "Odd"}, "startsAt": at["far"], "endsAt": at["later"]}]),
        post("only an end, past", [{"labels": {"alertname": "Gone"}, "endsAt": at["past"]}]),
        post("start equals end, past", [{**_named("Point"), "startsAt": at["past"], "endsAt": at["past"]}]),
        post("unusual text", [{"labels": {"alertname": "Unusual", "text": 'ü "q" \\ \n {x}'}, "startsAt": at["past"]}]),
        post("other zone and nanoseconds", [{"labels": {"alertname": "Zone"}, "startsAt": _in_zone(at["past"])}]),
        post("null for texts", [{"labels": {"alertname": "NullText", "a": None}, "annotations": {"b": None}}]),
        post("null for what may be absent", [{"labels": {"alertname": "Null"}, "annotations": None, "startsAt": None}]),
        get("all shown", "alerts"),
        post(
            "the same again with other words",
            [
                {
                    "labels": {"alertname": "Prom", "job": "api", "severity": "critical"},
                    "annotations": {"summary": "still broken"},
                    "startsAt": at["ago"],
                    "endsAt": at["later"],
                }
            ],
        ),
        get("other words shown", "alerts?filter=alertname%3DProm"),
        post("resolve", [{"labels": {"alertname": "Prom", "job": "db"}, "startsAt": at["past"], "endsAt": at["now"]}]),
        post("the same alert twice in a batch", [{"labels": {"alertname": "Twice"}, "startsAt": at["past"]}] * 2),
        get("resolved are gone", "alerts"),
        get("groups", "alerts/groups"),
    ]


def _named(name: str) -> dict[str, Any]:
    return {"labels": {"alertname": name}}


def _in_zone(text: str) -> str:
    at = datetime.fromisoformat(text).astimezone(timezone(timedelta(hours=2)))
    return f"{at:%Y-%m-%dT%H:%M:%S}.123456789+02:00"


def _filters() -> list[Ask]:
    asked = {
        "equal": "filter=alertname%3D%22Prom%22",
        "unquoted": "filter=alertname%3DProm",
        "unequal": "filter=alertname!%3D%22Prom%22",
        "regex": "filter=alertname%3D~%22Pr.%2B%22",
        "regex is anchored": "filter=alertname%3D~%22ro%22",
        "regex of alternatives": "filter=alertname%3D~%22Prom%7CPlain%22",
        "not regex": "filter=alertname!~%22P.*%22",
        "two": "filter=job%3Dapi&filter=alertname%3DPlain",
        "missing label equals nothing": "filter=severity%3D%22%22",
        "missing label is not nothing": "filter=severity!%3D%22%22",
        "missing label matches all": "filter=severity%3D~%22.*%22",
        "value with quotes": "filter=text%3D~%22.*%5C%22q%5C%22(.%7C%5Cn)*%22",
        "nothing matches": "filter=alertname%3DNobody",
        "receiver": "receiver=quell",
        "receiver regex": "receiver=qu.*",
        "receiver is anchored": "receiver=que",
        "active false": "active=false",
        "active x": "active=x",
        "active empty": "active=",
        "active yes": "active=yes",
        "unprocessed false": "unprocessed=false",
        "unknown parameter": "nonsense=1",
        "last of two counts": "active=true&active=false",
    }
    bad = {
        "no operator": "filter=bad",
        "broken regex": "filter=a%3D~%22(%22",
        "broken receiver": "receiver=(",
        "no name": "filter=%3Dx",
    }
    return [
        *(get(f"filter: {name}", f"alerts?{query}") for name, query in asked.items()),
        *(get(f"bad filter: {name}", f"alerts?{query}") for name, query in bad.items()),
        get("groups of nobody", "alerts/groups?receiver=nobody"),
        get("groups with a filter", "alerts/groups?filter=alertname%3DPlain"),
        get("bad filter: groups", "alerts/groups?filter=bad"),
    ]


def _silence(at: Mapping[str, str], start: str = "now", end: str = "later", **more: Any) -> dict[str, Any]:
    matchers = [{"name": "alertname", "value": "Plain", "isRegex": False, "isEqual": True}]
    made = {"matchers": matchers, "startsAt": at.get(start, start), "endsAt": at.get(end, end)}
    return {**made, "comment": "works on it", "createdBy": "ada", **more}


def _silences(at: Mapping[str, str]) -> list[Ask]:
    regex = [
        {"name": "alertname", "value": "Tr.m|Kept", "isRegex": True},
        {"name": "job", "value": "", "isRegex": False},
    ]
    other = {"id": "$other.silenceID", "matchers": regex}
    negative = [{"name": "alertname", "value": ".*", "isRegex": True, "isEqual": False}]
    node = [{"labels": {"alertname": name, "node": "n1"}, "startsAt": at["past"]} for name in ("NodeDown", "PodDown")]
    return [
        post("inhibition", node),
        get("inhibition: shown", "alerts?filter=node%3Dn1"),
        get("inhibition: left out", "alerts?filter=node%3Dn1&inhibited=false"),
        get("inhibition: only suppressed", "alerts?active=false"),
        post("silence", _silence(at, "ago"), "silences", save="first"),
        get("silence: read", "silence/$first.silenceID", save="read"),
        get("silence: listed", "silences"),
        get("silence: alert shown", "alerts?filter=alertname%3DPlain"),
        get("silence: alert left out", "alerts?filter=alertname%3DPlain&silenced=false"),
        post(
            "silence: longer",
            _silence(at, "$read.startsAt", "far", id="$first.silenceID", comment="takes longer"),
            "silences",
            save="longer",
        ),
        get("silence: longer, read", "silence/$first.silenceID"),
        post("silence: other start", _silence(at, "ago", id="$first.silenceID"), "silences", save="other"),
        get("silence: other start, old one", "silence/$first.silenceID"),
        get("silence: other start, new one", "silence/$other.silenceID"),
        post("silence: other matchers", _silence(at, "ago", **other), "silences", save="re"),
        get("silence: other matchers, alerts", "alerts?active=false&filter=alertname!~%22.*Down%22"),
        post("silence: pending", _silence(at, "soon"), "silences", save="pending"),
        post("silence: pending moved", _silence(at, "later", "far", id="$pending.silenceID"), "silences", save="moved"),
        post("silence: negative", _silence(at, "ago", "soon", matchers=negative), "silences", save="negative"),
        post("silence: another", _silence(at, "ago", "shortly"), "silences", save="another"),
        get("silences: all", "silences"),
        get("silences: filter", "silences?filter=alertname%3DPlain"),
        get("silences: filter by regex", "silences?filter=alertname%3D~%22P.*%22"),
        get("silences: filter for a label not named", "silences?filter=job%3D%22%22"),
        Ask("silence: delete", "DELETE", "/api/v2/silence/$re.silenceID"),
        Ask("silence: delete again", "DELETE", "/api/v2/silence/$re.silenceID"),
        get("silence: deleted, read", "silence/$re.silenceID"),
        Ask("silence: delete pending", "DELETE", "/api/v2/silence/$pending.silenceID"),
        get("silence: deleted pending, read", "silence/$pending.silenceID"),
        post("silence: change an expired one", _silence(at, "ago", id="$re.silenceID"), "silences", save="revived"),
        get("silences: in the end", "silences"),
        get("alerts: in the end", "alerts"),
    ]


def _bad_silences(at: Mapping[str, str]) -> list[Ask]:
    def without(name: str) -> dict[str, Any]:
        return {key: value for key, value in _silence(at).items() if key != name}

    def matching(**matcher: Any) -> dict[str, Any]:
        return _silence(at, matchers=[matcher])

    bad: dict[str, Any] = {
        **{f"without {name}": without(name) for name in ("matchers", "startsAt", "endsAt", "comment", "createdBy")},
        "empty": {},
        "a list": [],
        "no matchers": _silence(at, matchers=[]),
        "matcher without isRegex": matching(name="a", value="b"),
        "matcher without value": matching(name="a", isRegex=False),
        "matcher without name": matching(value="a", isRegex=False),
        "matches the empty text": matching(name="a", value="", isRegex=False),
        "regex matches the empty text": matching(name="a", value="x*", isRegex=True),
        "empty name": matching(name="", value="x", isRegex=False),
        "broken regex": matching(name="a", value="(", isRegex=True),
        "end in the past": _silence(at, "ago", "past"),
        "start after end": _silence(at, "far", "later"),
        "start equals end": _silence(at, "later", "later"),
        "unset times": _silence(at, UNSET, UNSET),
        "no such id": _silence(at, id=UNKNOWN),
        "id that is none": _silence(at, id="nope"),
        "number for a comment": _silence(at, comment=7),
        "time that is none": _silence(at, "yesterday"),
    }
    return [
        *(post(f"bad silence: {name}", body, "silences") for name, body in bad.items()),
        get("bad silence: id unknown", f"silence/{UNKNOWN}"),
        get("bad silence: id is no uuid", "silence/nope"),
        Ask("bad silence: delete unknown", "DELETE", f"/api/v2/silence/{UNKNOWN}"),
        Ask("bad silence: delete no uuid", "DELETE", "/api/v2/silence/nope"),
        get("bad silence: filter", "silences?filter=bad("),
        get("bad silences left nothing", "silences"),
    ]


def _bad_alerts(at: Mapping[str, str]) -> list[Ask]:
    bad: dict[str, Any] = {
        "garbage": b"garbage",
        "cut off": b'[{"labels":{"a":"b"}',
        "nothing": b"",
        "null": None,
        "an object": {},
        "a null": [None],
        "no labels": [{}],
        "null labels": [{"labels": None}],
        "number as value": [{"labels": {"alertname": 7}}],
        "list as labels": [{"labels": []}],
        "time that is none": [{"labels": {"alertname": "T"}, "startsAt": "yesterday"}],
        "link that is none": [{"labels": {"alertname": "T"}, "generatorURL": "not a link"}],
        "name of old": [{"labels": {"1bad": "x"}, "endsAt": at["past"]}],
        "empty name": [{"labels": {"": "x"}, "endsAt": at["past"]}],
    }
    return [
        *(post(f"bad alert: {name}", b"null" if body is None else body) for name, body in bad.items()),
        get("bad alerts left nothing", "alerts"),
    ]


def _odd(at: Mapping[str, str]) -> list[Ask]:
    plain = {"Content-Type": "text/plain"}
    charset = {"Content-Type": "application/json; charset=utf-8"}
    return [
        Ask("method: delete alerts", "DELETE", "/api/v2/alerts"),
        Ask("method: put silences", "PUT", "/api/v2/silences", {}),
        Ask("method: post receivers", "POST", "/api/v2/receivers", {}),
        Ask("method: put silence", "PUT", f"/api/v2/silence/{UNKNOWN}", {}),
        Ask("method: head", "HEAD", "/api/v2/alerts"),
        Ask("content type: other", "POST", "/api/v2/alerts", [], plain),
        Ask("content type: none", "POST", "/api/v2/alerts", [], {}),
        Ask(
            "content type: with charset",
            "POST",
            "/api/v2/alerts",
            [],
            charset,
        ),
        Ask("content type: other, silences", "POST", "/api/v2/silences", {}, plain),
        get("path: unknown", "nothing"),
        get("path: nothing", ""),
        get("path: deeper", "silence/a/b"),
        get("path: trailing slash", "status/"),
        get("path: alerts with slash", "alerts/?filter=alertname%3DTool"),
        post("only an end, ahead", [{"labels": {"alertname": "Ahead"}, "endsAt": at["later"]}]),
        get("only an end, ahead: shown", "alerts?filter=alertname%3DAhead"),
        Ask("v1: alerts", "GET", "/api/v1/alerts"),
    ]


def _two_senders(now: float) -> list[Ask]:
    """Of a pair of Prometheus servers one resolves what the other goes on sending, with an end 4 minutes ahead."""

    def send(name: str, start_s: float, end_s: float | None, alertname: str = "Pair") -> Ask:
        alert = {**_named(alertname), "startsAt": format_time(now + start_s)}
        return post(f"pair: {name}", [alert if end_s is None else {**alert, "endsAt": format_time(now + end_s)}])

    def look(name: str, alertname: str = "Pair") -> Ask:
        return get(f"pair: {name}", f"alerts?filter=alertname%3D{alertname}")

    return [
        send("one, a minute ago", -600, 180),
        send("the other, a minute ago", -595, 180),
        look("fires"),
        send("one resolves", -600, -60),
        look("resolved"),
        send("the other goes on", -595, 300),
        look("fires again"),
        send("the other resolves", -595, 0),
        look("resolved by both"),
        send("one without an end", -600, None, "Endless"),
        send("one without an end resolves", -600, -60, "Endless"),
        look("resolved without an end", "Endless"),
        send("the other without an end", -595, None, "Endless"),
        look("fires without an end", "Endless"),
    ]
