"""Alertmanager's configuration taken over: who is told of what stays the same, and nothing is left out in silence."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quell.cli.main import run
from quell.config import load
from quell.config.nodes import read_document
from quell.config.written import as_yaml
from quell.errors import Misconfigured
from quell.expressions.matchers import Matching, parse_matchers
from quell.importing.taking import imported
from quell.importing.weekly import DAYS, minutes_of, opposite, spans
from quell.sdk.registry import find_connectors

WHOLE = """\
global:
  resolve_timeout: 10m
  smtp_smarthost: mail.example.com:25
route:
  receiver: default
  group_by: [alertname, cluster]
  routes:
    - receiver: nobody
      matchers: ['alertname=~"Watchdog|InfoInhibitor"']
    - match: {team: db}
      receiver: db-pager
      continue: true
      mute_time_intervals: [sunday nights]
      routes:
        - match_re: {severity: "warning|info"}
          receiver: db-chat
    - matchers: ['severity="critical"', 'env!="test"']
      receiver: pager
    - receiver: office
      matchers: ['severity="ticket"']
      active_time_intervals: [office hours]
receivers:
  - name: nobody
  - name: default
    webhook_configs: [{url: "http://127.0.0.1:9/hook"}]
  - name: db-pager
    pagerduty_configs: [{routing_key: 0123456789abcdef0123456789abcdef}]
  - name: db-chat
    slack_configs: [{api_url: "https://example.com/x", channel: "#db"}]
  - name: pager
    pagerduty_configs: [{routing_key: fedcba9876543210fedcba9876543210}]
  - name: office
    email_configs: [{to: office@example.com, from: a@example.com, smarthost: "mail.example.com:25"}]
inhibit_rules:
  - source_matchers: ['severity="critical"']
    target_match: {severity: warning}
    equal: [cluster, service]
  - source_match_re: {alertname: "NodeDown|RackDown"}
    target_matchers: ['alertname!~"NodeDown|RackDown"']
    equal: [node]
time_intervals:
  - name: sunday nights
    time_intervals:
      - weekdays: [sunday]
        times: [{start_time: "22:00", end_time: "24:00"}]
        location: Europe/Berlin
      - weekdays: [monday]
        times: [{start_time: "00:00", end_time: "01:30"}]
        location: Europe/Berlin
  - name: office hours
    time_intervals:
      - weekdays: ["monday:friday"]
        times: [{start_time: "09:00", end_time: "17:00"}]
  - name: christmas
    time_intervals: [{days_of_month: ["24:26"], months: [december]}]
"""


def taken(text: str) -> tuple[dict[str, Any], Any]:
    """The files as plain values by name, and what was imported."""
    found = imported("alertmanager.yml", text.encode())
    values = {}
    for name, content in found.files.items():
        document, problems = read_document(name, content.encode())
        assert problems == []
        assert document is not None
        values[name] = document.value
    return values, found


def test_all_of_a_configuration_is_here_or_said_not_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "alertmanager.yml"
    path.write_text(WHOLE)
    assert run(["import", str(path), "--out", str(tmp_path / "quell")]) == 0
    said = capsys.readouterr().out
    for line in (
        "carried: resolve_timeout: resolve_timeout in quell.yaml",
        "left out: global.smtp_smarthost: it is a default of Alertmanager's receivers",
        "left out: group_by: quell groups by cause",
        'left out: slack_configs of "db-chat": settings of slack are not carried over',
        'left out: time interval "christmas": it names days_of_month and months',
        'carried: mute_time_intervals "sunday nights": ',
        'carried: route to "nobody": nobody is told of what it takes',
        'carried: inhibition "alertmanager 1"',
    ):
        assert line in said, said
    assert "0123456789abcdef" not in said
    assert "quell.yaml names no tokens" in said
    assert "--without-secrets until they are set" in said
    monkeypatch.setenv("QUELL_PAGERDUTY_DB_PAGER", "x" * 32)
    monkeypatch.setenv("QUELL_PAGERDUTY_PAGER", "x" * 32)
    specs = {name: kind.spec for name, kind in find_connectors().connectors.items()}
    loaded = load(tmp_path / "quell", specs, {"QUELL_PAGERDUTY_DB_PAGER": "x", "QUELL_PAGERDUTY_PAGER": "y"})
    assert loaded.settings.resolve_timeout_s == 600
    assert [rule.name for rule in loaded.rulebook.inhibit] == ["alertmanager 1", "alertmanager 2"]
    (sunday, *office) = loaded.rulebook.windows
    assert (sunday.weekdays, sunday.minute, sunday.duration_s, sunday.zone) == (
        ("sunday",), 22 * 60, 3.5 * 3600, "Europe/Berlin",
    )  # fmt: skip
    assert [window.name for window in office] == ["office hours", "office hours 2"]
    assert not any(b"0123456789abcdef" in file.read_bytes() for file in (tmp_path / "quell").rglob("*.yaml"))
    assert run(["import", str(path), "--out", str(tmp_path / "quell"), "--strict", "--json"]) == 1
    assert (tmp_path / "quell/quell.imported.yaml").exists(), "nothing that is there is written over"


@pytest.mark.needs("amtool")
def test_our_example_is_one_that_alertmanager_takes(tmp_path: Path) -> None:
    path = tmp_path / "alertmanager.yml"
    path.write_text(WHOLE)
    done = subprocess.run(
        ["amtool", "check-config", str(path)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr


LABELS = ({"team": "db", "severity": "critical"}, {"team": "db", "severity": "warning", "env": "test"},
          {"alertname": "Watchdog"}, {"severity": "critical", "env": "prod"}, {"severity": "ticket"}, {"env": "test"},
          {"severity": "critical", "env": "test", "team": "web"})  # fmt: skip


@pytest.mark.needs("amtool")
@pytest.mark.parametrize("labels", LABELS, ids=str)
def test_pages_go_where_alertmanager_would_have_sent_them(tmp_path: Path, labels: Mapping[str, str]) -> None:
    path = tmp_path / "alertmanager.yml"
    path.write_text(WHOLE)
    command = ["amtool", "config", "routes", "test", f"--config.file={path}", *(f"{k}={v}" for k, v in labels.items())]
    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip()
    wanted = sorted(set(told.split(",")) - {"nobody"})
    assert sorted(_told(taken(WHOLE)[0]["quell.yaml"]["pages"], labels)) == wanted


def _told(pages: Sequence[Mapping[str, Any]], labels: Mapping[str, str]) -> list[str]:
    """The receivers that a page goes to; that no two pages of one receiver take the same is held here as well."""
    found = []
    for page in pages:
        matchers = [one for text in page.get("match", []) for one in parse_matchers(text)]
        if Matching(matchers).matches(labels):
            name = page["name"]
            found.append(name.rpartition(" ")[0] if name[-1].isdigit() and " " in name else name)
    assert len(found) == len(set(found)), found
    return found


# Any tree of routes

NAMES, VALUES = ("a", "b", "c"), ("x", "y", "")
MATCHER = st.builds(
    "{}{}{}".format, st.sampled_from(NAMES), st.sampled_from(["=", "!="]), st.sampled_from(['"x"', '"y"'])
)


LEAF: st.SearchStrategy[Any] = st.none()


def _tree(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries({
        "matchers": st.lists(MATCHER, min_size=1, max_size=2),
        "continue": st.booleans(),
        "routes": st.lists(children, max_size=0 if children is LEAF else 3),
    })  # fmt: skip


TREES = st.lists(st.recursive(_tree(LEAF), _tree, max_leaves=6), max_size=3)


def _numbered(route: dict[str, Any], names: list[str]) -> dict[str, Any]:
    name = f"r{len(names)}"
    names.append(name)
    return {**route, "receiver": name, "routes": [_numbered(child, names) for child in route["routes"]]}


def _receivers(route: Mapping[str, Any], labels: Mapping[str, str]) -> list[str]:
    """Alertmanager's dispatch: the deepest that match, siblings in order until one does not say continue."""
    if not Matching([m for text in route["matchers"] for m in parse_matchers(text)]).matches(labels):
        return []
    found: list[str] = []
    for child in route["routes"]:
        below = _receivers(child, labels)
        found += below
        if below and not child["continue"]:
            break
    return found or [route["receiver"]]


@settings(max_examples=150)
@given(TREES, st.lists(st.fixed_dictionaries(dict.fromkeys(NAMES, st.sampled_from(VALUES))), min_size=1, max_size=6))
def test_any_tree_of_routes_tells_the_same(trees: list[dict[str, Any]], alerts: list[dict[str, str]]) -> None:
    names: list[str] = []
    root = _numbered({"matchers": [], "continue": False, "routes": trees}, names)
    receivers = [{"name": name, "webhook_configs": [{"url": f"http://127.0.0.1/{name}"}]} for name in names]
    text = as_yaml({"route": {**root}, "receivers": receivers})
    values, found = taken(text)
    if any("too many matchers" in item.text for item in found.report.items):
        return
    for labels in alerts:
        given_labels = {name: value for name, value in labels.items() if value}
        assert sorted(_told(values["quell.yaml"].get("pages", []), given_labels)) == sorted(
            _receivers(root, given_labels)
        )


MINUTES = st.lists(
    st.fixed_dictionaries({
        "weekdays": st.lists(st.sampled_from(DAYS), min_size=1, max_size=3),
        "times": st.lists(
            st.tuples(st.integers(0, 23), st.integers(1, 24)).filter(lambda span: span[0] < span[1]).map(
                lambda span: {"start_time": f"{span[0]:02}:00", "end_time": f"{span[1]:02}:00"}
            ),
            min_size=1, max_size=2,
        ),
    }),
    min_size=1, max_size=3,
)  # fmt: skip


@given(MINUTES, st.booleans())
def test_windows_cover_the_minutes_of_an_interval_and_no_others(intervals: list[Any], outside: bool) -> None:
    inside = bytearray(7 * 1440)
    for each in intervals:
        inside = bytearray(a | b for a, b in zip(inside, minutes_of(each), strict=True))
    if outside:
        inside = opposite(inside)
    covered = bytearray(7 * 1440)
    for span in spans(inside):
        hours, minutes = (int(part) for part in span["from"].split(":"))
        length = _minutes(span["for"])
        for day in span.get("days", DAYS):
            start = DAYS.index(day) * 1440 + hours * 60 + minutes
            for minute in range(start, start + length):
                assert not covered[minute % len(covered)], "no minute twice"
                covered[minute % len(covered)] = 1
    assert covered == inside


def _minutes(text: str) -> int:
    total, number = 0, ""
    for sign in text:
        if sign.isdecimal():
            number += sign
        else:
            total += int(number) * {"d": 1440, "h": 60, "m": 1}[sign]
            number = ""
    return total


@pytest.mark.parametrize("text", ["", "a: 1\n", "- 1\n", "route: [\n", "route: &a {}\nreceivers: *a\n"])
def test_what_is_neither_is_refused(text: str) -> None:
    with pytest.raises(Misconfigured):
        imported("x.yaml", text.encode())


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 99) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(min_size=1, max_size=5), inner, max_size=3),
    max_leaves=12,
)


@given(ANYTHING)
def test_whatever_stands_in_it_a_report_comes_out(value: Any) -> None:
    for whole in (
        {"route": value, "receivers": value, "inhibit_rules": value, "time_intervals": value, "global": value},
        {"route": {"routes": [value], "receiver": "a", "mute_time_intervals": value}, "receivers": [value]},
        {"workflow": {"triggers": [value], "actions": [value], "steps": value, "consts": value}},
        {"workflow": {"id": "a", "actions": [{"name": "b", "provider": {"type": "http", "with": value}}]}},
    ):
        try:
            found = imported("a.yaml", msgspec.json.encode(whole))
        except Misconfigured:
            continue
        for name, text in found.files.items():
            assert read_document(name, text.encode())[1] == []


ACTIVE = """\
route:
  receiver: chat
  routes: [{{receiver: office, matchers: ['severity="ticket"'], active_time_intervals: [{names}]}}]
receivers: [{{name: chat}}, {{name: office}}]
time_intervals:
  - {{name: mornings, time_intervals: [{{times: [{{start_time: "06:00", end_time: "14:00"}}]}}]}}
  - {{name: evenings, time_intervals: [{{times: [{{start_time: "14:00", end_time: "22:00"}}]}}]}}
  - {{name: december, time_intervals: [{{months: [december]}}]}}
"""


def test_a_route_with_several_active_times_is_muted_outside_of_all_of_them() -> None:
    """Outside of each would be always: nobody would ever be told."""
    values, _ = taken(ACTIVE.format(names="mornings, evenings"))
    (window,) = values["rules/windows.yaml"]["windows"]
    assert (window["from"], window["for"]) == ("22:00", "8h")
    values, found = taken(ACTIVE.format(names="mornings, december"))
    assert "rules/windows.yaml" not in values, "in December it is active all day"
    left = [item.part for item in found.report.items if item.fate == "left out"]
    assert 'active_time_intervals "mornings"' in left


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.slack.com/services/T0AAAAAAA/B0AAAAAAA/abcdEFGHijklMNOPqrstUVWX",
        "https://hook.example/alerts?token=hunter2",
        "https://hook.example/a?b=0123456789abcdef0123",
        "https://ana:hunter2@hook.example/",
    ],
)
def test_an_address_that_is_a_secret_goes_into_no_file(url: str) -> None:
    config = {"route": {"receiver": "a"}, "receivers": [{"name": "a", "webhook_configs": [{"url": url}]}]}
    _, found = taken(as_yaml(config))
    assert not any(part in text for text in found.files.values() for part in ("hunter2", "T0AAAAAAA", "0123456789"))
    assert any(item.fate == "left out" and "secret" in item.text for item in found.report.items)


def test_what_a_webhook_needs_besides_its_address_is_said() -> None:
    hook = {"url": "http://hook.example/alertmanager-webhook-receiver", "http_config": {"basic_auth": {}}}
    config = {"route": {"receiver": "a"}, "receivers": [{"name": "a", "webhook_configs": [hook]}]}
    values, found = taken(as_yaml(config))
    assert values["quell.yaml"]["sources"]["webhook-a"]["url"] == hook["url"]
    assert any(item.fate == "left out" and "http_config" in item.part for item in found.report.items)
