"""Storms, silences, people and time as the whole core sees them, on two small estates."""

from __future__ import annotations

import msgspec
import pytest

from core.scene import T0, Scene, consistent, deploy, ends, fires, matcher, outage, playbook, rulebook, says, silence
from quell.model.playbook import Place
from quell.model.records import DependencyRecord, EntityRecord, FeedbackRecord, IncidentRecord
from quell.model.rulebook import InhibitRule, MapRule, MuteRule, Route, Triage, TriageRule, Window

FAULT = ("ledger", "payments", "checkout", "frontend")
LAB_FAULT = ("disk", "warehouse", "reports", "dashboard")


def over(at: float, of: tuple[str, ...] = FAULT) -> list:
    return [ends(service, at) for service in of]


def test_a_storm_becomes_one_incident_that_pages_once_with_its_cause():
    scene = Scene()
    scene.tell(*outage())
    scene.wait(300.0)
    assert scene.services(scene.incident) == set(FAULT)
    assert scene.incident.suspects[0].entity == "service/ledger"
    assert scene.incident.suspects[0].path == tuple(f"service/{name}" for name in FAULT)
    assert [page.incident for page in scene.pages] == [scene.incident.id]
    assert scene.alert("ledger").handling == "page"
    assert scene.alert("frontend").reason.code == "in_incident"
    assert scene.events[0] == "opened"


def test_two_outages_at_once_stay_two():
    scene = Scene()
    scene.tell(*outage(), *outage(3.0, of=LAB_FAULT))
    scene.wait(300.0)
    assert {one.suspects[0].entity for one in scene.open} == {"service/ledger", "service/disk"}
    assert len(scene.pages) == 2


def test_a_silent_host_is_found():
    hosts = [f"pay-{number}" for number in range(4)]
    scene = Scene()
    scene.tell(
        EntityRecord(at=T0 - 60, entity="host/h1", labels={"namespace": "shop"}),
        *(EntityRecord(at=T0 - 60, entity=f"service/{name}", labels={"namespace": "shop"}) for name in hosts),
        *(DependencyRecord(at=T0 - 60, from_=f"service/{name}", to="host/h1", type="runs_on") for name in hosts),
        at=-60.0,
    )
    scene.tell(*(fires(name, 2.0 * number, "TargetDown") for number, name in enumerate(hosts)))
    scene.wait(120.0)
    first = scene.incident.suspects[0]
    assert first.entity == "host/h1"
    assert any(one.code == "silent" for one in first.evidence)


@pytest.mark.parametrize(
    ("service", "at", "blamed"),
    [("ledger", -60.0, True), ("ledger", -86_000.0, False), ("disk", -60.0, False), ("ledger", 2000.0, False)],
)
def test_a_change_is_blamed_only_when_near_and_on_the_cause(service: str, at: float, blamed: bool):
    scene = Scene()
    records = [deploy(service, at), *outage()]
    scene.tell(*sorted(records, key=lambda one: one.at))
    scene.wait(2100.0)
    (incident,) = scene.incidents
    assert (incident.suspects[0].change == f"deploy-{service}") is blamed
    assert ("No change is near enough" in scene.text()) is not blamed


def test_a_change_told_after_the_storm_is_still_found():
    scene = Scene()
    scene.tell(*outage())
    scene.wait(60.0)
    scene.tell(msgspec.structs.replace(deploy("ledger", -30.0), seen=T0 + 70.0), at=70.0)
    scene.wait(90.0)
    assert scene.incident.suspects[0].change == "deploy-ledger"
    assert "suspects_changed" in scene.events


def test_a_change_told_again_in_other_words_is_one_change():
    scene = Scene()
    scene.tell(deploy("disk", -60.0), deploy("ledger", -50.0, name="deploy-disk", source="other"), at=-50.0)
    scene.tell(*outage())
    scene.wait(60.0)
    assert list(scene.engine.state.changes) == ["deploy-disk"]
    assert scene.incident.suspects[0].change == "deploy-disk"


def test_idle_traffic_is_trouble_too():
    scene = Scene()
    names = (("checkout", "HighErrorRate"), ("payments", "NoRequestsReceived"), ("cart", "NoRequestsReceived"))
    scene.tell(*(fires(service, 20.0 * at, name, "warning") for at, (service, name) in enumerate(names)))
    scene.wait(120.0)
    assert scene.services(scene.incident) == {"checkout", "payments", "cart"}


def test_a_lone_critical_alert_pages_after_its_wait_and_not_before():
    scene = Scene()
    scene.tell(deploy("disk", -60.0), fires("disk"))
    scene.wait(599.0)
    assert scene.pages == []
    assert scene.alert("disk").reason.code == "waiting_for_company"
    scene.wait(601.0)
    assert scene.incident.alerts == (scene.alert("disk").fingerprint,)
    assert len(scene.pages) == 1
    assert scene.incident.changes == ("deploy-disk",)
    assert "only service/disk alerts" in scene.text()
    assert "Nearby change: deploy v9 of service/disk" in scene.text()
    consistent(scene.engine)


def test_a_lone_alert_that_ends_in_time_never_pages():
    scene = Scene()
    scene.tell(fires("disk"), ends("disk", 200.0))
    scene.wait(4000.0)
    assert scene.pages == []
    assert scene.incidents == []
    assert scene.alert("disk").handling == "digest"


def test_information_never_pages_alone_or_together():
    scene = Scene()
    scene.tell(*(msgspec.structs.replace(one, labels={**one.labels, "severity": "info"}) for one in outage()))
    scene.wait(4000.0)
    assert scene.pages == []
    assert len(scene.incidents) == 1
    assert "mere information" in scene.text()


def test_a_lone_incident_keeps_its_id_when_company_comes():
    scene = Scene()
    scene.tell(fires("ledger"))
    scene.wait(650.0)
    name = scene.incident.id
    scene.tell(*(msgspec.structs.replace(one, seen=T0 + 660.0) for one in outage()[1:]), at=660.0)
    scene.wait(720.0)
    assert scene.incident.id == name
    assert scene.services(scene.incident) == set(FAULT)
    assert len(scene.pages) == 1


def test_an_alert_that_nobody_can_place_is_seen_and_pages():
    scene = Scene()
    scene.tell(fires("x", labels={"service": "", "namespace": ""}))
    (alert,) = scene.engine.state.alerts.values()
    assert alert.entity is None
    scene.wait(601.0)
    assert scene.incident.title == "unknown place: HighErrorRate"
    assert "Write a map rule" in scene.text()
    assert len(scene.pages) == 1


def test_silenced_alerts_do_not_page_and_say_so():
    scene = Scene()
    scene.tell(silence("s1", 0.0, 3600.0), *outage(10.0))
    scene.wait(1200.0)
    assert scene.pages == []
    assert scene.incidents == []
    assert scene.alert("ledger").handling == "muted"
    why = scene.engine.why_not(scene.alert("ledger").fingerprint)
    assert why is not None
    assert "muted by silence s1 (ana: planned work)" in why


def test_what_was_silenced_until_it_ended_opens_nothing():
    scene = Scene()
    scene.tell(silence("s1", 0.0, 20.0), *(fires(name, 5.0) for name in FAULT), *over(9.0))
    scene.wait(2000.0)
    assert scene.incidents == []
    assert scene.pages == []


def test_a_silence_that_ends_lets_the_storm_page():
    scene = Scene()
    scene.tell(silence("s1", 0.0, 300.0), *outage(10.0))
    scene.wait(299.0)
    scene.tell(fires("catalog", 299.0, severity="info", labels={"namespace": "none"}))
    scene.wait(900.0)
    assert len(scene.pages) == 1
    assert scene.pages[0].at >= T0 + 300.0
    consistent(scene.engine)


@pytest.mark.parametrize("until", [1200.0, 8000.0])
def test_a_silence_that_ends_late_makes_one_page_of_a_storm(until: float):
    scene = Scene()
    scene.tell(silence("s1", 0.0, until), *outage(10.0))
    scene.wait(until + 100.0)
    assert len(scene.pages) == 1
    assert scene.services(scene.incident) == set(FAULT)
    consistent(scene.engine)


def test_an_incident_whose_only_audible_alert_comes_later_pages_then():
    book = rulebook(mute=(MuteRule(name="quiet", matchers=(matcher("alertname", "Slow"),), reason="tuned soon"),))
    scene = Scene(book)
    scene.tell(*(fires(name, 5.0 * at, "Slow") for at, name in enumerate(FAULT)))
    scene.tell(fires("payments", 30.0, severity="info", labels={"kind": "x"}))
    scene.wait(100.0)
    assert scene.pages == []
    assert len(scene.open) == 1
    scene.tell(fires("checkout", 110.0))
    scene.wait(200.0)
    assert [page.alert for page in scene.pages] == [scene.alert("checkout").fingerprint]


def test_a_silence_over_one_alert_of_an_incident_that_could_not_page_ends():
    scene = Scene()
    info = [fires(name, 5.0 * at, severity="info") for at, name in enumerate(FAULT)]
    scene.tell(silence("s1", 0.0, 400.0, matcher("severity", "critical")), *info, fires("ledger", 20.0))
    scene.wait(399.0)
    assert scene.pages == []
    assert len(scene.incident.alerts) == 5
    scene.wait(401.0)
    assert [page.alert for page in scene.pages] == [scene.alert("ledger").fingerprint]


def test_an_expired_silence_is_gone_at_once():
    scene = Scene()
    scene.tell(silence("s1", 0.0, 3600.0), *outage(10.0))
    scene.tell(says("expire_silence", "s1", 100.0))
    scene.wait(200.0)
    assert len(scene.pages) == 1
    scene.tell(says("expire_silence", "s1", 210.0))
    assert scene.audits[-1] == 'ana expire_silence s1: refused: there is no active silence "s1"'


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (None, "not a silence: Expected `object`"),
        ({"id": ""}, "not a silence: it has no id"),
        ({"starts_at": float("nan")}, "not a silence: its times are none that a calendar holds"),
        ({"matchers": [{"name": "a", "value": "(", "isRegex": True}]}, "not a silence: "),
    ],
)
def test_what_is_no_silence_is_refused_with_the_reason(given: dict | None, why: str):
    scene = Scene()
    good = silence("s1", 0.0, 60.0).args["silence"]
    told = None if given is None else {**good, **given}
    scene.tell(says("silence", "", silence=told), fires("ledger"), at=0.0)
    assert scene.engine.state.silences == {}
    assert f"ana silence : refused: {why}" in scene.audits[0]


def test_inhibition_hands_over_when_its_source_ends():
    rule = InhibitRule(
        name="down", source=(matcher("alertname", "Down"),), target=(matcher("alertname", "Slow"),), equal=("service",)
    )
    scene = Scene(rulebook(inhibit=(rule,)))
    scene.tell(fires("disk", 0.0, "Slow"), fires("disk", 5.0, "Down"))
    assert scene.alert("disk", "Slow").handling == "muted"
    scene.tell(ends("disk", 60.0, "Down"))
    assert scene.alert("disk", "Slow").handling == "hold"
    scene.wait(700.0)
    assert len(scene.pages) == 1


def test_an_incident_resolves_after_calm_and_not_before():
    scene = Scene()
    scene.tell(*outage(), *over(300.0))
    scene.wait(419.0)
    assert scene.incident.status == "open"
    scene.wait(421.0)
    assert scene.incident.status == "resolved"
    assert scene.incident.timeline[-1].text == "all its alerts are over (after 6m30s)"


def test_an_incident_whose_alerts_are_over_when_it_opens_does_not_stay_open():
    scene = Scene()
    scene.tell(*(fires(name, 1.0) for name in FAULT), *over(5.0))
    scene.wait(600.0)
    assert scene.incident.status == "resolved"
    assert scene.pages == []


def test_an_alert_that_is_back_soon_opens_its_incident_again_without_another_page():
    scene = Scene()
    scene.tell(*outage(), *over(300.0))
    scene.wait(500.0)
    scene.tell(fires("payments", 600.0))
    assert scene.incident.status == "open"
    assert scene.incident.timeline[-1].text == "HighErrorRate is back"
    scene.wait(700.0)
    assert len(scene.pages) == 1
    consistent(scene.engine)


def test_an_alert_that_is_back_after_a_while_pages_again_under_another_key():
    scene = Scene(rulebook(triage=Triage(flap_gap_s=200.0)))
    scene.tell(*outage(), *over(300.0))
    scene.wait(500.0)
    scene.tell(*(fires(name, 800.0 + at) for at, name in enumerate(FAULT)))
    scene.wait(1000.0)
    assert [one.status for one in scene.open] == ["open"]
    assert len(scene.pages) == 2
    assert len({call.key for call in scene.calls}) == 2
    consistent(scene.engine)


def test_a_person_who_resolves_is_not_overruled_by_what_fires_on():
    scene = Scene()
    scene.tell(*outage())
    scene.wait(60.0)
    scene.tell(says("resolve", scene.incident.id, 60.0, note="known"))
    scene.tell(deploy("ledger", 61.0))
    scene.wait(300.0)
    assert scene.incident.status == "resolved"
    scene.tell(fires("cart", 310.0), fires("catalog", 311.0))
    scene.tell(says("resolve", scene.incident.id, 312.0))
    assert "is already resolved" in scene.audits[-1]


def test_new_trouble_opens_a_resolved_incident_again():
    scene = Scene()
    scene.tell(*outage(of=FAULT[:3]))
    scene.wait(60.0)
    scene.tell(says("resolve", scene.incident.id, 60.0))
    scene.tell(fires("frontend", 70.0))
    scene.wait(200.0)
    assert scene.incident.status == "open"
    assert "reopened" in scene.events
    assert len(scene.pages) == 1


def test_a_person_may_open_an_incident_again_and_it_stays_open():
    scene = Scene()
    scene.tell(*outage(), *over(300.0))
    scene.wait(500.0)
    scene.tell(says("reopen", scene.incident.id, 510.0, note="not fixed"))
    scene.wait(5000.0)
    assert scene.incident.status == "open"
    assert scene.incident.timeline[-1].by == "ana"
    assert len(scene.pages) == 1
    scene.tell(says("reopen", scene.incident.id, 5001.0))
    assert scene.audits[-1].endswith("is already open")
    scene.wait(90_000.0)
    assert scene.incident.status == "resolved"
    consistent(scene.engine)


def test_ack_before_the_page_keeps_it_from_paging():
    scene = Scene()
    scene.tell(*(fires(name, 5.0 * at, severity="info") for at, name in enumerate(FAULT)))
    scene.wait(60.0)
    scene.tell(says("ack", scene.incident.id, 61.0, by="bo"))
    scene.tell(fires("ledger", 70.0, severity="warning"))
    scene.wait(900.0)
    assert scene.incident.status == "acknowledged"
    assert scene.pages == []
    assert "Has not paged: bo acknowledged it first." in scene.text()
    assert "escalated" in scene.events
    scene.tell(fires("ledger", 910.0))
    scene.wait(960.0)
    assert [page.reason for page in scene.pages] == ["was acknowledged by bo as info; now critical"]


def test_an_acknowledged_incident_grows_quietly():
    scene = Scene()
    scene.tell(*outage(of=FAULT[:3]))
    scene.wait(60.0)
    scene.tell(says("ack", scene.incident.id, 60.0))
    scene.tell(fires("frontend", 70.0))
    scene.wait(100.0)
    assert scene.incident.status == "acknowledged"
    assert len(scene.incident.alerts) == 4
    assert len(scene.pages) == 1
    scene.tell(says("ack", scene.incident.id, 101.0, by="bo"))
    assert scene.audits[-1].endswith("is already acknowledged by ana")


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (says("dance"), 'refused: there is no command "dance"'),
        (says("ack", "INC-x"), 'refused: there is no incident "INC-x"'),
        (says("expire_silence", "s9"), 'refused: there is no active silence "s9"'),
        (says("approve", "R-9"), 'refused: there is no run "R-9"'),
    ],
)
def test_what_cannot_be_done_is_refused_and_kept_in_the_trail(command, why):
    scene = Scene()
    scene.tell(command)
    assert scene.audits == [f"ana {command.verb} {command.target}: {why}"]


def test_feedback_is_kept_with_the_incident():
    scene = Scene()
    scene.tell(*outage())
    scene.wait(60.0)
    mark = scene.alert("ledger").fingerprint
    scene.tell(
        FeedbackRecord(at=T0 + 61, incident=scene.incident.id, verdict="wrong_cause", by="ana", note="was dns"),
        FeedbackRecord(at=T0 + 62, alert=mark, verdict="not_actionable"),
        FeedbackRecord(at=T0 + 63, alert="nobody", verdict="missed", by="bo"),
    )
    assert [(one.text, one.by) for one in scene.incident.timeline[-2:]] == [
        ("wrong cause: was dns", "ana"), ("not actionable", "a person"),
    ]  # fmt: skip
    assert len([one for one in scene.audits if "feedback:" in one]) == 3


def test_what_somebody_else_handles_is_theirs_until_they_close_it():
    scene = Scene()
    scene.tell(
        IncidentRecord(at=T0, id="9", source="desk", status="open", title="Disk swap", labels={"service": "disk"})
    )
    scene.tell(fires("disk", 10.0))
    scene.wait(2000.0)
    assert scene.pages == []
    assert "Disk swap" in (scene.engine.why_not(scene.alert("disk").fingerprint) or "")
    scene.tell(IncidentRecord(at=T0 + 2010, id="9", source="desk", status="closed"))
    assert len(scene.pages) == 1


def test_two_incidents_with_one_cause_become_one_with_one_page():
    scene = Scene()
    scene.tell(*(fires(name, 5.0) for name in ("frontend",)))
    scene.tell(fires("payments", 5.0))
    scene.wait(650.0)
    assert len(scene.incidents) >= 1
    scene.tell(fires("ledger", 2.0), fires("checkout", 4.0))  # told late: it all began with them
    scene.wait(800.0)
    consistent(scene.engine)
    assert len(scene.open) == 1
    gone = [one for one in scene.incidents if one.status == "merged"]
    assert all(one.merged_into == scene.open[0].id for one in gone)
    for one in gone:
        scene.tell(says("ack", one.id, 801.0))
        assert scene.audits[-1].endswith(f"was merged into {scene.open[0].id}")


def test_severity_that_rises_is_an_escalation():
    scene = Scene(rulebook(playbooks=(playbook(on=("escalated",)),)))
    scene.tell(*(fires(name, 5.0 * at, severity="warning") for at, name in enumerate(FAULT)))
    scene.wait(60.0)
    assert scene.engine.state.runs == {}
    assert "playbook ticket did not run: has no condition, but it waits until the severity rises" in scene.text()
    scene.tell(fires("ledger", 70.0, "Down"))
    scene.wait(100.0)
    assert "escalated" in scene.events
    assert [run.state for run in scene.engine.state.runs.values()] == ["done"]
    assert "playbook ticket: " in scene.text()


def test_a_rule_that_says_page_pages_at_once_and_only_once():
    rule = TriageRule(name="now", matchers=(matcher("alertname", "Breach"),), verdict="page")
    scene = Scene(rulebook(triage=Triage(rules=(rule,))))
    scene.tell(fires("disk", 0.0, "Breach", "info"))
    assert len(scene.pages) == 1
    scene.tell(fires("disk", 10.0, "Breach", "info"))
    scene.wait(60.0)
    assert len(scene.pages) == 1


def test_a_rule_that_says_page_pages_for_an_incident_that_did_not():
    rule = TriageRule(name="now", matchers=(matcher("alertname", "Breach"),), verdict="page")
    scene = Scene(rulebook(triage=Triage(rules=(rule,))))
    scene.tell(silence("s1", 0.0, 200.0, matcher("alertname", "Breach")))
    scene.tell(*(fires(name, 5.0 * at, severity="info") for at, name in enumerate(FAULT)))
    scene.tell(fires("ledger", 20.0, "Breach", "info"))
    scene.wait(199.0)
    assert scene.pages == []
    scene.wait(201.0)
    assert [page.reason for page in scene.pages] == ['rule "now" says page']


def test_reload_judges_again_what_is_known():
    scene = Scene()
    scene.tell(*outage())
    scene.wait(60.0)
    muted = rulebook(mute=(MuteRule(name="off", matchers=(matcher("namespace", "shop"),), reason="moved"),))
    scene.engine.use(muted)
    assert scene.engine.next_due() == T0 + 60.0
    scene.wait(60.0)
    assert {one.handling for one in scene.engine.state.alerts.values()} == {"muted"}
    assert scene.incident.is_open
    until = T0 + 500.0
    window = Window(
        name="w", matchers=(matcher("service", "ledger"),), starts_at=T0, ends_at=until, place=Place(file="w", line=1)
    )
    scene.engine.use(rulebook(windows=(window,)))
    scene.wait(61.0)
    assert scene.alert("ledger").handling == "muted"
    assert scene.alert("payments").handling == "hold"
    scene.wait(501.0)
    assert scene.alert("ledger").handling == "page"
    assert len(scene.pages) == 1


def test_a_reload_that_a_restart_interrupts_is_still_read():
    scene = Scene()
    scene.tell(fires("disk"))
    scene.rulebook = rulebook(mute=(MuteRule(name="off", matchers=(matcher("service", "disk"),), reason="moved"),))
    scene.engine.use(scene.rulebook)
    scene.restart()
    scene.wait(1.0)
    assert scene.alert("disk").handling == "muted"


def test_a_restart_under_other_files_reads_them():
    scene = Scene()
    scene.tell(fires("disk"))
    mute = MuteRule(name="off", matchers=(matcher("service", "disk"),), reason="moved")
    scene.rulebook = rulebook(mute=(mute,), version="2")
    scene.restart().wait(1.0)
    assert scene.alert("disk").handling == "muted"


def test_a_map_rule_that_a_reload_brings_places_what_fires():
    scene = Scene()
    odd = {"service": "", "namespace": "", "box": "ledger"}
    scene.tell(fires("x", 0.0, labels=odd), *outage(1.0, of=FAULT[1:]))
    scene.wait(20.0)
    rule = MapRule(name="boxes", matchers=(matcher("service", ""),), entity="service/${labels.box}")
    team = MapRule(
        name="team", matchers=(matcher("service", "payments"),), entity="service/cart", set_labels={"team": "pay"}
    )
    scene.engine.use(rulebook(map=(rule, team)))
    scene.wait(60.0)
    assert {one.entity for one in scene.engine.state.alerts.values()} >= {"service/ledger", "service/cart"}
    assert scene.incident.suspects[0].entity == "service/ledger"
    consistent(scene.engine)


def test_an_entity_that_the_sender_tells_by_another_name_stays_one():
    scene = Scene()
    for at in (0.0, 30.0, 60.0):
        scene.tell(fires("disk", at, entity="svc/disk", starts_at=T0, labels={"service": ""}))
    (alert,) = scene.engine.state.alerts.values()
    assert alert.entity == "service/disk"
    assert alert.count == 3
    repeats = [one.repeat for one in scene.decisions if type(one).__name__ == "AlertChanged"]
    assert repeats == [False, True, True]


def test_alerts_are_placed_at_what_was_learned_before_they_came_again():
    scene = Scene()
    scene.tell(fires("x", labels={"service": "", "namespace": "", "thing": "crane"}))
    (before,) = scene.engine.state.alerts.values()
    assert before.entity is None
    scene.tell(EntityRecord(at=T0 + 5, entity="machine/crane"), at=5.0)
    scene.tell(fires("x", 30.0, starts_at=T0, labels={"service": "", "namespace": "", "thing": "crane"}))
    (after,) = scene.engine.state.alerts.values()
    assert after.entity == "machine/crane"


def test_routes_of_one_page_tell_every_receiver():
    scene = Scene(rulebook(routes=(Route(name="a", action="pager.call"), Route(name="b", action="chat.post"))))
    scene.tell(*outage())
    scene.wait(60.0)
    assert [one.action for one in scene.calls] == ["pager.call", "chat.post"]
    assert scene.calls[0].params["text"].splitlines()[0].endswith("service/ledger: HighErrorRate at 3 entities")


def test_a_firing_that_nothing_ends_is_believed_for_a_week():
    scene = Scene()
    scene.tell(fires("disk"))
    scene.wait(86_400.0 * 2)
    assert scene.incident.timeline[-1].text.startswith("nothing was heard of its alerts for a day")
    assert scene.alert("disk").firing
    scene.wait(86_400.0 * 7 + 4000)
    assert scene.alert("disk").status == "expired"
    scene.wait(86_400.0 * 20)
    assert scene.engine.state.alerts == {}
    assert scene.engine.state.incidents == {}
    assert scene.engine.state.placed == {}


def test_days_of_traffic_leave_a_bounded_state():
    scene = Scene(rulebook(playbooks=(playbook(),)))
    sizes = []
    for day in range(12):
        for round_ in range(4):
            at = day * 86_400.0 + round_ * 20_000.0
            fault = FAULT if round_ % 2 else LAB_FAULT
            scene.tell(
                deploy(fault[0], at - 30.0, name=f"c-{day}-{round_}"),
                *(fires(name, at + 5.0 * step, labels={"pod": f"p{day}-{round_}"}) for step, name in enumerate(fault)),
                *(ends(name, at + 400.0, labels={"pod": f"p{day}-{round_}"}) for name in fault),
            )
        scene.wait(day * 86_400.0 + 86_000.0)
        state = scene.engine.state
        sizes.append((len(state.alerts), len(state.units), len(state.placed), len(state.changes), len(state.calm_at)))
    assert len(scene.engine.state.incidents) <= 4 * 9
    assert sizes[-1] == sizes[9]
    consistent(scene.engine)


def test_an_alert_that_fires_anew_leaves_the_incident_it_was_in():
    scene = Scene()
    scene.tell(*outage(), ends("payments", 100.0))
    scene.wait(2000.0)
    first = scene.incident
    scene.tell(fires("payments", 2500.0))
    consistent(scene.engine)
    assert "payments" not in scene.services(scene.engine.state.incidents[first.id])
    scene.wait(3200.0)
    assert len(scene.pages) == 2
    consistent(scene.engine)


def test_a_lone_alert_that_fires_anew_leaves_its_incident_empty_and_over():
    scene = Scene(rulebook(triage=Triage(flap_gap_s=30.0)))
    scene.tell(fires("disk"))
    scene.wait(610.0)
    first = scene.incident.id
    scene.tell(ends("disk", 620.0), fires("disk", 700.0))
    assert scene.incident.alerts == ()
    consistent(scene.engine)
    scene.wait(900.0)
    assert scene.engine.state.incidents[first].status in {"resolved", "open"}
    consistent(scene.engine)


def test_an_incident_opened_by_hand_goes_on_with_what_fires_anew():
    scene = Scene(rulebook(triage=Triage(flap_gap_s=60.0)))
    scene.tell(*outage(), *over(100.0))
    scene.wait(300.0)
    scene.tell(says("reopen", scene.incident.id, 300.0))
    scene.tell(*(fires(name, 1200.0 + at) for at, name in enumerate(FAULT)))
    consistent(scene.engine)
    scene.wait(1400.0)
    assert scene.services(scene.incident) == set(FAULT)
    consistent(scene.engine)


def test_an_alert_told_again_in_time_fires_on_and_else_expires():
    scene = Scene()
    scene.tell(fires("disk", ends_at=T0 + 300.0, timeout=True))
    scene.tell(fires("disk", 200.0, starts_at=T0, ends_at=T0 + 500.0, timeout=True))
    scene.wait(499.0)
    assert scene.alert("disk").firing
    scene.wait(501.0)
    assert scene.alert("disk").status == "expired"


def test_a_record_without_labels_resolves_by_its_key():
    scene = Scene()
    scene.tell(fires("disk", key="k1"))
    scene.tell(ends("disk", 60.0, key="k1", labels={}))
    gone = [one for one in scene.engine.state.alerts.values() if one.key == "k1"]
    assert [one.status for one in gone] == ["resolved"]


def test_a_resolution_of_an_incident_lets_a_later_restart_go_on_alike():
    plain, broken = Scene(), Scene()
    for scene in (plain, broken):
        scene.tell(*outage(), *over(300.0))
        if scene is broken:
            scene.restart()
        scene.wait(1000.0)
    assert broken.decisions == plain.decisions
    assert broken.engine.snapshot() == plain.engine.snapshot()


def test_what_came_back_and_stays_pages_again():
    scene = Scene()
    scene.tell(*outage())
    scene.wait(300.0)
    scene.tell(*over(300.0), at=300.0)
    scene.wait(500.0)
    scene.tell(*(fires(service, 520.0) for service in FAULT), at=520.0)
    scene.wait(580.0)
    assert scene.incident.status == "open"
    pages = len(scene.pages)
    scene.wait(520.0 + 700.0)
    assert len(scene.pages) == pages + 1
    scene.wait(520.0 + 3600.0)
    assert len(scene.pages) == pages + 1


def test_what_a_person_resolved_comes_back_when_it_goes_on_firing():
    scene = Scene()
    scene.tell(*outage())
    scene.wait(300.0)
    pages = len(scene.pages)
    scene.tell(says("resolve", scene.incident.id, at=300.0), at=300.0)
    scene.wait(300.0 + 1700.0)
    assert scene.incident.status == "resolved"
    assert len(scene.pages) == pages
    scene.wait(300.0 + 1900.0)
    assert scene.incident.status == "open"
    assert "still fire 30m after it was resolved by hand" in scene.incident.timeline[-2].text
    assert len(scene.pages) == pages + 1


def test_what_a_person_resolved_stays_resolved_when_it_ends():
    scene = Scene()
    scene.tell(*outage())
    scene.wait(300.0)
    pages = len(scene.pages)
    scene.tell(says("resolve", scene.incident.id, at=300.0), at=300.0)
    scene.tell(*over(900.0), at=900.0)
    scene.wait(300.0 + 7200.0)
    assert scene.incident.status == "resolved"
    assert len(scene.pages) == pages


def test_stale_firings_do_not_keep_an_incident_open():
    scene = Scene()
    scene.tell(*outage())
    scene.wait(300.0)
    scene.tell(*over(300.0), at=300.0)
    for late in range(320, 900, 60):
        scene.tell(*(fires(service) for service in FAULT), at=float(late))
        if late > 450:
            assert scene.incident.status == "resolved"
