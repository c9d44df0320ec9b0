"""The worked examples of the language load and run, with real connectors declared and their answers given by hand."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest

from config.written import write
from quell.config import Loaded, load
from quell.core.engine import Engine
from quell.model.decision import AnyDecision, Perform
from quell.model.records import AlertRecord, AnyRecord, ChangeRecord, CommandRecord, DependencyRecord, StepFinished
from quell.model.run import Run
from quell.sdk.registry import find_connectors

T0 = 1_772_359_200.0
MAIN = """\
sources:
  prometheus: {use: prometheus, url: "http://prometheus.example:9090"}
  argocd: {use: argocd, url: "https://argocd.example"}
  airflow: {use: airflow, url: "https://airflow.example"}
  mlflow: {use: mlflow, url: "https://mlflow.example"}
  jira: {use: jira, url: "https://jira.example", token: "env:TOKEN", project: ML}
  pagerduty: {use: pagerduty, routing_key: "env:KEY"}
  console: {use: console}
pages:
  - to: console.page
"""
RULES = """\
measures:
  metrics.error_rate:
    params: [service]
    do: prometheus.query
    with: {query: 'sum(rate(http_requests_total{service="${service}",code=~"5.."}[5m]))'}
    value: result.value
  drift.score:
    params: [model]
    do: prometheus.query
    with: {query: 'max(drift_score{model="${model}"})'}
freezes:
  - {name: release-freeze, days: [sunday], from: "00:00", for: 1m, playbooks: []}
topology:
  entities:
    - {entity: service/checkout, owner: payments, tier: 2, labels: {replicas: "3"}}
    - {entity: service/web, owner: front, tier: 1, labels: {replicas: "30"}}
    - {entity: model/churn, owner: ana, labels: {dag: train_churn}}
"""
ROLLBACK = """\
playbook: rollback-bad-deploy
version: 1
summary: Roll a service back when a deploy is the top suspect.
owner: payments
when:
  incident: [opened, suspects_changed]
  if: >-
    incident.severity in ["critical", "high"]
    && suspect.kind == "deploy" && suspect.confidence >= 0.1
    && suspect.change.age < duration("45m")
  settled_for: 90s                     # the condition must hold this long
mode: enforce
guards:
  each: [suspect.service]              # identity for the limits below
  cooldown: 30m
  limit: {runs: 3, per: 24h}
  one_at_a_time: ["service:${suspect.service}"]   # lock, shared by all playbooks
  blast_radius: {services: 1, replicas: 40, share_of_fleet: 25%, tier_at_least: 1}
  unless: [release-freeze, open_run("restore-database")]
timeout: 40m
vars:
  app: ${suspect.service}
  good: ${suspect.change.previous}
steps:
  - id: still_bad
    do: prometheus.query
    with: {query: 'sum(rate(http_requests_total{service="${app}",code=~"5.."}[5m]))', at: now}
    check: ${result.value > 0.5}       # false ends the run as "no longer needed"
    otherwise: finish
  - id: approval
    do: approve
    with: {channel: "#incidents", who: ["role:sre", "owner:${app}"], need: 1, not_requester: true}
    timeout: 10m
    otherwise: escalate                # pagerduty, then stop; never "assume yes"
  - id: rollback
    do: argocd.rollback
    with: {app: "${app}", to: "${good}"}
    timeout: 5m
    retry: {times: 2, wait: 20s, on: [unreachable, timeout]}
    undo:
      do: argocd.sync
      with: {app: "${app}", to: "${suspect.change.revision}"}
  - id: verify
    do: wait
    with: {until: "${metrics.error_rate(app) < 0.01}", hold: 3m, within: 12m}
    on_failure: undo                   # stop | continue | undo
  - id: tell
    do: incident.note
    with: {text: "Rolled ${app} back to ${good}; errors are normal."}
on_failure: [{do: pagerduty.trigger, with: {summary: "Rollback of ${app} did not help", severity: critical}}]
"""
RESTORE = (
    "playbook: restore-database\nwhen: {by_hand: true}\nsteps: [{id: tell, do: console.page, with: {text: hello}}]\n"
)
DRIFT = """\
playbook: pause-retraining-on-drift
version: 1
summary: Stop scheduled retraining while its input data is broken.
when:
  incident: [opened]
  if: incident.alerts.exists(a, a.kind == "drift" && a.labels.dataset != "")
mode: enforce
guards: {each: [drift.model], cooldown: 6h, limit: {runs: 2, per: 24h}}
vars: {model: "${drift.model}", dag: "${catalog.model(drift.model).dag}"}
steps:
  - id: validate                       # one p-value is not drift
    do: quell.validate_drift
    with: {model: "${model}", need: {columns: 2, windows: 3, effect: 0.2}, fresh_within: 2h}
    otherwise: finish
  - id: pause
    do: airflow.pause
    with: {dag: "${dag}", stop_runs: false}
    undo: {do: airflow.unpause, with: {dag: "${dag}"}}
  - {id: mark, do: mlflow.tag, with: {model: "${model}", tags: {quell.hold: "${incident.id}"}}}
  - id: ticket
    do: jira.ticket
    with:
      project: ML
      key: "drift:${model}:${drift.dataset}"       # one open ticket per key
      if_open: comment                             # comment | update | skip
      title: "Drift in ${drift.dataset} (${model})"
      assign: "${catalog.model(model).owner}"
  - id: resume
    do: wait
    with: {until: "${drift.score(model) < 0.1}", hold: 24h, within: 14d}
    on_failure: continue
  - {id: unpause, do: approve_then, with: {do: airflow.unpause, args: {dag: "${dag}"}, who: ["role:ml"]}}
"""


class Place:
    """Files of a team, loaded, and an engine that they rule; answers are given as the answers say."""

    def __init__(self, path: pathlib.Path, playbook: str) -> None:
        files: dict[str, str | bytes] = {
            "quell.yaml": MAIN, "rules/all.yaml": RULES, "playbooks/one.yaml": playbook, "playbooks/two.yaml": RESTORE,
        }  # fmt: skip
        specs = {name: one.spec for name, one in find_connectors().connectors.items()}
        self.loaded: Loaded = load(write(path, files), specs, {"TOKEN": "t", "KEY": "k" * 32})
        self.engine = Engine(self.loaded.rulebook)
        self.now = T0
        self.performed: list[Perform] = []
        self.answers: dict[str, dict[str, Any]] = {}

    def tell(self, *records: AnyRecord) -> None:
        self._take(self.engine.decide(records, self.now))

    def until(self, offset_s: float) -> None:
        """Lets time pass, each timer at its own time; every intent is answered at once, after a restart."""
        end = T0 + offset_s
        while (due := self.engine.next_due()) is not None and due <= end:
            self.now = max(due, self.now)
            self._take(self.engine.decide((), self.now))
        self.now = end
        self._take(self.engine.decide((), end))

    def _take(self, decisions: list[AnyDecision]) -> None:
        intents = [one for one in decisions if isinstance(one, Perform)]
        self.performed += intents
        for intent in intents:
            given = self.answers.get(intent.action, {})
            self.engine = Engine.restored(self.loaded.rulebook, self.engine.snapshot())
            self._take(
                self.engine.decide([StepFinished(at=self.now, key=intent.key, outcome="done", **given)], self.now)
            )

    @property
    def actions(self) -> list[str]:
        """What was performed for runs, readings once for each step."""
        named = [(one.action, one.key.split("/")[1]) for one in self.performed if one.run and one.key.startswith("R-")]
        return [action for action, _ in dict.fromkeys(named)]

    @property
    def run(self) -> Run:
        return next(reversed(self.engine.state.runs.values()))


def alert(at: float, labels: dict[str, str], entity: str, **given: Any) -> AlertRecord:
    return AlertRecord(at=at, status="firing", labels=labels, entity=entity, starts_at=at, **given)


def outage(place: Place) -> None:
    place.tell(
        DependencyRecord(at=T0, from_="service/web", to="service/checkout", type="calls"),
        ChangeRecord(at=T0 - 60, id="c9", type="deploy", entity="service/checkout", revision="v9", previous="v8"),
    )
    for name, service in (("HighErrors", "checkout"), ("HighLatency", "checkout"), ("SlowPage", "web")):
        labels = {"alertname": name, "service": service, "severity": "critical"}
        place.tell(alert(place.now, labels, f"service/{service}"))
    place.until(200)


def test_a_bad_deploy_is_rolled_back_and_verified(tmp_path: pathlib.Path) -> None:
    place = Place(tmp_path, ROLLBACK)
    place.answers = {"prometheus.query": {"output": {"value": 0.9}}}
    outage(place)
    assert place.run.state == "waiting", place.run
    assert place.run.approval is not None
    assert place.run.approval.who == ("role:sre", "owner:checkout", "team:payments")
    place.answers = {
        "prometheus.query": {"output": {"value": 0.001}},
        "argocd.rollback_state": {"output": {"to": "v9"}},
    }
    place.tell(CommandRecord(at=place.now, verb="approve", target=place.run.id, by="ana", args={"roles": ["sre"]}))
    verify = next(step for step in place.run.steps if step.id == "verify")
    assert verify.state == "verifying"
    place.until(500)
    assert place.run.state == "done", place.run
    assert place.actions == ["prometheus.query", "argocd.rollback_state", "argocd.rollback", "prometheus.query"]
    rolled = next(one for one in place.performed if one.action == "argocd.rollback")
    assert rolled.params == {"app": "checkout", "to": "v8"}
    notes = [one.text for one in place.engine.state.incidents[place.run.incident].timeline if one.what == "note"]
    assert notes == ["Rolled checkout back to v8; errors are normal."]
    assert place.run.place is not None
    assert [step.place and step.place.line for step in place.run.steps] == [25, 30, 35, 43, 47]


def test_a_rollback_that_does_not_help_is_taken_back(tmp_path: pathlib.Path) -> None:
    place = Place(tmp_path, ROLLBACK)
    place.answers = {"prometheus.query": {"output": {"value": 0.9}}}
    outage(place)
    place.tell(CommandRecord(at=place.now, verb="approve", target=place.run.id, by="ana", args={"roles": ["sre"]}))
    place.until(1200)
    assert place.run.state == "undone", place.run
    assert place.actions[-2:] == ["argocd.sync", "pagerduty.trigger"]
    back = next(one for one in place.performed if one.action == "argocd.sync")
    assert back.params == {"app": "checkout", "to": "v9"}
    assert "did not come true within 12m" in place.run.error


@pytest.mark.parametrize("paused_by_a_person", [False, True])
def test_retraining_is_paused_on_drift_until_the_data_are_well_again(
    tmp_path: pathlib.Path, paused_by_a_person: bool
) -> None:
    place = Place(tmp_path, DRIFT)
    place.answers = {
        "prometheus.query": {"output": {"value": 0.4}},
        "airflow.is_paused": {"output": {"already": paused_by_a_person}},
        "airflow.is_unpaused": {"output": {"already": False}},
    }
    for column in ("age", "income", "country"):
        for window in ("w1", "w2", "w3"):
            labels = {"alertname": f"Drift {column}", "kind": "drift", "model": "churn", "dataset": "clicks",
                      "column": column, "window": window, "severity": "high"}  # fmt: skip
            place.tell(alert(place.now, labels, "model/churn", annotations={"effect_size": "0.35"}))
    place.until(300)
    assert place.run.playbook == "pause-retraining-on-drift", place.engine.state.incidents
    steps = {step.id: step for step in place.run.steps}
    assert steps["validate"].sentence == "drift of churn is validated: 3 columns, 3 windows, effect 0.35"
    assert steps["pause"].left == paused_by_a_person
    assert ("airflow.pause" in place.actions) != paused_by_a_person
    assert steps["resume"].state == "verifying"
    ticket = next(one for one in place.performed if one.action == "jira.ticket")
    assert (ticket.params["key"], ticket.params["assign"]) == ("drift:churn:clicks", "ana")
    place.until(86_400)
    place.answers["prometheus.query"] = {"output": {"value": 0.01}}
    while place.run.state == "running":
        place.until(place.now - T0 + 600)
    assert place.run.state == "waiting", place.run
    place.tell(CommandRecord(at=place.now, verb="approve", target=place.run.id, by="ana", args={"roles": ["ml"]}))
    assert place.run.state == "done", place.run
    assert place.actions[-1] == "airflow.unpause"
