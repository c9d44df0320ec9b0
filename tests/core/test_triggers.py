"""What begins runs besides an incident: a single alert, the clock, a person."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from core.stage import T0, Guards, Stage, incident, playbook, step
from quell.core.clockwork import next_time
from quell.model.alert import Alert, Muting
from quell.model.mute import Matcher
from quell.model.playbook import Schedule

HOUR = 3600.0
DRIFT = (Matcher(name="alertname", value="Drift"), Matcher(name="team", value="ml|data", is_regex=True))


def alert(name: str = "d1", **given: Any) -> Alert:
    given = {"labels": {"alertname": "Drift", "team": "ml", "dataset": "clicks"}, "status": "firing", **given}
    return Alert(
        fingerprint=name, source="test", starts_at=T0, updated_at=T0, onset_seen=T0, entity="model/churn", **given
    )


def tells(stage: Stage, one: Alert) -> Stage:
    stage.state.alerts[one.fingerprint] = one
    stage.decisions += stage.automation.on_alert(one, stage.now)
    return stage


def watcher(**given: Any) -> Any:
    return playbook(step("act", with_={"of": "${alert.labels.dataset}"}), on=(), alert=DRIFT, **given)


def test_an_alert_that_matches_begins_one_run_for_each_of_its_firings():
    stage = Stage(watcher())
    for _ in range(3):
        tells(stage, alert())
    assert (stage.run.incident, stage.run.alert, stage.run.event, stage.run.trigger) == ("", "d1", "d1/1", "alert")
    assert stage.performs[0].params == {"of": "clicks"}
    assert stage.run.why == "alert Drift (d1) fires since 2023-11-14T22:13:20.000Z"
    assert stage.run.targets == ("model/churn",)
    stage.answer()
    tells(stage, alert(status="resolved"))
    tells(stage, alert())
    assert len(stage.runs) == 1
    tells(stage, alert(episode=2))
    tells(stage, alert("d2", labels={"alertname": "Drift", "team": "data"}))
    assert [one.event for one in stage.runs] == ["d1/1", "d1/2", "d2/1"]
    assert len({one.id for one in stage.runs}) == 3


@pytest.mark.parametrize(
    "given",
    [
        {"labels": {"alertname": "Drift", "team": "web"}},
        {"labels": {"alertname": "Other", "team": "ml"}},
        {"status": "resolved"},
        {"mutings": (Muting(kind="silence", by="s1"),)},
    ],
)
def test_an_alert_that_does_not_match_is_over_or_muted_begins_nothing(given):
    stage = tells(Stage(watcher(), playbook(name="other")), alert(**given))
    assert (stage.runs, stage.state.settling) == ([], {})


def test_an_alert_that_is_heard_again_begins_its_run_then():
    stage = Stage(watcher())
    tells(stage, alert(mutings=(Muting(kind="window", by="w"),)))
    assert stage.runs == []
    tells(stage, alert())
    assert len(stage.runs) == 1


def test_a_condition_sees_the_alert_and_settles_while_it_fires():
    stage = Stage(watcher(if_="alert.value > 0.5", settled_for_s=300.0))
    tells(stage, alert(value=0.4))
    assert stage.automation.next_due() is None
    tells(stage.at(60), alert(value=0.7))
    assert stage.automation.next_due() == T0 + 360
    tells(stage.at(100), alert(status="resolved"))
    assert (stage.automation.next_due(), stage.state.settling) == (None, {})
    tells(stage.at(200), alert(value=0.7))
    stage.restart().at(499)
    assert stage.runs == []
    stage.at(500)
    assert stage.run.why.endswith(": alert.value > 0.5 held for 5m")


def test_an_alert_in_an_incident_begins_a_run_for_that():
    stage = Stage(watcher())
    stage.state.incidents["INC-1"] = incident()
    tells(stage, alert(incident="INC-1"))
    assert (stage.run.incident, stage.run.suspect.entity) == ("INC-1", "service/checkout")
    assert stage.state.incidents["INC-1"].timeline[-1].what == "run_begun"


def test_a_guard_that_blocked_is_asked_again_with_the_next_news_of_the_alert():
    stage = Stage(watcher(guards=Guards(cooldown_s=600.0)))
    tells(stage, alert())
    stage.answer()
    tells(stage, alert("d2"))
    tells(stage.at(60), alert("d2"))
    assert [(one.event, one.state) for one in stage.runs] == [("d1/1", "done"), ("d2/1", "skipped")]
    tells(stage.at(600), alert("d2"))
    assert [(one.event, one.state) for one in stage.runs][2:] == [("d2/1", "running")]


def clocked(schedule: Schedule, **given: Any) -> Any:
    return playbook(step("act", with_={"x": "1"}), on=(), schedule=schedule, **given)


def test_the_clock_begins_runs_at_whole_multiples_also_after_a_restart():
    stage = Stage(clocked(Schedule(every_s=HOUR)))
    first = (T0 // HOUR + 1) * HOUR
    assert stage.automation.next_due() == first
    stage.at(first - T0)
    assert stage.run.why == "every 1h: 2023-11-14T23:00:00.000Z"
    assert (stage.run.trigger, stage.run.event, stage.run.incident) == ("schedule", "2023-11-14T23:00:00.000Z", "")
    stage.answer()
    stage.restart()
    assert stage.automation.next_due() == first + HOUR
    stage.at(first + HOUR - T0)
    assert [one.state for one in stage.runs] == ["done", "running"]


def test_a_cron_line_is_on_the_wall_clock_of_its_zone():
    line = Schedule(cron="0 9 * * mon-fri", zone="Europe/Berlin")
    stage = Stage(clocked(line))
    due = stage.automation.next_due()
    assert due == 1_700_035_200.0  # 2023-11-15 09:00 in Berlin
    stage.at(due - T0)
    assert 'schedule "0 9 * * mon-fri" in Europe/Berlin' in stage.run.why
    assert next_time(Schedule(cron="30 2 * * *", zone="Europe/Berlin"), 1_774_742_400.0) == 1_774_746_000.0


def test_the_condition_of_a_schedule_is_asked_when_its_time_comes():
    stage = Stage(clocked(Schedule(every_s=HOUR), if_="now.getHours() == 1"))
    stage.at(6 * HOUR)
    assert [one.event for one in stage.runs] == ["2023-11-15T01:00:00.000Z"]


def test_the_clock_begins_no_run_beside_the_one_before_and_says_so_once():
    stage = Stage(clocked(Schedule(every_s=HOUR), mode="propose", timeout_s=10 * HOUR))
    stage.at(4 * HOUR)
    assert [(one.state, one.error) for one in stage.runs] == [
        ("proposed", ""),
        ("skipped", f"run {stage.runs[0].id} is not over yet"),
    ]


def test_a_schedule_that_is_changed_begins_anew_and_one_that_is_gone_is_forgotten():
    stage = Stage(clocked(Schedule(every_s=HOUR)))
    stage.automation.next_due()
    stage.rulebook = replace(stage.rulebook, playbooks=(clocked(Schedule(every_s=2 * HOUR)),))
    assert stage.restart().automation.next_due() == (T0 // (2 * HOUR) + 1) * 2 * HOUR
    stage.rulebook = replace(stage.rulebook, playbooks=(clocked(Schedule(every_s=HOUR), mode="off"),))
    assert stage.restart().automation.next_due() is None
    assert stage.state.scheduled == {}


@pytest.mark.parametrize("down_s", [1800.0, 5 * HOUR, 5 * HOUR + 1, 8 * HOUR - 1])
def test_what_the_clock_missed_comes_once_at_the_time_of_return(down_s):
    stage = Stage(clocked(Schedule(every_s=HOUR)))
    now = stage.automation.next_due() + down_s
    stage.now = now
    stage.decisions += stage.automation.resumed(now)
    stage.decisions += stage.automation.on_time(now)
    assert len(stage.runs) == 1
    assert stage.run.started_at == now
    latest = now // HOUR * HOUR
    assert stage.run.why.endswith(" late") == (now > latest)
    assert "the daemon was down" in stage.audits[0]
    stage.answer()
    assert stage.automation.next_due() == latest + HOUR


def test_what_is_missed_by_more_than_an_hour_is_left_out():
    stage = Stage(clocked(Schedule(cron="0 3 * * *")))
    due = stage.automation.next_due()
    now = due + HOUR + 1
    stage.decisions += stage.automation.resumed(now)
    stage.decisions += stage.automation.on_time(now)
    assert stage.runs == []
    assert stage.automation.next_due() == due + 86_400
    assert "too long ago, so it waits for the next time" in stage.audits[0]


def test_only_a_person_begins_what_is_by_hand():
    stage = Stage(playbook(step("act", with_={"x": "1"}), on=(), by_hand=True))
    stage.news()
    stage.at(86_400)
    assert stage.runs == []
    stage.say("run", "rollback")
    assert (stage.run.incident, stage.run.by, stage.run.state) == ("", "ana", "running")
    stage.say("run", "rollback")
    assert "is running for the same" in stage.audits[-1] or len(stage.runs) == 2


def test_a_playbook_about_incidents_is_not_begun_without_one():
    stage = Stage(playbook())
    stage.say("run", "rollback")
    assert stage.runs == []
    assert stage.audits[-1].endswith("refused: playbook rollback runs for an incident; name one")


def test_an_approval_without_an_incident_holds():
    stage = Stage(clocked(Schedule(every_s=HOUR), mode="propose"))
    stage.at(HOUR)
    stage.say("approve")
    assert stage.run.state == "running"
    assert len(stage.performs) == 1


def test_why_each_playbook_did_or_did_not_run_is_told_whatever_begins_it():
    other = (Matcher(name="alertname", value="Other"),)
    books = (
        watcher(name="a"),
        watcher(name="b", if_="alert.value > 1.0"),
        watcher(name="c", settled_for_s=300.0),
        playbook(name="d", on=(), alert=other),
        clocked(Schedule(every_s=HOUR), name="e"),
        playbook(name="f", on=(), by_hand=True),
        playbook(name="g", guards=Guards(cooldown_s=600.0)),
        watcher(name="h", mode="off"),
    )
    stage = Stage(*books)
    about = incident(alerts=("d1",))
    tells(stage, alert(value=0.5))
    assert (
        dict(stage.automation.considered(about, T0))["g"] == "has no condition, but it waits until the incident opens"
    )
    stage.say("run", "f")
    stage.news(incident("INC-0"))
    stage.answer()
    stage.at(60).news(about)
    found = dict(stage.automation.considered(about, stage.now))
    ran = {one.playbook: one.id for one in stage.runs}
    assert found == {
        "a": f"alert Drift: run {ran['a']} is running",
        "b": "alert Drift: its condition is false",
        "c": "alert Drift: its condition holds, and must hold until 2023-11-14T22:18:20.000Z",
        "d": "no alert of the incident is one that it waits for",
        "e": "the clock begins it, next at 2023-11-14T23:00:00.000Z, not an incident",
        "f": "only a person begins it",
        "g": f"cooldown of 10m after run {stage.runs[-2].id} holds until 2023-11-14T22:23:20.000Z",
        "h": "is off",
    }
    muted = alert(mutings=(Muting(kind="silence", by="s1"),), episode=2)
    tells(stage, muted)
    assert dict(stage.automation.considered(about, stage.now))["a"] == "alert Drift: it is muted by silence s1"
    tells(stage, alert(status="resolved", episode=2))
    assert dict(stage.automation.considered(about, stage.now))["a"] == "alert Drift: it is resolved"
