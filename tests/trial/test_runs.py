"""Runs of playbooks in scenarios: what the outside answers, what people do, and what a crash leaves."""

import pytest

from quell.core.engine import Engine
from quell.trial.machine import Machine

PLAYBOOK = """\
    playbook: fix
    version: 1
    summary: Opens a ticket and asks the tool.
    when: {incident: [opened]}
    mode: shadow
    guards: {each: [incident.id], cooldown: 10m}
    steps:
      - id: ticket
        do: ticket.open
        with: {key: "incident:${incident.id}", title: "${incident.title}"}
        timeout: 30s
        retry: {times: 2, wait: 20s, on: [unreachable, timeout]}
      - id: approval
        do: approve
        with: {who: ["role:sre"], text: Fix it?, not_requester: true}
        timeout: 20m
      - id: fix
        do: deploy.put
        with: {url: /fix/checkout}
        check: '!has(result.value) || result.value != "broken"'
        otherwise: escalate
    on_failure:
      - {do: console.print, with: {text: It could not be fixed.}}
"""
FEED = """\
    test: it is fixed
    playbooks: [fix]
    mode: enforce
    feed: [{at: 0s, alert: {alertname: Down, service: checkout, severity: critical}}]
"""
APPROVED = FEED + "    people: [{at: 15m, approve: approval, as: ana, roles: [sre]}]\n"
DONE = "    expect: [{at: 20m, runs: [{playbook: fix, state: done, steps: {fix: done}}]}]\n"


@pytest.fixture
def fix(house):
    house.playbook("fix", PLAYBOOK)
    return house


def test_an_action_without_a_fake_is_done(fix):
    assert not fix.failures(APPROVED + DONE)


def test_answers_come_in_order_and_the_last_one_stays(fix):
    text = (
        APPROVED + "    fake: {ticket.open: [{fail: unreachable}, {fail: timeout}, {ok: {id: 7}, sentence: opened}]}\n"
    )
    assert not fix.failures(
        text + "    expect: [{at: 20m, calls: [{ticket.open: {}, times: 3}], runs: [{state: done}]}]\n"
    )
    text = FEED + "    fake: {ticket.open: [{fail: unreachable}]}\n"
    wanted = "[{state: failed, error: unreachable, steps: {ticket: {state: failed}, on_failure/1: done}}]"
    assert not fix.failures(
        text + f"    expect: [{{at: 20m, calls: [{{ticket.open: {{}}, times: 3}}], runs: {wanted}}}]\n"
    )


def test_a_refusal_is_not_tried_again(fix):
    text = FEED + "    fake: {ticket.open: {fail: refused, error: no such project}}\n"
    wanted = "    expect: [{at: 20m, calls: [{ticket.open: {}, times: 1}], runs: [{error: no such project}]}]\n"
    assert not fix.failures(text + wanted)


def test_a_series_answers_by_time(fix):
    text = APPROVED + '    fake: {deploy.put: {"0s": {value: fine}, "14m": {value: broken}}}\n'
    assert not fix.failures(text + "    expect: [{at: 20m, runs: [{state: stopped, error: is false}]}]\n")
    text = APPROVED + '    fake: {deploy.put: {"0s": broken, "14m": fine}}\n'
    assert not fix.failures(text + DONE)


def test_an_answer_takes_its_time_and_a_late_one_is_a_timeout(fix):
    text = FEED + "    fake: {ticket.open: {ok: {}, takes: 10s}}\n"
    wanted = """\
    expect:
      - {at: 10m5s, runs: [{state: running, steps: {ticket: acting}}]}
      - {at: 11m, runs: [{state: waiting, steps: {ticket: done}}]}
"""
    assert not fix.failures(text + wanted)
    text = FEED + "    fake: {ticket.open: {ok: {}, takes: 40s}}\n"
    wanted = "    expect: [{at: 20m, calls: [{ticket.open: {}, times: 3}], runs: [{error: did not finish}]}]\n"
    assert not fix.failures(text + wanted)


def test_the_other_side_may_ask_to_be_left_alone(fix):
    text = FEED + "    fake: {ticket.open: [{fail: unreachable, retry_after: 5m}, {ok: {}}]}\n"
    wanted = """\
    expect:
      - {at: 14m, calls: [{ticket.open: {}, times: 1}]}
      - {at: 16m, calls: [{ticket.open: {}, times: 2}], runs: [{state: waiting}]}
    crash: everywhere
"""
    assert not fix.failures(text + wanted)


def test_a_strict_test_names_every_answer(fix):
    text = APPROVED + "    strict: true\n    fake: {ticket.open: {}}\n"
    assert not fix.failures(text + "    expect: [{at: 20m, runs: [{state: failed, error: the test is strict}]}]\n")


def test_dry_runs_call_nothing(fix):
    text = FEED.replace("enforce", "shadow") + "    crash: everywhere\n"
    calls = "no_calls: true, calls: [{ticket.open: {}, dry: true}]"
    wanted = f"    expect: [{{at: 20m, runs: [{{dry: true, state: done}}], {calls}}}]\n"
    assert not fix.failures(text + wanted)


def test_bad_parameters_are_refused_as_in_the_daemon(house):
    house.playbook(
        "odd",
        """\
    playbook: odd
    mode: enforce
    guards: {each: [incident.id]}
    steps:
      - {id: it, do: ticket.open, with: {key: "${incident.age}", title: "${incident.no_clear_cause}"}}
    """,
    )
    text = FEED.replace("[fix]", "[odd]")
    wanted = "    expect: [{at: 20m, runs: [{state: failed, error: 'parameter \"title\"'}]}]\n"
    assert not house.failures(text + wanted)


def test_people_are_held_to_what_they_may(fix):
    people = """\
    people:
      - {at: 1m, approve: approval, as: ana, refused: true}
      - {at: 15m, approve: approval, as: bob, roles: [dev], refused: none of role:sre}
      - {at: 16m, approve: approval, as: bob, roles: [dev]}
      - {at: 17m, approve: fix, as: ana, roles: [sre], refused: anything}
"""
    found = fix.failures(FEED + people + DONE)
    assert [(line, what, want) for line, what, want, _ in found] == [
        (8, "bob: approve approval", "it is done"),
        (9, "ana: approve fix", "refused: anything"),
    ]
    assert [got for *_, got in found] == ["refused: bob is none of role:sre", "it was done"]


def test_nobody_meant_is_a_failure(fix):
    people = """\
    people:
      - {at: 1m, ack: checkout, as: ana}
      - {at: 15m, reject: nothing, as: ana}
"""
    found = fix.failures(FEED + people + "    expect: [{at: 20m}]\n")
    assert [got for *_, got in found] == [
        'no open incident is about "checkout"; there is none',
        'no run of "nothing" asks; of the runs fix is waiting at approval',
    ]


def test_people_do_all_they_can(fix):
    assert not fix.failures(
        FEED
        + """\
    people:
      - {at: 11m, ack: true, as: ana}
      - {at: 12m, pause: true, as: ana}
      - {at: 13m, unpause: true, as: ana}
      - {at: 14m, reject: approval, as: ana, note: not now}
      - {at: 15m, resolve: Down, as: ana}
      - {at: 16m, reopen: checkout, as: ana}
      - {at: 17m, run: fix, as: bob, incident: checkout, dry: true}
      - {at: 28m, run: fix, as: bob}
      - {at: 29m, approve: approval, as: bob, refused: somebody else must}
      - {at: 30m, stop: fix, as: ana}
      - {at: 31m, command: {verb: ack, target: INC-none}, as: ana, refused: there is no incident}
    expect:
      - at: 40m
        incidents: [{status: open}]
        runs: [{error: "rejected by ana: not now"}, {dry: true, state: done}, {state: stopped, why: bob}]
"""
    )


def test_crashes_everywhere_come_to_the_same(fix):
    text = APPROVED + "    fake: {ticket.open: [{fail: lost}, {ok: {}}]}\n    crash: everywhere\n"
    tried = fix.tried(text + DONE)
    (trial,) = tried.trials
    assert trial.passed, trial
    assert trial.kills >= 15


def test_crash_can_be_asked_for_from_outside(fix):
    (trial,) = fix.tried(APPROVED + DONE).trials
    assert trial.kills == 0
    (trial,) = fix.tried(crash=True).trials
    assert trial.passed
    assert trial.kills >= 15


NEVER = PLAYBOOK.replace("deploy.put", "deploy.request")


def test_what_may_never_be_repeated_is_asked_about(house):
    house.playbook("fix", NEVER)
    (trial,) = house.tried(APPROVED + DONE, crash=True).trials
    assert trial.passed, trial.under_kills


def test_a_playbook_that_does_not_survive_a_crash_is_found(house):
    """A lost answer of an act that may not be repeated needs a person, whom this scenario does not have."""
    house.playbook("fix", NEVER)
    found = house.failures(APPROVED + "    fake: {deploy.request: {fail: lost}}\n" + DONE)
    assert [what for _, what, *_ in found] == ["runs"]
    assert "in_doubt" in found[0][3]


def test_a_person_says_what_became_of_a_doubt(house):
    house.playbook("fix", NEVER)
    people = "      - {at: 18m, approve: fix, as: ana, note: I looked}\n"
    text = APPROVED.replace("    people: [", "    people:\n      - ").replace("[sre]}]", "[sre]}")
    assert not house.failures(text + people + "    fake: {deploy.request: {fail: lost}}\n" + DONE)


class TestHowSharp:
    """What is wrong with quell itself, were it so, would be found."""

    def test_acts_that_a_start_forgets(self, fix, monkeypatch):
        monkeypatch.setattr(Machine, "_reconcile", lambda _machine, _now: None)
        (trial,) = fix.tried(APPROVED + DONE, crash=True).trials
        assert trial.failures == ()
        assert trial.under_kills

    def test_acts_that_a_start_repeats_though_it_must_not(self, house, monkeypatch):
        house.playbook("fix", NEVER)
        monkeypatch.setattr(Machine, "_reconcile", _repeats_everything)
        (trial,) = house.tried(APPROVED + DONE, crash=True).trials
        assert {(one.what, one.got) for one in trial.under_kills} == {
            ("crash", "nobody was asked"),
            ("crash", "it took effect 2 times"),
        }

    def test_a_state_that_loses_its_runs(self, fix, monkeypatch):
        whole = Engine.snapshot

        def without_runs(engine):
            kept, engine.state.runs = engine.state.runs, {}
            data = whole(engine)
            engine.state.runs = kept
            return data

        monkeypatch.setattr(Engine, "snapshot", without_runs)
        (trial,) = fix.tried(APPROVED + DONE, crash=True).trials
        assert trial.under_kills


def _repeats_everything(machine, now):
    for entry in list(machine._ledger.values()):
        if entry.state != "settled":
            machine._submit(entry.deed, now)


def test_measures_are_faked_by_their_name(house):
    (house.directory / "rules" / "measures.yaml").write_text("""\
measures:
  metrics.error_rate:
    params: [service]
    do: prometheus.query
    with: {query: 'sum(errors{service="${service}"})'}
""")
    main = house.directory / "quell.yaml"
    main.write_text(main.read_text().replace("  # prometheus: {", "  prometheus: {"))
    house.playbook(
        "watch",
        """\
    playbook: watch
    mode: enforce
    guards: {each: [incident.id]}
    steps:
      - id: calm
        do: wait
        with: {until: 'metrics.error_rate(incident.severity) < 0.01', hold: 3m, within: 30m, every: 1m}
    """,
    )
    text = FEED.replace("[fix]", "[watch]") + '    fake: {metrics.error_rate: {"0s": 0.2, "20m": 0.001}}\n'
    expect = """\
    expect:
      - {at: 19m, runs: [{state: running, steps: {calm: verifying}}]}
      - {at: 30m, runs: [{state: done}]}
    crash: everywhere
"""
    assert not house.failures(text + expect)
    assert house.failures(text.replace("0.001", "0.1") + expect)


def test_the_clock_begins_runs_and_a_freeze_keeps_them(house):
    (house.directory / "rules" / "freeze.yaml").write_text(
        "freezes: [{name: month-end, starts: 2026-03-02T00:00:00Z, ends: 2026-03-03T00:00:00Z, reason: books close}]\n"
    )
    house.playbook(
        "nightly",
        """\
    playbook: nightly
    when: {schedule: "0 11 * * *"}
    mode: enforce
    guards: {cooldown: 1h}
    steps: [{id: tidy, do: deploy.put, with: {url: /tidy}}]
    """,
    )
    assert not house.failures("""\
    test: it tidies up every day, but not while the books close
    expect:
      - {at: 59m, runs: []}
      - {at: 61m, runs: [{state: done}]}
      - {at: 26h, runs: [{state: done}, {state: skipped, why: books close}], calls: [{deploy.put: {}, times: 1}]}
      - {at: 50h, calls: [{deploy.put: {url: /tidy}, times: 2}]}
    crash: everywhere
    """)


def test_a_stuck_run_is_released(house):
    house.playbook(
        "stuck",
        """\
    playbook: stuck
    mode: enforce
    guards: {each: [incident.id], one_at_a_time: [the-lock]}
    steps:
      - {id: one, do: deploy.put, with: {url: /one}, undo: {do: deploy.put, with: {url: /un-one}}}
      - {id: two, do: ticket.open, with: {title: two}, on_failure: undo}
    """,
    )
    text = (
        FEED.replace("[fix]", "[stuck]")
        + """\
    fake:
      deploy.put: [{ok: {}}, {fail: refused}]
      ticket.open: {fail: refused}
    people: [{at: 30m, release: stuck, as: ana}]
    expect: [{at: 31m, runs: [{state: stuck, steps: {one/undo: failed}}]}]
    crash: everywhere
"""
    )
    assert not house.failures(text)
