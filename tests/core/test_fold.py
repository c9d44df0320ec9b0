"""Fold as Alertmanager does, and the same alert whatever the order of delivery."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quell.core.episodes import KEPT, Late, bounded, episodes, hear, hear_end, tally
from quell.core.fold import Folded, expired, fold, next_expiry
from quell.core.severity import severity_of
from quell.model.alert import Alert, Heard, fingerprint
from quell.model.records import AlertRecord

GAP_S = 900.0
LABELS = {"alertname": "HighErrorRate", "service": "checkout", "severity": "Critical"}
LATE = 1_000_000.0


def firing(start: float | None = 0.0, **more: Any) -> AlertRecord:
    at = more.pop("at", start or 0.0)
    return AlertRecord(status="firing", at=at, starts_at=start, labels=more.pop("labels", LABELS), **more)


def resolved(end: float | None, start: float | None = None, **more: Any) -> AlertRecord:
    at = more.pop("at", end or 0.0)
    labels = more.pop("labels", LABELS)
    return AlertRecord(status="resolved", at=at, starts_at=start, ends_at=end, labels=labels, **more)


def step(known: Alert | None, record: AlertRecord, now: float | None = None) -> Folded:
    now = record.arrived if now is None else now
    return fold(known, record, now, flap_gap_s=GAP_S, fingerprint="f" * 16)


def through(records: list[AlertRecord], known: Alert | None = None, now: float | None = None) -> Alert:
    for record in records:
        known = step(known, record, now).alert
    assert known is not None
    return known


def whats(records: list[AlertRecord], now: float | None = None) -> list[str]:
    known, found = None, []
    for record in records:
        folded = step(known, record, now)
        known = folded.alert
        found.append(folded.what)
    return found


def final(alert: Alert, now: float = LATE) -> tuple[str, float, float | None]:
    alert = expired(alert, now) or alert
    return alert.status, alert.starts_at, alert.ends_at


def test_first_firing_is_new():
    folded = step(None, firing(10, at=12, seen=15, id="e1", source="prom", annotations={"summary": "x"}, url="u"))
    alert = folded.alert
    assert folded.what == "new"
    assert alert is not None
    assert (alert.status, alert.starts_at, alert.ends_at, alert.onset_seen) == ("firing", 10, None, 15)
    assert (alert.record, alert.source, alert.severity, alert.updated_at) == ("e1", "prom", "critical", 15)
    assert (alert.episode, alert.flaps, alert.count, alert.url) == (1, 0, 1, "u")


def test_without_a_start_the_event_time_is_the_start():
    assert through([firing(None, at=7)]).starts_at == 7


def test_a_clock_that_runs_far_ahead_is_not_believed():
    alert = through([firing(50_000, seen=100)])
    assert alert.starts_at == 100
    assert final(through([resolved(50_060, start=50_000, seen=160)], alert))[0] == "resolved"
    assert final(through([resolved(160, seen=160)], alert))[0] == "resolved", "by key, at our own time"
    assert final(through([resolved(500, seen=500)], alert)) == ("resolved", 100, 500)


def test_a_late_repeat_from_a_clock_that_runs_ahead_does_not_bring_it_back():
    ended = through([firing(400, seen=110), resolved(600, start=400, seen=310)])
    assert final(ended)[:2] == ("resolved", 110)
    assert whats([firing(400, seen=110), resolved(600, start=400, seen=310), firing(400, seen=320)])[-1] == "stale"
    assert step(ended, firing(700, seen=900)).what == "flapped"


def test_a_resolution_in_the_future_is_taken_as_now():
    alert = through([firing(0), resolved(5000, at=100, seen=100)])
    assert final(alert) == ("resolved", 0, 100)
    assert step(alert, firing(150)).what == "flapped"


def test_a_repeat_only_counts_and_moves_the_end():
    first = step(None, firing(0, ends_at=240, annotations={"a": "b"})).alert
    folded = step(first, firing(0, seen=60, ends_at=300, annotations={"a": "b"}))
    assert folded.what == "repeat"
    assert folded.alert is not None
    assert (folded.alert.count, folded.alert.ends_at) == (2, 300)


@pytest.mark.parametrize(
    "change", [{"annotations": {"summary": "91%"}}, {"url": "http://p"}, {"value": 2.0}, {"entity": "service/a"}]
)
def test_other_words_are_an_update(change):
    first = through([firing(0, at=0)])
    folded = step(first, firing(0, seen=60, **change))
    assert folded.what == "updated"
    assert folded.alert is not None
    assert all(getattr(folded.alert, name) == value for name, value in change.items())
    assert step(folded.alert, firing(0, seen=30)).what == "repeat", "an older record does not bring old words back"


def test_an_earlier_start_of_the_same_firing_is_an_update():
    folded = step(through([firing(20, seen=30)]), firing(10, seen=40))
    assert folded.what == "updated"
    assert folded.alert is not None
    assert folded.alert.starts_at == 10
    assert folded.alert.onset_seen == 30


def test_the_entity_stays_when_a_later_record_does_not_tell_it():
    alert = through([firing(0, entity="service/a"), firing(0, seen=5, annotations={"b": "c"})])
    assert alert.entity == "service/a"
    alert = through([firing(50, seen=60), firing(0, seen=70, entity="service/a")])
    assert alert.entity == "service/a"


def test_resolving_by_key_alone_keeps_labels_and_words():
    trigger = firing(0, key="k", annotations={"summary": "disk"})
    folded = step(through([trigger]), resolved(30, key="k", labels={}))
    assert folded.what == "resolved"
    assert folded.alert is not None
    assert folded.alert.labels == LABELS
    assert folded.alert.annotations == {"summary": "disk"}
    assert folded.alert.severity == "critical"
    assert (folded.alert.ends_at, folded.alert.timeout) == (30, False)


def test_labels_of_a_keyed_alert_may_change():
    alert = through([firing(0, key="k"), firing(0, seen=9, key="k", labels={"severity": "warning"})])
    assert alert.severity == "warning"


def test_unknown_resolution_without_start_leaves_nothing():
    folded = step(None, resolved(30, key="k", labels={}))
    assert folded == Folded(None, "ignored")


def test_unknown_resolution_with_start_keeps_late_firing_down():
    folded = step(None, resolved(30, start=10, seen=40, id="r"))
    assert folded.what == "ignored"
    assert folded.alert is not None
    assert final(folded.alert) == ("resolved", 10, 30)
    late = step(folded.alert, firing(10, seen=50, id="f", ends_at=260))
    assert late.what == "stale"
    assert late.alert is not None
    assert final(late.alert) == ("resolved", 10, 30)
    assert late.alert.count == 2


def test_a_keyed_resolution_with_start_takes_the_words_of_the_late_trigger():
    alert = through([resolved(30, start=10, seen=40, key="k", labels={}), firing(10, seen=50, key="k")])
    assert alert.labels == LABELS
    assert alert.severity == "critical"
    assert alert.status == "resolved"


def test_firing_that_has_ended_already_is_over_as_in_alertmanager():
    folded = step(None, firing(0, at=0, seen=500, ends_at=240))
    assert folded.what == "ignored"
    assert folded.alert is not None
    assert folded.alert.status == "resolved"
    timed_out = step(None, firing(0, at=0, seen=500, ends_at=300, timeout=True)).alert
    assert timed_out is not None
    assert timed_out.status == "expired"


def test_an_end_before_the_start_ends_at_the_start():
    assert final(through([firing(10, ends_at=5)])) == ("resolved", 10, 10)
    assert final(through([resolved(5, start=10, seen=20)])) == ("resolved", 10, 10)


def test_a_chosen_end_outlives_a_timeout_and_a_shorter_one():
    alert = through([firing(0, ends_at=1000), firing(10, ends_at=310, timeout=True), firing(20, ends_at=100)])
    assert (alert.ends_at, alert.timeout, alert.starts_at) == (1000, False, 0)


def test_a_later_chosen_end_may_shorten_a_timeout():
    alert = through([firing(0, ends_at=300, timeout=True), firing(10, ends_at=70)])
    assert (alert.ends_at, alert.timeout) == (70, False)


def test_a_resend_extends_the_timeout():
    alert = through([firing(0, ends_at=300, timeout=True), firing(60, ends_at=360, timeout=True)])
    assert (alert.starts_at, alert.ends_at, alert.timeout) == (0, 360, True)


def test_a_chosen_end_at_the_same_time_is_chosen():
    alert = through([firing(0, ends_at=300, timeout=True), firing(0, ends_at=300)])
    assert alert.timeout is False
    alert = through([firing(0, ends_at=300), firing(0, ends_at=300, timeout=True)])
    assert alert.timeout is False


def test_a_firing_without_end_outlasts_one_with_an_end():
    assert through([firing(0), firing(0, seen=5, ends_at=240)]).ends_at is None
    assert through([firing(0, ends_at=240), firing(0, seen=5)]).ends_at is None


def test_expiry():
    alert = through([firing(0, ends_at=300, timeout=True)])
    assert next_expiry(alert) == 300
    assert expired(alert, 299) is None
    gone = expired(alert, 300)
    assert gone is not None
    assert gone.status == "expired"
    assert next_expiry(gone) is None
    assert expired(gone, 400) is None
    assert next_expiry(through([firing(0)])) is None
    assert expired(through([firing(0)]), 1e9) is None
    chosen = expired(through([firing(0, ends_at=240)]), 240)
    assert chosen is not None
    assert chosen.status == "resolved"


def test_told_again_after_it_lapsed_the_same_firing_goes_on():
    gone = expired(through([firing(0, ends_at=240, id="a")]), 240)
    folded = step(gone, firing(0, at=600, ends_at=840, id="b"))
    assert folded.what == "flapped"
    assert folded.alert is not None
    assert (folded.alert.status, folded.alert.starts_at, folded.alert.ends_at) == ("firing", 0, 840)
    assert (folded.alert.episode, folded.alert.flaps, folded.alert.record) == (1, 0, "a")


def test_back_soon_is_a_flap_of_the_same_episode():
    folded = step(through([firing(0, id="a"), resolved(100, start=0)]), firing(1000, id="b", seen=1010))
    assert folded.what == "flapped"
    alert = folded.alert
    assert alert is not None
    assert (alert.starts_at, alert.onset_seen, alert.record) == (1000, 1010, "b")
    assert (alert.episode, alert.flaps, alert.status, alert.ends_at) == (1, 1, "firing", None)


def test_back_later_is_a_new_episode():
    records = [firing(0), resolved(100), firing(200), resolved(300), firing(1201, id="b", seen=1210)]
    folded = step(through(records[:-1]), records[-1])
    assert folded.what == "returned"
    alert = folded.alert
    assert alert is not None
    assert (alert.starts_at, alert.onset_seen, alert.record) == (1201, 1210, "b")
    assert (alert.episode, alert.flaps) == (2, 0)


def test_firing_at_the_instant_of_the_end_is_over():
    assert whats([firing(0), resolved(100), firing(100)]) == ["new", "resolved", "stale"]


def test_unresolved_with_a_new_start_is_a_repeat_within_an_hour():
    assert whats([firing(0), firing(3599)]) == ["new", "repeat"]
    assert whats([firing(0), firing(3600)]) == ["new", "returned"]


def test_patience_grows_with_the_gaps_seen_up_to_four_hours():
    hour = 3600.0
    assert whats([firing(0), firing(hour), firing(3.4 * hour)]) == ["new", "returned", "repeat"]
    assert whats([firing(0), firing(2 * hour), firing(5.9 * hour), firing(10 * hour)]) == [
        "new",
        "returned",
        "repeat",
        "returned",
    ]


def test_lapsed_unnoticed_and_back_with_a_new_start():
    assert whats([firing(0, ends_at=240), firing(500, ends_at=740)]) == ["new", "flapped"]
    assert whats([firing(0, ends_at=240), firing(5000, ends_at=5240)]) == ["new", "returned"]


def test_news_about_a_resolved_alert():
    known = [firing(0), resolved(100, start=0)]
    assert whats([*known, resolved(100, start=0)])[-1] == "repeat"
    assert whats([*known, resolved(103, start=2)])[-1] == "updated"
    assert whats([*known, resolved(50, start=0, seen=200)])[-1] == "stale"
    assert whats([*known, resolved(2000, start=1900)])[-1] == "updated"


def test_a_late_resolution_of_an_earlier_episode_is_stale():
    folded = step(through([firing(500)]), resolved(100, start=0, seen=600))
    assert folded.what == "stale"
    assert folded.alert is not None
    assert (folded.alert.status, folded.alert.starts_at, folded.alert.episode) == ("firing", 500, 1)
    assert step(through([firing(500)]), resolved(100, seen=600)).what == "stale"


def test_a_late_firing_of_an_earlier_episode_is_stale():
    known = through([firing(0, ends_at=10), resolved(30), firing(5000)])
    folded = step(known, firing(20, seen=6000, annotations={"old": "words"}))
    assert folded.what == "stale"
    assert folded.alert is not None
    assert folded.alert.annotations == {}


def test_a_late_resolution_between_two_starts_parts_them():
    known = through([firing(20, id="a"), firing(0, id="b", seen=21)])
    assert (known.starts_at, known.record) == (0, "a")
    folded = step(known, resolved(10, seen=22))
    assert folded.what == "flapped"
    assert folded.alert is not None
    assert (folded.alert.starts_at, folded.alert.record, folded.alert.flaps) == (20, "a", 1)


def test_a_history_longer_than_is_kept_stays_bounded_and_right():
    known: Alert | None = None
    for number in range(40):
        start = number * 10_000.0
        known = through([firing(start, id=f"e{number}"), resolved(start + 100, start=start)], known)
        assert len(known.heard) <= KEPT
        assert len(known.ended) <= KEPT
        assert (known.episode, known.starts_at) == (number + 1, start)
    assert known is not None
    late = step(known, firing(10_000, seen=500_000))
    assert late.what == "stale"
    assert late.alert == msgspec.structs.replace(known, count=known.count + 1)


def test_flaps_go_on_counting_beyond_what_is_kept():
    known: Alert | None = None
    for number in range(20):
        start = number * 100.0
        known = through([firing(start), resolved(start + 50)], known)
        assert (known.flaps, known.episode) == (number, 1)


def test_resending_without_start_keeps_the_first_start():
    records = [firing(None, at=number * 60.0) for number in range(200)]
    alert = through(records)
    assert (alert.starts_at, alert.episode, alert.flaps, alert.count) == (0, 1, 0, 200)
    assert len(alert.heard) == KEPT
    assert step(alert, firing(30, seen=20_000)).what == "repeat"
    assert final(through([resolved(12_000)], alert)) == ("resolved", 0, 12_000)


def test_patience_outlives_the_firings_it_was_learnt_from():
    told: list[tuple[float | None, float]] = [(None, at) for at in (0.0, 0.0, 0.0, 3213.0, 15_708.0, 5565.0, 7245.0)]
    known = through([firing(start, at=at) for start, at in told], now=20_000.0)
    assert (known.starts_at, known.episode) == (15_708, 2)
    known = through([firing(8925.0, at=0.0)], known, now=20_000.0)
    assert (known.starts_at, known.episode) == (0, 1), "no pause was too long, as the first one shows"
    known = through([firing(14_807.0, at=0.0, ends_at=0.0)], known, now=20_000.0)
    assert len(known.heard) == KEPT
    gone = through([resolved(20_000.0)], known)
    assert (gone.starts_at, gone.episode) == (0, 1), "the first pause is forgotten, what it showed is not"
    again = through([firing(9407.0, at=0.0)], known, now=20_000.0)
    assert (again.starts_at, again.episode) == (0, 1)


def test_many_resolutions_of_one_firing_keep_the_episodes_apart():
    records = [firing(0), resolved(10), firing(20), *(resolved(30.0 + number) for number in range(20))]
    assert final(through(records)) == ("resolved", 20, 49)
    assert len(through(records).ended) <= KEPT


def test_severity_of():
    assert severity_of({"severity": " Critical "}) == "critical"
    assert severity_of({"priority": "P1", "level": "x"}) == "p1"
    assert severity_of({"level": "Error"}) == "error"
    assert severity_of({"severity": ""}) == ""


def test_an_alert_survives_a_snapshot():
    alert = through(
        [firing(0, id="a", ends_at=240.0), resolved(100.0, start=0.0), firing(500, ends_at=800.0, timeout=True)]
    )
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(alert), type=Alert) == alert


def test_a_firing_in_an_older_snapshot_is_read():
    heard = Heard(1.0, 2.0, 3.0, True, 4.0, "a", 3.0, 5.0)
    older = msgspec.msgpack.encode(msgspec.structs.astuple(heard)[:-1])
    assert msgspec.msgpack.decode(older, type=Heard) == heard


def test_fingerprint_is_stored():
    name = fingerprint(LABELS)
    assert fold(None, firing(0), 0, flap_gap_s=GAP_S, fingerprint=name).alert.fingerprint == name  # type: ignore[union-attr]


# --- properties -----------------------------------------------------------------------------------------------------


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[AlertRecord], tuple[str, float, float | None], bool]:
    """An alert's deliveries in order, what they come to, and whether its resolutions carry no start."""
    keyed = draw(st.booleans())
    replicas = draw(st.sampled_from([1, 2]))
    lapsing = draw(st.booleans())
    records: list[AlertRecord] = []
    start = 0.0
    expected: tuple[str, float, float | None] = ("firing", 0.0, None)
    episodes = draw(st.integers(1, KEPT // replicas))
    for number in range(episodes):
        start += draw(st.sampled_from([60.0, 300.0, 2000.0, 50_000.0]))
        lasts = draw(st.sampled_from([30.0, 240.0, 4000.0]))
        is_open = number == episodes - 1 and draw(st.booleans())
        times = draw(st.integers(1, 2))
        lapse = None
        for replica in range(replicas):
            began = start + 5.0 * replica
            for time in range(times):
                lapse = began + lasts + 240.0 * time if lapsing else None
                more = {"key": "k"} if keyed else {}
                records.append(firing(began, at=began + time, id=f"{number}/{replica}/{time}", ends_at=lapse, **more))
            if is_open:
                continue
            end = start + lasts + 3.0 * replica
            if keyed:
                records.append(resolved(end, key="k", labels={}))
            else:
                records.append(resolved(end, start=began))
        over = start + lasts + 3.0 * (replicas - 1)
        expected = ("resolved", start, over)
        if is_open:
            expected = ("firing", start, None) if lapse is None else ("resolved", start, lapse)
        start = over
    return records, expected, keyed


@settings(max_examples=300, deadline=None)
@given(histories(), st.randoms(use_true_random=False), st.booleans())
def test_any_order_of_delivery_converges(history, rng: random.Random, doubled: bool):
    records, expected, keyed = history
    assert final(through(records, now=LATE)) == expected, "delivered in order"
    shuffled = records * 2 if doubled else list(records)
    head = [shuffled.pop(0)] if keyed else []
    rng.shuffle(shuffled)
    known: Alert | None = None
    for number, record in enumerate(head + shuffled):
        arrived = 500_000.0 + number
        known = step(known, msgspec.structs.replace(record, seen=arrived)).alert
    assert known is not None
    assert final(known) == expected


@settings(max_examples=300, deadline=None)
@given(histories(), st.randoms(use_true_random=False))
def test_order_within_one_instant_decides_nothing(history, rng: random.Random):
    records, _, keyed = history
    cut = rng.randint(1 if keyed else 0, len(records))
    notes = [
        msgspec.structs.replace(record, seen=LATE, annotations={"n": str(number)} if record.labels else {})
        for number, record in enumerate(records[cut:])
    ]
    known = through(records[:cut]) if cut else None
    if not notes:
        return
    straight = through(notes, known)
    rng.shuffle(notes)
    assert through(notes, known) == straight


@settings(max_examples=300, deadline=None)
@given(histories(), st.randoms(use_true_random=False))
def test_the_same_record_twice_changes_nothing_but_the_count(history, rng: random.Random):
    records, _, _ = history
    known: Alert | None = None
    for told in records:
        record = msgspec.structs.replace(told, seen=rng.choice([None, LATE]))
        once = step(known, record).alert
        assert once is not None
        twice = step(once, record)
        assert twice.what in {"repeat", "stale"}
        assert twice.alert == msgspec.structs.replace(once, count=once.count + 1)
        known = once


MOMENTS = st.integers(0, 60).map(lambda n: n * 500.0)


def firing_told(start: float, lasts: float | None, timeout: bool) -> Heard:
    end = None if lasts is None else start + lasts
    return Heard(start, start, end, timeout, start, "", end, 300.0)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.builds(firing_told, MOMENTS, st.none() | MOMENTS, st.booleans()), min_size=KEPT + 1, max_size=3 * KEPT),
    st.lists(st.tuples(MOMENTS, MOMENTS), max_size=2 * KEPT),
)
def test_what_is_kept_makes_the_same_episodes(told: list[Heard], resolutions: list[tuple[float, float]]):
    heard: tuple[Heard, ...] = ()
    for one in told:
        heard = hear(heard, one)
    ended: tuple[float, ...] = ()
    late: Late = ()
    for at, arrived in resolutions:
        ended, late = hear_end(ended, late, at, arrived)
    full = episodes(heard, ended, late)
    kept = episodes(*bounded(heard, ended, late), late)
    assert kept == full[-len(kept) :]
    assert tally(kept, GAP_S).returns <= tally(full, GAP_S).returns


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.builds(
            lambda status, start, end, timeout, at, key: AlertRecord(
                status=status,
                at=at,
                starts_at=start,
                ends_at=end,
                timeout=timeout,
                labels={} if key and status == "resolved" else LABELS,
                key=key,
            ),
            st.sampled_from(["firing", "resolved"]),
            st.none() | st.floats(0, 30_000),
            st.none() | st.floats(0, 30_000),
            st.booleans(),
            st.floats(0, 30_000),
            st.sampled_from(["", "k"]),
        ),
        max_size=40,
    )
)
def test_whatever_is_told_the_alert_makes_sense(records):
    known: Alert | None = None
    for number, record in enumerate(records):
        now = 20_000.0 + number
        folded = step(known, record, now)
        before, known = known, folded.alert
        if known is None:
            assert folded.what == "ignored"
            continue
        assert known.ends_at is None or known.ends_at >= known.starts_at
        assert len(known.heard) <= KEPT
        assert len(known.ended) <= KEPT
        assert known.episode >= 1
        assert known.flaps >= 0
        assert known.starts_at <= known.onset_seen <= 30_000
        if before is not None:
            assert known.count == before.count + 1
        if folded.what in {"new", "returned", "flapped"}:
            assert known.firing
        if folded.what == "resolved":
            assert not known.firing
