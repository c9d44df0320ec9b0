"""The figures of stories that the whole core lived through."""

from __future__ import annotations

import msgspec

from core.scene import Scene, deploy, ends, fires, outage, playbook, rulebook, says
from quell.config.rules_diff import rules_diff
from quell.core.suggest import suggested
from quell.model.mute import Matcher
from quell.model.playbook import Place, Step
from quell.model.rulebook import Triage, TriageRule
from quell.stats.changes import suggested_for
from quell.stats.figures import Figures, Held
from quell.stats.text import plain
from stats.telling import counted, feedback

FAULT = ("ledger", "payments", "checkout", "frontend")


def held(figures: Figures, code: str) -> Held:
    return next(one for one in figures.held if one.code == code)


def fault(scene: Scene, at: float = 0.0, lasts: float = 900.0, *, ack: float | None = 180.0) -> str:
    """An outage from its first alert to its end; returns its incident."""
    known = {one.id for one in scene.incidents}
    scene.tell(*outage(at))
    scene.wait(at + 120.0)
    (name,) = {one.id for one in scene.open} - known
    if ack is not None:
        scene.tell(says("ack", name, at + ack))
    scene.tell(*(ends(service, at + lasts) for service in FAULT))
    scene.wait(at + lasts + 400.0)
    return name


def test_an_outage_from_events_to_one_page() -> None:
    scene = Scene()
    fault(scene)
    told = counted(scene)
    funnel = told.funnel
    assert (funnel.events, funnel.alerts, funnel.incidents, funnel.pages) == (8, 4, 1, 1)
    assert (funnel.rules, funnel.firing, funnel.folded, funnel.reminders) == (1, 0, 3, 0)
    (waited,) = told.held
    assert (waited.code, waited.paged_later, waited.wait.median_s) == ("waiting_for_company", 1, 30.0)
    times = told.times
    incident = scene.incident
    assert incident.paged_at is not None
    assert times.detect.median_s == round(incident.opened_at - 1_700_000_000.0, 3)
    assert times.page.median_s == round(incident.paged_at - 1_700_000_000.0, 3)
    assert times.acknowledge.median_s == 180.0
    assert times.resolve.count == 1
    assert times.resolve.median_s is not None
    assert 900.0 <= times.resolve.median_s <= 1300.0
    assert times.never_acknowledged == 0
    text = plain(told)
    assert "acknowledged after 3m (1 incident)" in text
    assert "nine of ten" not in text


def test_deliveries_of_a_second_firing_are_its_own() -> None:
    scene = Scene()
    for at in (0.0, 30.0, 60.0):
        scene.tell(fires("cache", at, severity="warning"))
    scene.tell(ends("cache", 90.0, severity="warning"))
    scene.tell(fires("cache", 9000.0, severity="warning"), ends("cache", 9060.0, severity="warning"))
    scene.wait(9500.0)
    told = counted(scene).funnel
    assert (told.alerts, told.events) == (2, 6)
    later = counted(scene, since=5000.0).funnel
    assert (later.alerts, later.events) == (1, 2)


def test_held_and_later_paged_says_why_and_how_long() -> None:
    scene = Scene()
    scene.tell(fires("cache"))
    scene.wait(4000.0)
    assert len(scene.pages) == 1
    told = counted(scene)
    (only,) = told.held
    assert (only.firings, only.wanted, only.paged_later) == (1, 1, 1)
    assert only.code == "waiting_for_company"
    assert only.wait.median_s == 600.0
    assert told.noisiest[0].pages == 1


def test_held_and_never_wanted() -> None:
    scene = Scene()
    scene.tell(fires("cache", severity="info"), ends("cache", 500.0, severity="info"))
    scene.wait(1000.0)
    only = held(counted(scene), "low_severity")
    assert (only.handling, only.firings, only.wanted) == ("digest", 1, 0)


def test_held_and_said_to_be_missed() -> None:
    scene = Scene()
    scene.tell(fires("cache", severity="warning"))
    mark = scene.alert("cache", "HighErrorRate", "warning").fingerprint
    scene.tell(feedback("missed", 60.0, alert=mark), ends("cache", 90.0, severity="warning"))
    scene.wait(500.0)
    told = counted(scene)
    assert sum(one.said for one in told.held) == 1
    assert told.judged.missed == 1


def test_held_by_a_rule_and_acted_on_without_a_page() -> None:
    matchers = (Matcher(name="namespace", value="shop"),)
    rule = TriageRule(name="quiet", matchers=matchers, verdict="hold", hold_s=7200.0, reason="planned")
    scene = Scene(rulebook(triage=Triage(rules=(rule,))))
    scene.tell(*outage())
    scene.wait(200.0)
    (incident,) = scene.open
    assert incident.paged_at is None
    scene.tell(says("ack", incident.id, 300.0))
    told = counted(scene)
    found = held(told, "rule")
    assert found.handling == "hold"
    assert found.acted_on == found.wanted == found.firings == 4
    assert told.funnel.pages == 0


def test_first_causes_and_the_last_word_on_each() -> None:
    scene = Scene()
    names = [fault(scene, 40_000.0 * number) for number in range(3)]
    at = 130_000.0
    scene.tell(
        feedback("right_cause", at, incident=names[0]),
        feedback("wrong_cause", at + 1, incident=names[1]),
        feedback("right_cause", at + 2, incident=names[1]),
        feedback("not_actionable", at + 3, incident=names[2]),
    )
    judged = counted(scene).judged
    assert (judged.first_cause.hits, judged.first_cause.of, judged.unjudged) == (2, 2, 1)
    assert judged.first_cause.low is not None
    assert judged.first_cause.low < 0.5
    assert judged.not_actionable == 1


def test_splits_and_merges_by_people_are_wrong_ones() -> None:
    scene = Scene()
    scene.tell(*outage(), *outage(of=("disk", "warehouse", "reports")))
    scene.wait(120.0)
    shop, lab = sorted(scene.open, key=lambda one: "service/ledger" not in one.entities)
    mark = next(one for one in shop.alerts if scene.engine.state.alerts[one].labels["service"] == "frontend")
    scene.tell(says("split", shop.id, 130.0, alerts=[mark]))
    judged = counted(scene).judged
    assert (judged.wrong_merges, judged.wrong_splits, judged.own_splits) == (1, 0, 0)
    scene.tell(says("merge", shop.id, 140.0, incident=lab.id))
    told = counted(scene)
    assert (told.judged.wrong_merges, told.judged.wrong_splits) == (1, 1)
    assert (told.funnel.incidents, told.funnel.merged) == (2, 1)
    assert told.funnel.pages == 2


def test_a_page_that_nobody_took() -> None:
    scene = Scene()
    fault(scene, lasts=4000.0, ack=None)
    told = counted(scene)
    assert told.times.never_acknowledged == 1
    assert told.times.acknowledge.count == 0
    assert told.funnel.reminders == len(scene.reminders) > 0
    assert told.noisiest[0].useless_pages == 1


def change(name: str) -> Step:
    return Step(id="act", do="deploy.put", place=Place(file="playbooks/test.yaml", line=1), with_={"app": name})


def test_minutes_saved_beside_incidents_without_it() -> None:
    scene = Scene(rulebook(playbooks=(playbook("put-back", steps=(change("ledger"),), on=(), by_hand=True),)))
    for number in range(5):
        fault(scene, 40_000.0 * number, lasts=3600.0)
    at = 400_000.0
    scene.tell(deploy("ledger", at - 60.0), *outage(at))
    scene.wait(at + 120.0)
    (incident,) = scene.open
    scene.tell(says("run", "put-back", at + 180.0, incident=incident.id))
    scene.tell(*(ends(service, at + 600.0) for service in FAULT))
    scene.wait(at + 1000.0)
    told = counted(scene)
    (score,) = told.playbooks
    assert score.outcomes == {"done": 1}
    (saved,) = told.saved
    assert (saved.playbook, saved.runs, saved.compared, saved.with_) == ("put-back", 1, 1, 5)
    assert saved.minutes == saved.low == saved.high == 50.0
    assert (saved.basis, saved.sure) == ("same rule", "hardly")


def test_nothing_to_compare_with_says_nothing() -> None:
    scene = Scene(rulebook(playbooks=(playbook("put-back", steps=(change("ledger"),), on=(), by_hand=True),)))
    scene.tell(*outage())
    scene.wait(120.0)
    scene.tell(says("run", "put-back", 180.0, incident=scene.incident.id))
    scene.tell(*(ends(service, 600.0) for service in FAULT))
    scene.wait(1000.0)
    (saved,) = counted(scene).saved
    assert (saved.minutes, saved.sure) == (None, "not at all")


def test_a_noisy_rule_comes_with_a_change_of_the_rules() -> None:
    scene = Scene()
    for number in range(30):
        at = 7200.0 * number
        scene.tell(fires("cache", at, "QueueBlip"), ends("cache", at + 120.0, "QueueBlip"))
    scene.tell(fires("cart", 216_000.0, "Once"), ends("cart", 216_100.0, "Once"))
    scene.wait(230_000.0)
    figures, changes = suggested_for(counted(scene), suggested(scene.engine.state, scene.rulebook).suggestions)
    blip, once = figures.noisiest
    assert (blip.rule, blip.firings, blip.pages, blip.held, once.rule) == ("QueueBlip", 30, 2, 28, "Once")
    assert held(figures, "chronic").paged_later == 2
    assert held(figures, "waiting_for_company").firings > 2
    assert [change.id for change in changes] == [blip.change]
    assert blip.text.startswith("QueueBlip: hold it for ")
    assert once.change == ""
    assert once.text.startswith("nothing to suggest")
    diff = rules_diff(changes, {})
    assert diff.startswith("--- /dev/null\n+++ b/rules/suggested.yaml\n")
    text = plain(msgspec.structs.replace(figures, diff=diff))
    head, _, rest = text.partition("Noisiest rules\n  ")
    assert head
    assert rest.startswith("QueueBlip: fired 30 times, 2 pages, 2 of them for nothing: QueueBlip: hold it for ")
    assert "\n  Once: fired once, 0 pages\n" in text
    assert "Suggested change of the rules, not in force:\n--- /dev/null" in text
