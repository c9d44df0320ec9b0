"""Releases: what each is blamed for, when that was seen and over, and what was sampled before and after it."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from scipy import stats as science

from core.scene import T0, Scene, deploy, ends, outage, says
from quell.model.records import AnyRecord, CallRecord, SampleRecord, SamplesRecord
from quell.model.topology import Change, Dependency
from quell.stats.intervals import alike, crowding, student, two_shares, welch
from quell.stats.release_impact import Watches
from quell.stats.release_text import plain
from quell.stats.releases import Release, Releases, Telling, felt_at
from stats.telling import alerts

LINKS = (
    Dependency(from_="kpi/approvals", to="endpoint/score"),
    Dependency(from_="endpoint/score", to="model/fraud"),
    Dependency(from_="kpi/approvals", to="model/fraud"),
    Dependency(from_="kpi/other", to="model/other"),
)


def model(at: float, revision: str, previous: str, name: str = "", entity: str = "model/fraud") -> Change:
    mark = name or f"{entity}@{revision}"
    return Change(id=mark, at=at, type="model", entity=entity, revision=revision, previous=previous, author="ana")


def told(changes: Sequence[Change], records: Sequence[AnyRecord] = (), known_from: float | None = -1e9) -> Releases:
    telling = Telling(-1e9, 1e9, changes)
    watches = telling.watches(LINKS)
    taking = Watches(watches)
    for record in records:
        taking.take(record)
    return telling.releases(watches, known_from)


def minutes(value: float, begin: float, end: float, spread: float = 0.01) -> list[AnyRecord]:
    chance = random.Random(1)
    return [
        SampleRecord(at=at, entity="kpi/approvals", metric="rate", value=value + chance.gauss(0.0, spread))
        for at in range(int(begin), int(end), 60)
    ]


def only(found: Releases) -> Release:
    (one,) = found.releases
    return one


def test_a_deploy_that_broke_something_and_was_taken_back() -> None:
    scene = Scene()
    guilty = deploy("ledger", -60.0, name="bad")
    scene.tell(guilty, *outage())
    scene.wait(200.0)
    (incident,) = scene.open
    assert incident.suspects[0].change == "bad"
    back = deploy("ledger", 500.0, name="back", revision="v8", previous="v9", author="bo")
    names = ("ledger", "payments", "checkout", "frontend")
    scene.tell(back, says("ack", incident.id, 250.0), *(ends(name, 600.0) for name in names))
    scene.wait(3000.0)
    telling = Telling(T0 - 1e6, T0 + 1e6, scene.engine.state.changes.values())
    for each in scene.engine.state.incidents.values():
        telling.incident(each)
    for alert in alerts(scene):
        telling.alert(alert)
    found = telling.releases(telling.watches(()), None)
    later, first = found.releases
    assert (first.revision, first.previous, first.by) == ("v9", "v8", "ana")
    assert [one.id for one in first.incidents] == [incident.id]
    assert first.detect_s == 60.0
    over = scene.engine.state.incidents[incident.id].resolved_at
    assert over is not None
    assert first.resolve_s == over - guilty.at
    assert first.taken_back is not None
    assert (first.taken_back.by, first.taken_back.at) == ("bo", T0 + 500.0)
    assert later.incidents == ()
    assert later.taken_back is None
    text = plain(found)
    assert "detected   after 1m" in text
    assert "users      not measured: there are no records of that time" in text


def test_an_unsure_suspect_is_no_cause() -> None:
    scene = Scene()
    scene.tell(deploy("ledger", -60.0, name="bad"), *outage())
    scene.wait(200.0)
    (incident,) = scene.open
    telling = Telling(T0 - 1e6, T0 + 1e6, scene.engine.state.changes.values())
    telling.incident(type(incident)(**{
        **{name: getattr(incident, name) for name in incident.__struct_fields__}, "no_clear_cause": True,
    }))  # fmt: skip
    one = only(telling.releases(telling.watches(()), None))
    assert [each.clear for each in one.incidents] == [False]
    assert one.detect_s is None
    assert one.resolve_s is None


def test_what_users_felt_has_its_numbers_and_an_interval() -> None:
    records = [*minutes(0.9, -3600, 0), *minutes(0.6, 0, 3600), *minutes(0.1, 3600, 9000)]
    one = only(told([model(0.0, "2", "1")], records))
    (measure,) = one.impact
    assert measure.shows
    assert measure.before is not None
    assert measure.after is not None
    assert (measure.before.count, measure.after.count) == (60, 60)
    assert measure.delta == pytest.approx(-0.3, abs=0.005)
    assert measure.low is not None
    assert measure.high is not None
    assert measure.low < -0.3 < measure.high
    assert "kpi/approvals rate 0.90" in plain(told([model(0.0, "2", "1")], records))
    table = SamplesRecord(
        at=0.0,
        entity="kpi/approvals",
        times=[at for record in records if isinstance(record, SampleRecord) for at in [record.at]],
        values={"rate": [record.value for record in records if isinstance(record, SampleRecord)]},
    )
    assert only(told([model(0.0, "2", "1")], [table])).impact == one.impact


def test_failed_calls_are_shares_of_calls() -> None:
    calls = [
        CallRecord(at=at, entity="endpoint/score", count=100, errors=1 if at < 0 else 9) for at in range(-600, 600, 60)
    ]
    (measure,) = only(told([model(0.0, "2", "1")], calls)).impact
    assert (measure.method, measure.shows) == ("two proportions", True)
    assert measure.delta == pytest.approx(0.08)


def test_nothing_sampled_is_not_measured_and_never_zero() -> None:
    one = only(told([model(0.0, "2", "1")]))
    assert one.impact == ()
    assert one.not_measured == "nothing was sampled at endpoint/score, kpi/approvals, model/fraud"
    few = only(told([model(0.0, "2", "1")], minutes(0.9, -3600, 120)))
    (measure,) = few.impact
    assert measure.delta is None
    assert measure.why == "60 minutes before and 2 after, 5 of each are needed"
    gone = only(told([model(0.0, "2", "1")], known_from=5.0))
    assert gone.not_measured == "there are no records of that time"


def test_a_release_is_compared_up_to_the_next_one_only() -> None:
    changes = [model(0.0, "2", "1"), model(600.0, "3", "2"), model(700.0, "9", "8", entity="model/other")]
    later = told(changes, [*minutes(0.9, -3600, 0), *minutes(0.6, 0, 600), *minutes(0.1, 600, 4000)])
    first = next(one for one in later.releases if one.revision == "2")
    assert first.impact[0].after is not None
    assert first.impact[0].after.count == 10
    other = next(one for one in later.releases if one.entity == "model/other")
    assert other.impact == ()


def test_going_back_from_something_newer_is_no_judgement_of_it() -> None:
    found = told([model(0.0, "2", "1"), model(60.0, "3", "2"), model(120.0, "1", "3")])
    assert all(one.taken_back is None for one in found.releases)


def test_users_are_found_over_links() -> None:
    assert felt_at("model/fraud", LINKS) == {"model/fraud", "endpoint/score", "kpi/approvals"}


VALUES = st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=30)


@settings(max_examples=60, deadline=None)
@given(VALUES, VALUES)
def test_welch_is_as_scipy_has_it_and_a_little_wider(before: list[float], after: list[float]) -> None:
    delta, low, high = welch(before, after)
    assert low <= delta <= high
    if len(set(before)) > 1 and len(set(after)) > 1 and high - low > 1e-6:
        try:
            asked = science.ttest_ind(after, before, equal_var=False).confidence_interval(0.95)
        except RuntimeWarning:  # nearly the same values on a side: scipy says that it lost its precision
            reject()
        assert low <= float(asked.low) + 1e-3 * (high - low)
        assert high >= float(asked.high) - 1e-3 * (high - low)


@pytest.mark.parametrize("freedom", [1, 2, 3, 5, 30, 200])
def test_students_t(freedom: int) -> None:
    assert student(freedom) == pytest.approx(float(science.t.ppf(0.975, freedom)), abs=2e-3)


@given(st.integers(1, 500), st.integers(1, 500), st.data())
def test_shares_stay_shares(first: int, second: int, data: st.DataObject) -> None:
    hits = data.draw(st.integers(0, first)), data.draw(st.integers(0, second))
    delta, low, high = two_shares(hits, (first, second))
    assert -1.0 <= low <= delta + 1e-3
    assert delta - 1e-3 <= high <= 1.0


def test_nobody_s_release_is_told_as_such() -> None:
    assert plain(told([])) == "no deploy and no release of a model or prompt is known of that time"


def ties(count: int, tie: float, chance: random.Random) -> dict[int, float]:
    """Values each of which is partly the one before, as minutes of a metric are."""
    value, found = chance.gauss(0.0, 1.0) / (1 - tie * tie) ** 0.5, {}
    for at in range(count):
        found[at] = value
        value = tie * value + chance.gauss(0.0, 1.0)
    return found


@pytest.mark.parametrize("tie", [0.0, 0.5, 0.8])
def test_an_interval_holds_the_truth_also_where_minutes_are_like_their_neighbours(tie: float) -> None:
    chance, held = random.Random(7), 0
    for _ in range(400):
        before, after = ties(60, tie, chance), ties(60, tie, chance)
        _, low, high = welch([*before.values()], [*after.values()], alike(before, after))
        held += low <= 0.0 <= high
    assert held / 400 > 0.9  # as if they did not know each other it was 0.75 for 0.5, and 0.47 for 0.8


def test_failures_that_come_in_crowds_are_less_telling() -> None:
    chance, held = random.Random(3), 0
    for _ in range(300):
        told = [[(sum(chance.random() < rate for _ in range(100)), 100)
                 for rate in (chance.choice((0.0, 0.1)) for _ in range(30))] for _ in range(2)]  # fmt: skip
        sums = [(sum(bad for bad, _ in side), sum(of for _, of in side)) for side in told]
        hits, of = (sums[0][0], sums[1][0]), (sums[0][1], sums[1][1])
        _, low, high = two_shares(hits, of, (crowding(told[0]), crowding(told[1])))
        held += low <= 0.0 <= high
    assert held / 300 > 0.9  # as if each had failed for itself it was 0.6
    assert crowding([(0, 10), (0, 10)]) == crowding([]) == crowding([(10, 10)]) == 1.0


def test_small_shares_of_many_calls_are_told_apart() -> None:
    delta, low, high = two_shares((100, 300), (1_000_000, 1_000_000))
    assert delta == pytest.approx(2e-4)
    assert 0.0 < low < delta < high < 3e-4


def test_a_count_that_a_release_falls_into_counts_on_neither_side() -> None:
    calls = [CallRecord(at=at, entity="endpoint/score", count=100, errors=100 if at == -30 else 1)
             for at in range(-630, 600, 60)]  # fmt: skip
    (measure,) = only(told([model(0.0, "2", "1")], calls)).impact
    assert measure.before is not None
    assert (measure.before.count, measure.before.value, measure.shows) == (1000, 0.01, False)


def test_releases_of_one_time_that_reach_the_same_users_are_told_beside_each_other() -> None:
    other = Change(id="d", at=600.0, type="deploy", entity="endpoint/score", revision="v2")
    far = Change(id="f", at=600.0, type="deploy", entity="service/elsewhere", revision="v9")
    late = Change(id="l", at=4000.0, type="deploy", entity="endpoint/score", revision="v3")
    found = told([model(0.0, "2", "1"), other, far, late], [*minutes(0.9, -3600, 0), *minutes(0.6, 0, 3600)])
    by_id = {one.id: one for one in found.releases}
    assert [one.id for one in by_id["model/fraud@2"].beside] == ["d"]
    assert [one.id for one in by_id["d"].beside] == ["model/fraud@2"]
    assert by_id["f"].beside == ()
    text = plain(found)
    assert "at that time, too: deploy endpoint/score v2; what users felt may be theirs" in text
