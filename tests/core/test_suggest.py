"""What quell notices over weeks and suggests of it: dependencies and rules, with evidence, never in force."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.scene import T0, Scene, ends, fires, rulebook, says
from quell.core.chances import by_chance, surely
from quell.core.habits import MOST_COMPANY, MOST_FRESH, MOST_NAMINGS, MOST_ORPHANS, MOST_RULES, MOST_TROUBLES, Observer
from quell.core.suggest import both, suggested
from quell.core.suggest_edges import edges
from quell.expressions.matchers import parse_matchers
from quell.model.alert import Alert
from quell.model.decision import AlertChanged
from quell.model.habits import HALF_S, Company, Habits, Naming, Orphan, RuleHabit, Suggestion, Tally
from quell.model.mute import Matcher
from quell.model.records import AlertRecord, FeedbackRecord
from quell.model.rulebook import InhibitRule, MapRule, MuteRule, Rulebook, Triage, TriageRule
from quell.model.state import State
from quell.model.topology import Dependency, Entity

DAY = 86_400.0
HOUR = 3_600.0


def told(scene: Scene, *, to_the_end: bool = True) -> list[Suggestion]:
    return list(suggested(scene.engine.state, scene.rulebook, to_the_end=to_the_end).suggestions)


def kinds(found: list[Suggestion]) -> list[str]:
    return [one.kind for one in found]


def blips(count: int, name: str = "QueueBlip", lasts: float = 100.0, **more: Any) -> Iterator[AlertRecord]:
    """An alert that fires twice a day and ends by itself."""
    for n in range(count):
        at = 1_000.0 + n * DAY / 2
        yield fires("cache", at, name, **more)
        yield ends("cache", at + lasts, name, **more)


# Rules that heal themselves


def test_what_always_heals_itself_is_suggested_to_be_held_for_a_little_longer_than_it_lasts() -> None:
    scene = Scene()
    scene.tell(*blips(24))
    (hold,) = told(scene)
    assert hold.rule == {
        "name": "QueueBlip heals itself", "match": ['alertname="QueueBlip"'], "verdict": "hold", "hold": "3m",
        "reason": "ended by itself within 2m in 24 of 24 firings, nobody ever acted",
    }  # fmt: skip
    assert (hold.kind, hold.support) == ("hold", 24)


@pytest.mark.parametrize(
    ("count", "lasts", "why"), [(12, 100.0, "seen too seldom"), (24, 1_500.0, "lasts longer than any hold")]
)
def test_what_is_rare_or_lasts_is_not_held(count: int, lasts: float, why: str) -> None:
    scene = Scene()
    scene.tell(*blips(count, lasts=lasts))
    assert told(scene) == [], why


def test_what_somebody_ever_acted_on_is_not_held() -> None:
    scene = Scene()
    scene.tell(*blips(24))
    scene.tell(fires("cache", 20 * DAY, "QueueBlip"))
    scene.wait(20 * DAY + 1_200.0)
    (incident,) = scene.open
    scene.tell(says("ack", incident.id, 20 * DAY + 1_300.0))
    scene.tell(ends("cache", 20 * DAY + 1_400.0, "QueueBlip"))
    assert told(scene) == []


def test_what_the_team_has_a_rule_for_is_not_suggested() -> None:
    rule = TriageRule(name="known", matchers=(Matcher(name="alertname", value="QueueBlip"),), verdict="page")
    scene = Scene(rulebook(triage=Triage(rules=(rule,))))
    scene.tell(*blips(24))
    assert told(scene) == []


def test_what_people_call_not_actionable_again_and_again_is_for_the_digest() -> None:
    scene = Scene()
    for n in range(3):
        at = 1_000.0 + n * DAY
        scene.tell(fires("cache", at, "Chatter"))
        scene.wait(at + 1_200.0)
        mark = scene.alert("cache", "Chatter").fingerprint
        scene.tell(FeedbackRecord(at=T0 + at + 1_300.0, verdict="not_actionable", alert=mark, by="ana"))
        scene.tell(ends("cache", at + 2_000.0, "Chatter"))
    (digest,) = told(scene)
    assert (digest.kind, digest.rule["verdict"], digest.support) == ("digest", "digest", 3)


# Rules that come together


def pairs(count: int, first: str = "critical", second: str = "warning") -> Iterator[AlertRecord]:
    for n in range(count):
        at = 1_000.0 + n * DAY / 4
        yield fires("cache", at, "Down", first)
        yield fires("cache", at + 40.0, "Slow", second)
        yield ends("cache", at + 2_000.0, "Down", first)
        yield ends("cache", at + 2_000.0, "Slow", second)


def strangers(count: int) -> Iterator[AlertRecord]:
    """Trouble elsewhere, so that chance has a measure."""
    for n in range(count):
        yield fires(f"thing{n % 9}", 9_000.0 + n * DAY / 6, "Other", "info")
        yield ends(f"thing{n % 9}", 9_500.0 + n * DAY / 6, "Other", "info")


def test_what_never_fires_without_something_more_severe_is_hidden_by_it() -> None:
    scene = Scene()
    scene.tell(*pairs(30), *strangers(60))
    (inhibit,) = [one for one in told(scene) if one.kind == "inhibit"]
    assert inhibit.rule == {
        "name": "Down hides Slow", "source": ['alertname="Down"', 'severity=~"(?i:critical)"'],
        "target": ['alertname="Slow"', 'severity=~"(?i:warning)"'], "equal": ["service", "namespace"],
    }  # fmt: skip
    assert inhibit.support == 30


def test_of_two_that_always_come_together_one_stays_and_what_is_more_severe_is_never_hidden() -> None:
    scene = Scene()
    scene.tell(*pairs(30, "warning", "warning"), *strangers(60))
    assert [one.rule["name"] for one in told(scene) if one.kind == "inhibit"] == ["Down hides Slow"]
    scene = Scene()
    scene.tell(*pairs(30, "warning", "critical"), *strangers(60))
    assert [one.rule["name"] for one in told(scene) if one.kind == "inhibit"] == ["Slow hides Down"]


def test_a_rule_that_also_fires_as_a_warning_hides_others_only_when_it_is_as_severe_as_they_are() -> None:
    scene = Scene()
    scene.tell(*pairs(30, "critical", "critical"), *strangers(60))
    scene.tell(fires("cache", 9 * DAY, "Down", "warning"), ends("cache", 9 * DAY + 60.0, "Down", "warning"))
    (inhibit,) = [one for one in told(scene) if one.kind == "inhibit"]
    assert inhibit.rule["source"] == ['alertname="Down"', 'severity=~"(?i:critical)"']
    accepted = InhibitRule(
        name="accepted",
        source=tuple(one for text in inhibit.rule["source"] for one in parse_matchers(text)),
        target=tuple(one for text in inhibit.rule["target"] for one in parse_matchers(text)),
        equal=tuple(inhibit.rule["equal"]),
    )
    again = suggested(scene.engine.state, rulebook(inhibit=(accepted,)), to_the_end=True).suggestions
    assert "inhibit" not in kinds(list(again))


@pytest.mark.parametrize("how", ["digest", "mute", "useless"])
def test_nothing_is_hidden_behind_what_nobody_is_told_of(how: str) -> None:
    down = (Matcher(name="alertname", value="Down"),)
    given: dict[str, Any] = {}
    if how == "digest":
        given["triage"] = Triage(rules=(TriageRule(name="known", matchers=down, verdict="digest"),))
    elif how == "mute":
        given["mute"] = (MuteRule(name="known", matchers=down, reason="noise"),)
    scene = Scene(rulebook(**given))
    scene.tell(*pairs(30), *strangers(60))
    if how == "useless":
        scene.tell(fires("cache", 9 * DAY, "Down"))
        mark = scene.alert("cache", "Down").fingerprint
        for n in range(3):
            scene.tell(FeedbackRecord(at=T0 + 9 * DAY + n, verdict="not_actionable", alert=mark, by="ana"))
    assert "inhibit" not in kinds(told(scene))


def test_what_is_inhibited_already_is_not_suggested() -> None:
    rule = InhibitRule(
        name="known",
        source=(Matcher(name="alertname", value="Down"),),
        target=(Matcher(name="alertname", value="Slow"),),
    )
    scene = Scene(rulebook(inhibit=(rule,)))
    scene.tell(*pairs(30), *strangers(60))
    assert "inhibit" not in kinds(told(scene))


# Labels that name something


def unplaced(count: int, **labels: str) -> Iterator[AlertRecord]:
    for n in range(count):
        at = T0 + 1_000.0 + n * HOUR
        given = {"alertname": "Leak", "n": str(n), "severity": "info", **labels}
        yield AlertRecord(at=at, starts_at=at, status="firing", labels=given, source="t")


@pytest.mark.parametrize("label", ["contäiner", "con-tainer"])
def test_a_label_that_no_template_can_name_becomes_no_rule(label: str) -> None:
    scene = Scene()
    scene.tell(*unplaced(20, **{label: "payments"}))
    assert told(scene) == []


def test_a_label_that_names_known_entities_becomes_a_map_rule() -> None:
    scene = Scene()
    scene.tell(*unplaced(20, container="payments", shelf="nothing"))
    (mapping,) = told(scene)
    assert mapping.rule == {
        "name": "container names a service", "match": ['container!=""'], "entity": "service/${labels.container}"
    }  # fmt: skip
    assert told(Scene(rulebook())) == []
    known = MapRule(name="known", entity="service/${labels.container}")
    assert list(suggested(scene.engine.state, rulebook(map=(known,)), to_the_end=True).suggestions) == []


# Dependencies


ESTATE = Rulebook(
    entities=tuple(Entity(entity=f"service/s{n}", labels={"namespace": "shop"}) for n in range(40)),
    dependencies=tuple(Dependency(from_=f"service/s{n}", to=f"service/s{n + 1}") for n in range(0, 38, 2)),
)


def alone(n: int, at: float, name: str = "Errors") -> list[AlertRecord]:
    labels = {"alertname": name, "service": f"s{n}", "severity": "warning"}
    begins = AlertRecord(at=T0 + at, starts_at=T0 + at, status="firing", labels=labels, source="t")
    over = AlertRecord(at=T0 + at + 300.0, ends_at=T0 + at + 300.0, status="resolved", labels=labels, source="t")
    return [begins, over]


def estate(pair: tuple[int, int], times: int) -> Scene:
    """Service a fails half a minute after b, again and again; everything else fails on its own."""
    scene = Scene(ESTATE)
    records: list[AlertRecord] = []
    a, b = pair
    for n in range(times):
        at = 1_000.0 + n * DAY / 2
        records += [*alone(b, at), *alone(a, at + 30.0)]
    for n in range(120):
        records += alone(n % 40 if n % 40 not in pair else 39, 20_000.0 + n * 5_000.0)
    scene.tell(*records)
    return scene


def test_trouble_that_nothing_known_explains_and_that_comes_again_suggests_a_dependency() -> None:
    (found,) = [one for one in told(estate((10, 25), 8)) if one.kind == "dependency"]
    assert found.rule == {"from": "service/s10", "to": ["service/s25"], "type": "depends_on"}
    assert found.support == 8
    assert found.chance < 2.0
    assert found.evidence[1] == "service/s25 usually began 30s before it"


@pytest.mark.parametrize(("name", "held"), [("service/t25", True), ("service/t 25", False), ("t25", False)])
def test_an_entity_that_no_rules_file_can_name_is_not_suggested(name: str, held: bool) -> None:
    scene = estate((10, 25), 8)
    scene.wait(30 * DAY)
    tally = both(scene.engine.state.habits)
    tally.troubles[name] = tally.troubles.pop("service/s25")
    near = [
        Orphan(one.at, one.crowd, tuple((name if other == "service/s25" else other, lag) for other, lag in one.near))
        for one in tally.orphans["service/s10"]
    ]
    tally.orphans = {"service/s10": near}
    entities = (*ESTATE.entities, Entity(entity=name, labels={"namespace": "shop"}))
    graph = Scene(msgspec.structs.replace(ESTATE, entities=entities)).engine.graph
    assert [one.rule["to"] for one in edges(tally, graph, ESTATE.dependencies)] == [[name]] * held


@pytest.mark.parametrize(
    ("pair", "times", "why"),
    [((10, 25), 1, "once is no habit"), ((10, 11), 8, "it is known"), ((11, 10), 8, "it is known the other way round")],
)
def test_what_is_known_or_was_seen_once_is_not_suggested(pair: tuple[int, int], times: int, why: str) -> None:
    assert "dependency" not in kinds(told(estate(pair, times))), why


def test_what_was_turned_down_does_not_come_back() -> None:
    scene = estate((10, 25), 8)
    (found,) = [one for one in told(scene) if one.kind == "dependency"]
    scene.tell(FeedbackRecord(at=T0 + 30 * DAY, verdict="not_actionable", suggestion=found.id, by="ana", note="no"))
    assert "dependency" not in kinds(told(scene))
    assert f"ana feedback:not_actionable {found.id}: no" in scene.audits
    scene.restart()
    assert "dependency" not in kinds(told(scene))
    assert suggested(scene.engine.state, scene.rulebook).declined == 1


def test_asking_changes_nothing_and_a_restart_forgets_nothing() -> None:
    scene = estate((10, 25), 8)
    before = scene.engine.snapshot()
    found = told(scene)
    assert scene.engine.snapshot() == before
    assert told(scene.restart()) == found


def test_it_says_since_when_the_records_tell() -> None:
    scene = Scene()
    assert suggested(scene.engine.state, scene.rulebook, to_the_end=True).from_time is None
    scene.tell(fires("cache", 100.0))
    assert suggested(scene.engine.state, scene.rulebook, to_the_end=True).from_time == T0 + 100.0


def test_what_is_not_settled_yet_is_not_counted_unless_the_records_end() -> None:
    scene = Scene()
    scene.tell(fires("cache", 100.0, "Down"), fires("cache", 140.0, "Slow"))
    state = scene.engine.state
    assert len(state.habits.fresh) == 2
    assert both(state.habits).company == {}
    told(scene)
    assert len(state.habits.fresh) == 2
    scene.wait(2 * HOUR)
    assert set(both(state.habits).company) == {"Down\x00Slow", "Slow\x00Down"}


# Bounds


def test_the_past_is_forgotten_by_halves() -> None:
    scene = Scene()
    scene.tell(*blips(24))
    assert kinds(told(scene)) == ["hold"]
    scene.wait(3 * HALF_S)
    scene.wait(5 * HALF_S)
    assert told(scene) == []
    assert both(scene.engine.state.habits).rules == {}


def test_both_halves_are_read_together() -> None:
    def tally(at: float) -> Tally:
        return Tally(
            since=at,
            rules={"r": RuleHabit(firings=2, ended=1, lasted=[1] * 11, severity="info", example={"a": "b"})},
            company={"r\x00s": Company(together=3, after=1, equal=["ns", "pod"] if at == 1.0 else ["ns"])},
            troubles={"e": 4},
            orphans={"e": [Orphan(at, 3, (("f", 1.0),))]},
            namings={"l": Naming(asked=5, named={"service": 2})},
        )

    whole = both(Habits(older=tally(1.0), newer=tally(2.0)))
    assert (whole.since, whole.rules["r"].firings, whole.rules["r"].lasted[0]) == (1.0, 4, 2)
    assert (whole.company["r\x00s"].together, whole.company["r\x00s"].equal) == (6, ["ns"])
    assert (whole.troubles, len(whole.orphans["e"])) == ({"e": 8}, 2)
    assert (whole.namings["l"].asked, whole.namings["l"].named) == (10, {"service": 4})
    assert both(Habits(newer=tally(2.0))).troubles == {"e": 4}


def test_counts_stay_small_whatever_is_told() -> None:
    state = State(now=T0)
    newer = state.habits.newer
    newer.since = T0
    newer.company = {f"a{n}\x00b": Company(together=n) for n in range(MOST_COMPANY + 1)}
    newer.troubles = {f"e{n}": n for n in range(MOST_TROUBLES + 1)}
    newer.orphans = {f"e{n}": [Orphan(float(n), 2, ())] for n in range(MOST_ORPHANS + 1)}
    newer.namings = {f"l{n}": Naming(asked=n) for n in range(MOST_NAMINGS + 1)}
    observer = Observer(state)
    for n in range(max(MOST_RULES, MOST_FRESH) + 10):
        alert = Alert(
            fingerprint=f"m{n}", source="t", labels={"alertname": f"r{n}"}, status="firing", starts_at=T0,
            updated_at=T0, onset_seen=T0,
        )  # fmt: skip
        observer.follow(AlertChanged(at=T0, alert=alert))
    assert len(newer.rules) == MOST_RULES
    assert len(state.habits.fresh) == MOST_FRESH
    observer.sweep(Scene().engine.graph, T0 + HOUR)
    sizes = [len(part) for part in (newer.company, newer.troubles, newer.orphans, newer.namings)]
    assert sizes == [MOST_COMPANY // 2, MOST_TROUBLES // 2, MOST_ORPHANS // 2, MOST_NAMINGS // 2]
    assert max(company.together for company in newer.company.values()) == MOST_COMPANY


def test_firings_whose_end_was_never_told_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quell.core.habits.MOST_OPEN", 4)
    scene = Scene()
    scene.tell(fires("cache", 0.0, "Down"), fires("cart", 0.0, "Down"))
    mark = scene.alert("cache", "Down").fingerprint
    scene.engine.state.habits.open |= {"gone": T0, f"{mark}/7": T0}
    scene.wait(HOUR + 100.0)
    assert set(scene.engine.state.habits.open) == {scene.alert(one, "Down").fingerprint for one in ("cache", "cart")}


_events = st.lists(
    st.tuples(st.integers(0, 12), st.sampled_from([0, 10, 25, 26]), st.sampled_from(["A", "B"])), max_size=16
)


@given(_events, st.integers(0, 16))
def test_a_restart_anywhere_changes_no_count(events: list[tuple[int, int, str]], cut: int) -> None:
    whole, parted = Scene(ESTATE), Scene(ESTATE)
    for at, (hour, service, name) in enumerate(sorted(events)):
        records = alone(service, hour * HOUR + at, name)[:1]
        whole.tell(*records)
        if at == cut:
            parted.restart()
        parted.tell(*records)
    whole.wait(30 * HOUR)
    parted.wait(30 * HOUR)
    assert msgspec.msgpack.encode(parted.engine.state.habits) == msgspec.msgpack.encode(whole.engine.state.habits)
    assert all(0.0 <= one.confidence <= 1.0 for one in told(whole))


def test_the_bounds_against_luck() -> None:
    assert surely(0, 0) == 0.0
    assert 0.83 < surely(20, 20) < 0.85
    assert by_chance(0, 3.0) == 1.0
    assert by_chance(3, 0.1) == pytest.approx(0.000155, abs=1e-5)
