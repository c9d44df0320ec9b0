"""What people do with incidents: assign, snooze, merge and split; their word stands above what is concluded."""

from __future__ import annotations

from core.scene import SHOP, T0, Scene, consistent, ends, fires, outage, rulebook, says
from quell.model.incident import Incident
from quell.model.rulebook import Rulebook
from quell.model.topology import Dependency


def two() -> tuple[Scene, Incident, Incident]:
    """An incident of the shop and one of the lab, that have nothing to do with each other."""
    scene = Scene()
    scene.tell(*outage(), *outage(of=("disk", "warehouse", "reports")))
    scene.wait(120.0)
    shop, lab = sorted(scene.open, key=lambda one: "service/ledger" not in one.entities)
    return scene, shop, lab


def test_assigned_and_told_so() -> None:
    scene, shop, _ = two()
    scene.tell(says("assign", shop.id, 130.0, to="bo"))
    now = scene.engine.state.incidents[shop.id]
    assert (now.assigned_to, now.status) == ("bo", "open")
    assert now.timeline[-1].what == "assigned"
    assert now.timeline[-1].by == "ana"
    assert f"ana assign {shop.id}: to bo" in scene.audits
    scene.tell(says("assign", shop.id, 131.0))
    assert f"ana assign {shop.id}: refused: nobody is named to whom" in scene.audits


def test_a_snooze_is_quiet_and_then_calls_again() -> None:
    scene, shop, _ = two()
    scene.tell(says("snooze", shop.id, 130.0, seconds=1800))
    quiet = scene.engine.state.incidents[shop.id]
    assert (quiet.status, quiet.acknowledged_by, quiet.snoozed_until) == ("acknowledged", "ana", T0 + 1930.0)
    before = len(scene.pages)
    scene.wait(1929.0)
    assert len([page for page in scene.pages if page.incident == shop.id]) == 1
    scene.restart()
    scene.wait(1931.0)
    awake = scene.engine.state.incidents[shop.id]
    assert (awake.status, awake.acknowledged_by, awake.snoozed_until) == ("open", "", None)
    assert len(scene.pages) == before + 1
    assert scene.pages[-1].incident == shop.id


def test_acknowledging_ends_a_snooze() -> None:
    scene, shop, _ = two()
    scene.tell(says("snooze", shop.id, 130.0, seconds=600), says("ack", shop.id, 140.0, "bo"))
    known = scene.engine.state.incidents[shop.id]
    assert (known.acknowledged_by, known.snoozed_until) == ("bo", None)
    before = len(scene.pages)
    scene.wait(900.0)
    assert len(scene.pages) == before


def test_an_incident_that_is_over_does_not_wake() -> None:
    scene, shop, _ = two()
    scene.tell(says("snooze", shop.id, 130.0, seconds=600), says("resolve", shop.id, 200.0))
    before = len(scene.pages)
    scene.wait(800.0)
    assert scene.engine.state.incidents[shop.id].status == "resolved"
    assert len(scene.pages) == before


def test_a_snooze_needs_a_time() -> None:
    scene, shop, _ = two()
    for seconds in (0, -5, "soon", 10**9, float("nan")):
        scene.tell(says("snooze", shop.id, 130.0, seconds=seconds))
    assert scene.engine.state.incidents[shop.id].snoozed_until is None


def test_what_people_merge_stays_merged() -> None:
    scene, shop, lab = two()
    scene.tell(says("merge", shop.id, 130.0, incident=lab.id, note="one power cut"))
    consistent(scene.engine)
    whole, gone = (scene.engine.state.incidents[name] for name in (shop.id, lab.id))
    assert (gone.status, gone.merged_into) == ("merged", shop.id)
    assert {*shop.alerts, *lab.alerts} == set(whole.alerts)
    assert f"ana feedback:should_merge {shop.id}: absorbs {lab.id}: one power cut" in scene.audits
    pages = len(scene.pages)
    # More of both joins, and everything is concluded anew, also by another process.
    scene.tell(fires("cart", 150.0, "Slow", "warning"), fires("frontend", 151.0, "Slow", "warning"))
    scene.tell(fires("dashboard", 160.0), fires("warehouse", 161.0, "Slow", "warning"))
    scene.wait(240.0)
    scene.restart()
    scene.tell(fires("reports", 250.0, "Slow", "warning"), fires("checkout", 251.0, "Slow", "warning"))
    scene.wait(400.0)
    consistent(scene.engine)
    whole = scene.engine.state.incidents[shop.id]
    assert [one.id for one in scene.open] == [shop.id]
    assert {"dashboard", "reports", "checkout", "frontend"} <= scene.services(whole)
    assert whole.suspects[0].entity == shop.suspects[0].entity
    assert len(scene.pages) == pages


def test_merged_incidents_end_when_all_of_it_is_over() -> None:
    scene, shop, lab = two()
    scene.tell(says("merge", shop.id, 130.0, incident=lab.id))
    scene.tell(*(ends(name, 200.0) for name in ("ledger", "payments", "checkout", "frontend")))
    scene.wait(600.0)
    assert scene.engine.state.incidents[shop.id].is_open
    scene.tell(*(ends(name, 700.0) for name in ("disk", "warehouse", "reports")))
    scene.wait(1000.0)
    assert scene.engine.state.incidents[shop.id].status == "resolved"
    scene.wait(2 * 3600.0)
    assert not scene.engine.state.rulings


def test_merging_needs_two_that_are_open() -> None:
    scene, shop, lab = two()
    scene.tell(says("merge", shop.id, 130.0, incident=shop.id), says("merge", shop.id, 131.0, incident="INC-none"))
    scene.tell(says("resolve", lab.id, 132.0), says("merge", shop.id, 133.0, incident=lab.id))
    assert [one.split("refused: ")[1] for one in scene.audits if "merge" in one] == [
        "an incident cannot be merged with itself",
        'there is no incident "INC-none"',
        f"incident {lab.id} is resolved",
    ]


def test_what_people_split_stays_apart() -> None:
    scene, shop, _ = two()
    mark = scene.alert("frontend").fingerprint
    scene.tell(says("split", shop.id, 130.0, alerts=[mark], note="a bad release"))
    consistent(scene.engine)
    (own,) = [one for one in scene.open if one.alerts == (mark,)]
    assert own.id != shop.id
    assert own.paged_at == shop.paged_at
    pages = len(scene.pages)
    scene.tell(fires("cart", 150.0, "Slow", "warning"), fires("checkout", 151.0, "Slow", "warning"))
    scene.wait(240.0)
    scene.restart()
    scene.tell(fires("payments", 250.0, "Slow", "warning"))
    scene.wait(400.0)
    consistent(scene.engine)
    rest = scene.engine.state.incidents[shop.id]
    assert scene.engine.state.incidents[own.id].alerts == (mark,)
    assert "frontend" not in scene.services(rest)
    assert {"ledger", "payments", "checkout"} <= scene.services(rest)
    assert len(scene.pages) == pages
    assert any(one.startswith(f"ana feedback:should_split {shop.id}") for one in scene.audits)


def _without_the_frontend() -> Rulebook:
    """The rulebook of a scene, by which nothing that fires in one explains what fires at the frontend."""
    edges = [
        Dependency(from_=f"service/{name}", to=f"service/{needed}", type="calls")
        for name in SHOP.keys() - {"frontend"}
        for needed in SHOP[name]
    ]
    return rulebook(dependencies=tuple(sorted(edges, key=lambda one: (one.from_, one.to))))


def test_what_leaves_an_incident_that_stands_by_word_alone_is_listed_there_no_more() -> None:
    scene = Scene()
    scene.tell(*outage())
    scene.wait(400.0)
    marks = [scene.alert(service).fingerprint for service in ("checkout", "frontend")]
    scene.tell(says("split", scene.incident.id, 410.0, alerts=marks))
    part = scene.alert("frontend").incident
    del scene.engine.state.rulings[scene.alert("frontend").fingerprint]  # it only came along
    scene.engine.use(_without_the_frontend())
    scene.wait(800.0)
    assert scene.alert("frontend").incident != part
    assert scene.alert("checkout").incident == part
    consistent(scene.engine)


def test_what_was_split_off_stays_there_though_nothing_explains_it_any_more() -> None:
    scene = Scene()
    scene.tell(*outage())
    scene.wait(400.0)
    marks = [scene.alert(service).fingerprint for service in ("checkout", "frontend")]
    scene.tell(says("split", scene.incident.id, 410.0, alerts=marks))
    scene.engine.use(_without_the_frontend())
    scene.wait(3600.0)
    part = next(one for one in scene.open if "split off" in one.timeline[0].text)
    assert scene.services(part) == {"checkout", "frontend"}
    assert {scene.alert(service).incident for service in ("checkout", "frontend")} == {part.id}
    assert len(scene.pages) == 1, "who split it off was called for it"
    consistent(scene.engine)


def test_what_was_split_off_ends_by_itself() -> None:
    scene, shop, _ = two()
    mark = scene.alert("frontend").fingerprint
    scene.tell(says("split", shop.id, 130.0, alerts=[mark]), ends("frontend", 200.0))
    scene.wait(600.0)
    (own,) = [one for one in scene.incidents if one.alerts == (mark,)]
    assert own.status == "resolved"
    assert scene.engine.state.incidents[shop.id].is_open


def test_a_split_needs_alerts_of_the_incident_and_leaves_some() -> None:
    scene, shop, lab = two()
    for alerts in ([], ["nothing"], [lab.alerts[0]], list(shop.alerts)):
        scene.tell(says("split", shop.id, 130.0, alerts=alerts))
    assert len(scene.open) == 2
    assert sum("refused" in one for one in scene.audits) == 4


def test_merged_again_after_a_split() -> None:
    scene, shop, _ = two()
    mark = scene.alert("frontend").fingerprint
    scene.tell(says("split", shop.id, 130.0, alerts=[mark]))
    (own,) = [one for one in scene.open if one.alerts == (mark,)]
    scene.tell(says("merge", shop.id, 140.0, incident=own.id))
    scene.tell(fires("checkout", 151.0, "Slow", "warning"))
    scene.wait(300.0)
    consistent(scene.engine)
    assert mark in scene.engine.state.incidents[shop.id].alerts
    assert scene.engine.state.incidents[own.id].merged_into == shop.id


def test_a_snooze_does_not_outlive_its_incident() -> None:
    scene, shop, lab = two()
    scene.tell(says("snooze", shop.id, 130.0, seconds=600), says("resolve", shop.id, 200.0, "bo"))
    scene.tell(says("ack", shop.id, 210.0, "cy"))
    assert scene.engine.state.incidents[shop.id].status == "resolved"
    scene.tell(says("reopen", shop.id, 215.0, "bo"), says("snooze", shop.id, 220.0, seconds=600))
    scene.tell(says("merge", lab.id, 230.0, incident=shop.id), says("ack", shop.id, 240.0, "cy"))
    gone = scene.engine.state.incidents[shop.id]
    assert (gone.status, gone.merged_into) == ("merged", lab.id)
    assert [text for text in scene.audits if text.startswith("cy ack")] == [
        f"cy ack {shop.id}: refused: incident {shop.id} is already resolved by ana",
        f"cy ack {shop.id}: refused: incident {shop.id} was merged into {lab.id}",
    ]
    consistent(scene.engine)


def test_what_is_split_off_while_snoozed_calls_again_too() -> None:
    scene, shop, _ = two()
    scene.tell(says("snooze", shop.id, 130.0, seconds=1800))
    mark = next(one for one in shop.alerts if scene.engine.state.alerts[one].entity == "service/frontend")
    before = set(scene.engine.state.incidents)
    scene.tell(says("split", shop.id, 140.0, alerts=[mark]))
    (new,) = set(scene.engine.state.incidents) - before
    scene.restart()
    scene.wait(1931.0)
    part = scene.engine.state.incidents[new]
    assert (part.status, part.acknowledged_by, part.snoozed_until) == ("open", "", None)
    assert {shop.id, new} <= {page.incident for page in scene.pages if page.at >= T0 + 1930.0}
