"""Routes that follow their incident, with Slack and PagerDuty among the sources: played, through outages and kills."""

from __future__ import annotations

from typing import Any

import pytest

SOURCES = """
sources:
  slack: {use: slack, bot_token: "env:NOT_SET_SLACK", app_token: "env:NOT_SET_APP", channel: "#incidents"}
  pagerduty:
    use: pagerduty
    routing_key: "env:NOT_SET_PD"
    webhook_secret: "env:NOT_SET_SIGNS"
    token: "env:NOT_SET_TOKEN"
    watch: true
    every: 30s
    auth: {open: true}
"""
PAGES = """
pages:
  - to: pagerduty.trigger
    follow: true
    match: ['severity="critical"']
  - {to: slack.post, with: {channel: "#incidents"}}
chat: {rooms: [{to: slack, channel: "#incidents"}]}
digest: {to: slack.post, with: {channel: "#on-call"}}
"""
OUTAGE = """
playbooks: []
graph: {edges: [[web, checkout], [checkout, db]]}
feed:
  - {at: 4m, alert: {alertname: HighErrors, service: checkout, severity: critical}, for: LONG}
  - {at: 4m, alert: {alertname: HighLatency, service: checkout, severity: warning}, for: LONG}
  - {at: 4m30s, alert: {alertname: SlowPage, service: web, severity: critical}, for: LONG}
crash: everywhere
"""


@pytest.fixture
def paged(house: Any) -> Any:
    path = house.directory / "quell.yaml"
    text, pages = path.read_text(), "# Where pages go."
    before, _, after = text.partition(pages)
    kept = after.partition("# Whether programs on this machine")[2]
    path.write_text(before.replace("\nsources:", SOURCES) + PAGES + "\n#" + kept)
    return house


def test_pagerduty_follows_through_lost_answers(paged: Any) -> None:
    assert paged.failures(f"""
test: it is told, and told again until it arrives
{OUTAGE.replace("LONG", "40m")}
fake:
  pagerduty.trigger: [{{fail: lost}}, {{fail: unreachable, retry_after: 1m}}, {{ok: {{}}}}]
  pagerduty.resolve: [{{fail: unreachable}}, {{ok: {{}}}}]
people: [{{at: 12m, ack: checkout, as: ana}}]
expect:
  - at: 10m
    incidents: [{{suspect: checkout, paged: true}}]
    pages: 1
    calls: [{{pagerduty.trigger: {{severity: critical}}, times: 3}}, {{slack.post: {{channel: "#incidents"}}}}]
  - {{at: 15m, calls: [{{pagerduty.acknowledge: {{}}, times: 1}}], no_calls: [pagerduty.resolve]}}
  - {{at: 2h, calls: [{{pagerduty.resolve: {{}}, times: 2}}, {{pagerduty.acknowledge: {{}}, times: 1}}]}}
""") == []  # fmt: skip


def test_nothing_is_lost_while_pagerduty_and_slack_are_away_for_an_hour(paged: Any) -> None:
    assert paged.failures(f"""
test: an hour
{OUTAGE.replace("LONG", "3h")}
fake:
  pagerduty.trigger: {{"0s": {{fail: unreachable}}, "65m": {{ok: {{}}}}}}
  slack.post: {{"0s": {{fail: unreachable}}, "65m": {{ok: {{}}}}}}
people: [{{at: 75m, ack: checkout, as: ana}}]
expect:
  - {{at: 64m, incidents: [{{status: open, paged: true}}], no_calls: [pagerduty.acknowledge]}}
  - {{at: 90m, calls: [{{pagerduty.acknowledge: {{}}, times: 1}}], no_calls: [pagerduty.resolve]}}
  - {{at: 4h, calls: [{{pagerduty.resolve: {{}}, times: 1}}]}}
""") == []  # fmt: skip


def test_what_is_done_in_pagerduty_is_heard_and_not_sent_back(paged: Any) -> None:
    (trial,) = paged.tried(f"test: its id\n{OUTAGE.replace('LONG', '40m')}expect: [{{at: 10m, pages: 1}}]").trials
    name = next(line.split()[2] for line in trial.log if " opened: " in line)
    assert paged.failures(f"""
test: heard
{OUTAGE.replace("LONG", "40m")}
  # the last of the feed's: what the webhook of PagerDuty becomes
expect:
  - at: 10m
    incidents: [{{status: acknowledged, acknowledged_by: Ana Ruiz}}]
    calls: [{{pagerduty.trigger: {{}}, times: 1}}]
    no_calls: [pagerduty.acknowledge]
  - {{at: 2h, calls: [{{pagerduty.resolve: {{}}, times: 1}}]}}
""".replace("crash:", f"""  - at: 8m
    record:
      {{kind: command, source: pagerduty, verb: follow, id: PGR0VU2/acknowledged/1, by: Ana Ruiz, target: {name},
       args: {{status: acknowledged, there: PGR0VU2}}}}
crash:""")) == []  # fmt: skip
