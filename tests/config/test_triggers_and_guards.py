"""What begins a playbook and what may hold it, as it is written: triggers, unless, freezes, blast radius, caps."""

from __future__ import annotations

import pytest

from config.written import MAIN, loaded_from, problems_of
from quell.model.mute import Matcher
from quell.model.playbook import BlastRadius, Playbook, Schedule
from quell.model.rulebook import Caps

STEPS = "steps: [{id: a, do: console.page, with: {text: hello}}]\n"
RULES = """\
freezes:
  - {name: release-freeze, starts: 2026-12-20T00:00:00Z, ends: 2027-01-04T00:00:00Z, reason: holidays}
  - name: Weekend
    days: [fri]
    from: "16:00"
    for: 62h
    zone: Europe/Berlin
    playbooks: [p]
    except: [q]
    effects: [change, tell]
windows:
  - {name: db-work, match: ['team="db"'], from: "22:00", for: 2h}
"""


def playbook(text: str = "", rules: str = "") -> Playbook:
    return loaded_from(_files(text, rules)).rulebook.playbooks[0]


def problems(text: str, rules: str = RULES) -> list[str]:
    return problems_of(_files(text, rules))


def _files(text: str, rules: str) -> dict[str, str | bytes]:
    return {
        "playbooks/p.yaml": f"playbook: p\n{text}{STEPS}",
        "playbooks/q.yaml": f"playbook: q\n{STEPS}",
        "rules/r.yaml": rules,
    }


def test_without_a_word_a_playbook_begins_when_an_incident_opens():
    for text in ("", "when: {}\n", "when: {if: incident.severity == 'high'}\n"):
        assert (playbook(text).on, playbook(text).schedule, playbook(text).alert) == (("opened",), None, None)


def test_each_trigger_is_the_only_one():
    alert = playbook('when: {alert: \'alertname="Drift", team=~"ml|data"\', settled_for: 5m}\n')
    assert (alert.on, alert.settled_for_s) == ((), 300.0)
    assert alert.alert == (
        Matcher(name="alertname", value="Drift"),
        Matcher(name="team", value="ml|data", is_regex=True),
    )
    clock = playbook('when: {schedule: "0  9 * * mon-fri", zone: Europe/Berlin}\n')
    assert (clock.on, clock.schedule) == ((), Schedule(cron="0 9 * * mon-fri", zone="Europe/Berlin"))
    assert playbook("when: {every: 1h30m}\n").schedule == Schedule(every_s=5400.0)
    hand = playbook("when: {by_hand: true}\n")
    assert (hand.on, hand.by_hand) == ((), True)


def test_guards_are_read():
    text = (
        'guards:\n  unless: [release-freeze, Weekend, db-work, open_run("p"), incident.no_clear_cause]\n'
        "  blast_radius: {targets: [suspect.entity], services: 1, dependents: 12, replicas: 40, share_of_fleet: 25%, "
        "tier_at_least: 1}\n"
    )  # fmt: skip
    guards = playbook(text, RULES).guards
    assert guards.unless_open == ("release-freeze", "Weekend", "db-work")
    assert guards.unless == ('open_run("p")', "incident.no_clear_cause")
    assert guards.blast_radius == BlastRadius(
        targets=("suspect.entity",), services=1, dependents=12, replicas=40, share_of_fleet=0.25, tier_at_least=1
    )
    assert playbook("guards: {blast_radius: {share_of_fleet: 0.5}}\n").guards.blast_radius == BlastRadius(
        share_of_fleet=0.5
    )


def test_freezes_are_read():
    once, again = loaded_from(_files("", RULES)).rulebook.freezes
    assert (once.name, once.playbooks, once.effects, once.reason) == ("release-freeze", None, ("change",), "holidays")
    assert once.window.ends_at == 1_799_020_800.0
    assert (again.playbooks, again.except_, again.effects) == (("p",), ("q",), ("change", "tell"))
    assert (again.window.weekdays, again.window.minute, again.window.zone) == (("friday",), 960, "Europe/Berlin")


def test_caps_are_settings():
    assert loaded_from({}).rulebook.caps == Caps(changes_per_hour=20, first_runs_propose=0)
    text = MAIN + "automation: {changes_per_hour: 5, first_runs_propose: 3}\n"
    assert loaded_from({"quell.yaml": text}).rulebook.caps == Caps(changes_per_hour=5, first_runs_propose=3)


MISTAKES = [
    ("when: {incident: [opened], every: 1h}\n", "names incident and every; write two playbooks"),
    ("when: {alert: 'team=\"a\"', by_hand: true}\n", "names alert and by_hand; write two playbooks"),
    ("when: {every: 1h, settled_for: 5m}\n", '"settled_for" goes with incident or alert'),
    ("when: {zone: Europe/Berlin}\n", '"zone" is that of a schedule'),
    ("when: {every: 5s}\n", "2:15: a minute is the shortest time"),
    ('when: {schedule: "0 9 * *"}\n', '2:19: "0 9 * *" has 4 fields, a cron line has 5'),
    ('when: {schedule: "0 9 * * mon-fre"}\n', '2:27: "mon-fre" cannot be the day of the week'),
    ('when: {schedule: "61 9 * * *"}\n', '2:19: "61" cannot be the minute'),
    ('when: {schedule: "0 0 30 2 *"}\n', '2:23: "0 0 30 2 *" is a day that no month has'),
    ('when: {schedule: "0 9 * * *", zone: Berlin}\n', '"Berlin" is not a time zone'),
    ("when: {alert: 'alertname=\"x\", team=~\"(\"'}\n", '2:38: "(" is not a regular expression'),
    ("when: {alert: 'alertname=\"x'}\n", "2:"),
    ('when: {every: 1h, if: incident.id == "x"}\n', "the clock begins this playbook, so there is no incident"),
    ('when: {every: 1h}\nvars: {a: "${suspect.entity}"}\n', "the clock begins this playbook"),
    ('vars: {a: "${alert.name}"}\n', "only a playbook that an alert begins has one"),
    ("when: {alert: 'team=\"a\"'}\nvars: {a: \"${alert.nme}\"}\n", '"alert" has no "nme"; did you mean "name"?'),
    ("guards: {unless: [relase-freeze]}\n", 'no maintenance window "relase-freeze"; did you mean "release-freeze"?'),
    ("guards: {unless: ['open_run(\"z\")']}\n", '2:29: there is no playbook "z"'),
    ('guards: {unless: [open_runs("p")]}\n', 'unknown function "open_runs"; did you mean "open_run"?'),
    ('guards: {unless: [incident.sev == "x"]}\n', '"incident" has no "sev"'),
    ("guards: {blast_radius: {targets: [suspect.entity]}}\n", "a blast radius limits services, dependents"),
    ("guards: {blast_radius: {share_of_fleet: 120%}}\n", '"120%" is not a share; write one from 0% to 100%'),
    ("guards: {blast_radius: {targets: [sspect.entity], services: 1}}\n", 'unknown name "sspect"'),
    ("guards: {blast_radius: {services: -1}}\n", "greater than or equal to 0"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "said"), MISTAKES, ids=[text.strip() for text, _ in MISTAKES])
def test_each_mistake_is_told(text, said):
    found = problems(text)
    assert any(said in problem for problem in found), found


FREEZES = [
    ('{name: f, from: "10:00"}', "a recurring freeze needs both from and for"),
    ("{name: f}", "a freeze has either starts and ends, or from and for"),
    ("{name: f, starts: 2026-12-20T00:00:00Z, ends: 2026-12-19T00:00:00Z}", "the freeze ends before it starts"),
    ('{name: f, from: "10:00", for: 8d}', "a recurring freeze lasts a week at most"),
    ('{name: f, from: "10:00", for: 1h, effects: [chnge]}', 'did you mean "change"?'),
    ('{name: f, from: "10:00", for: 1h, match: [a=b]}', 'unknown key "match"'),
    ('{name: f, from: "10:00", for: 1h}, {name: f, from: "11:00", for: 1h}', 'freezes rule "f" stands here twice'),
    ('{name: f, from: "10:00", for: 1h, except: [nobody]}', 'there is no playbook "nobody"'),
    ('{name: f, from: "10:00", for: 1h, playbooks: [pp]}', 'there is no playbook "pp"'),
    ('{name: db-work, from: "10:00", for: 1h}\nwindows: [{name: db-work, match: [a=b], from: "1:00", for: 1h}]',
     "is not a time of day"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "said"), FREEZES, ids=[said for _, said in FREEZES])
def test_each_mistake_in_a_freeze_is_told(rule, said):
    head, _, rest = rule.partition("\n")
    found = problems("", f"freezes: [{head}]\n{rest}")
    assert any(said in problem for problem in found), found


def test_a_freeze_and_a_window_of_one_name_would_be_one_word_for_two_things():
    rules = RULES + '  - {name: release-freeze, match: [\'team="db"\'], from: "22:00", for: 2h}\n'
    found = problems("", rules)
    assert any("freezes and windows share" in problem for problem in found), found


def test_a_condition_may_speak_of_the_alert_that_begins_it():
    text = 'when:\n  alert: \'team="ml"\'\n  if: alert.labels.dataset != "" && alert.value > 0.5\n'
    assert playbook(text).if_ == 'alert.labels.dataset != "" && alert.value > 0.5'
