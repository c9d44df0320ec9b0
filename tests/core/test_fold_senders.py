"""Two senders of one alert, such as a pair of Prometheus servers: it fires as long as one of them tells so.

A fires since -600 and resolves at 0; B fires since -595. Prometheus tells an end four minutes after sending.
"""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core import scene
from core.test_fold import final, firing, resolved, through, whats
from quell.core.engine import Engine
from quell.core.episodes import KEPT
from quell.model.decision import Page
from quell.model.records import AlertRecord


def sent(at: float, start: float = -595.0, horizon: float = 240.0, **more: Any) -> AlertRecord:
    """As a Prometheus server sends a firing at ``at``."""
    return firing(start, at=start, seen=more.pop("seen", at), ends_at=at + horizon, **more)


def off(end: float, start: float = -600.0) -> AlertRecord:
    """As a Prometheus server sends a resolution."""
    return resolved(end, start=start, seen=end)


PAIR = [sent(-60, -600.0), sent(-55), off(0)]
OVER = ("resolved", -600.0, 0.0)
WEBHOOK = firing(-595.0, seen=-50.0)

TWO_SENDERS: dict[str, tuple[list[AlertRecord], float, tuple[str, float, float | None]]] = {
    "one resolved": ([*PAIR], 1, OVER),
    "the other goes on": ([*PAIR, sent(60)], 60, ("firing", -600, 300)),
    "and on": ([*PAIR, sent(60), sent(120), sent(180)], 301, ("firing", -600, 420)),
    "the resolution is told again meanwhile": ([*PAIR, sent(60), off(0)], 61, ("firing", -600, 300)),
    "until it resolves as well": ([*PAIR, sent(60), sent(120), off(150, -595)], 151, ("resolved", -600, 150)),
    "until it is heard no more": ([*PAIR, sent(60), sent(120)], 360, ("resolved", -600, 360)),
    "back after it was heard no more": ([*PAIR, sent(60), sent(400)], 401, ("firing", -600, 640)),
    "both resolved": ([*PAIR, off(5, -595)], 6, ("resolved", -600, 5)),
    "both resolved, told the other way round": ([*PAIR[:2], off(5, -595), off(0)], 6, ("resolved", -600, 5)),
    "the first fires again meanwhile": ([*PAIR, sent(60), sent(200, 170.0)], 250, ("firing", -600, 440)),
    "the first fires again hours later": (
        [*PAIR, *(sent(60.0 * n) for n in range(1, 400)), sent(23_950, 23_940.0)],
        23_960,
        ("firing", -600, 24_190),
    ),
    "the first fires again and resolves again": (
        [*PAIR, sent(60), sent(200, 170.0), off(230, 170.0), sent(230)],
        231,
        ("resolved", -600, 230),
    ),
    "and the other goes on still": (
        [*PAIR, sent(60), sent(200, 170.0), off(230, 170.0), sent(240), sent(300)],
        301,
        ("firing", -600, 540),
    ),
    "equal starts": ([sent(-60, -600.0), off(0), sent(60, -600.0)], 61, ("firing", -600, 300)),
    "sent at the time of the resolution": ([*PAIR, sent(0)], 1, OVER),
    "sent before it, but late": ([*PAIR, sent(-10, seen=200.0)], 201, OVER),
    "sent before it with an end of its own choice": ([*PAIR[:2], sent(-30, horizon=7200), off(0)], 1, OVER),
    "an end that never grows": ([firing(-600, seen=-500.0, ends_at=9000.0), off(0), sent(60, horizon=8940)], 61, OVER),
    "evaluated every five minutes": (
        [sent(-300, -600.0, 1200), sent(-290, horizon=1200), off(0)],
        1,
        OVER,
    ),
    "evaluated every five minutes, goes on": (
        [sent(-300, -600.0, 1200), sent(-290, horizon=1200), off(0), sent(20, horizon=1200)],
        21,
        ("firing", -600, 1220),
    ),
    "resolved as of before the last firing": (
        [*PAIR[:2], resolved(-90, start=-600, seen=0)],
        1,
        ("resolved", -600, -90),
    ),
    "that again, later": (
        [*PAIR[:2], *(resolved(-90, start=-600, seen=at) for at in (0, 60, 120)), sent(100)],
        121,
        ("firing", -600, 340),
    ),
    "told once with a far end, resolved as of before": (
        [firing(-600, seen=-540.0, ends_at=3000.0), resolved(-570, start=-600, seen=-510)],
        -500,
        ("resolved", -600, -570),
    ),
    "an end filled in, resolved as of before": (
        [firing(-600, seen=-540.0, ends_at=-240.0, timeout=True), resolved(-570, start=-600, seen=-510)],
        -500,
        ("resolved", -600, -570),
    ),
    "a clock that runs ahead": (
        [*PAIR, *(sent(60.0 * n, seen=60.0 * n - 100) for n in (1, 2, 3))],
        90,
        ("firing", -600, 420),
    ),
    "no end, repeated": ([WEBHOOK, off(0), firing(-595.0, seen=100.0)], 101, OVER),
    "no end, with a later start": ([WEBHOOK, off(0, -595), firing(50.0, seen=100.0)], 101, ("firing", 50, None)),
    "no end from one, ends from another": ([WEBHOOK, off(0), sent(60)], 61, ("firing", -600, 300)),
    "an end filled in": (
        [
            firing(-595, seen=-60.0, ends_at=240.0, timeout=True),
            off(0),
            firing(-595, seen=60.0, ends_at=360.0, timeout=True),
        ],
        61,
        ("firing", -600, 360),
    ),
    "an end filled in, heard no more": (
        [
            firing(-595, seen=-60.0, ends_at=240.0, timeout=True),
            off(0),
            firing(-595, seen=60.0, ends_at=360.0, timeout=True),
        ],
        400,
        ("expired", -600, 360),
    ),
}


@pytest.mark.parametrize("name", TWO_SENDERS)
def test_two_senders_of_one_alert(name: str):
    records, now, expected = TWO_SENDERS[name]
    assert final(through(records), now) == expected
    known = through(sorted(records, key=lambda record: record.arrived, reverse=True), now=now)
    assert final(known, now) == expected, "delivered the other way round"


def test_what_one_sender_resolved_flaps_when_another_tells_it_again():
    records = [*PAIR, sent(-1, seen=10.0), sent(60), sent(120), off(0), off(150, -595), sent(150)]
    assert whats(records) == ["new", "repeat", "resolved", "stale", "flapped", "repeat", "stale", "resolved", "stale"]
    alert = through(records[:6])
    assert (alert.episode, alert.flaps, alert.onset_seen) == (1, 0, -60), "the same firing goes on"


def test_what_two_senders_told_is_kept_when_old_firings_are_forgotten():
    known = through(PAIR)
    for number in range(1, 40):
        again = number * 100.0
        known = through([sent(again), sent(again + 10, again), off(again + 50, again)], known)
        assert len(known.heard) <= KEPT
        assert (known.starts_at, known.episode) == (-600, 1)
    assert final(through([sent(4000)], known), 4001) == ("firing", -600, 4240)
    assert final(through([sent(4000), off(4010, -595)], known), 4011) == ("resolved", -600, 4010)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[list[AlertRecord], tuple[str, float, float | None], float]:
    """What two servers send of a condition that one sees end before the other, and what is true at a time.

    They evaluate every half minute, the second a little after the first, and send each minute.
    """
    behind = draw(st.sampled_from([0.0, 5.0, 12.0]))
    ends = draw(st.tuples(*[st.integers(2, 40)] * 2))
    silent = draw(st.booleans())
    records: list[AlertRecord] = []
    for late, end in zip((0.0, behind), ends, strict=True):
        records += [sent(30.0 * n + late, late) for n in range(0, end, 2)]
        if not silent or end == min(ends):
            records.append(off(30.0 * end + late, late))
    now = 30.0 * max(ends) + behind + draw(st.sampled_from([0.0, 1000.0]))
    over = max(record.ends_at or 0.0 for record in records if record.status == "resolved")
    last = max(record.ends_at or 0.0 for record in records if record.status == "firing")
    if last - 240 > over:
        return records, ("firing" if now < last else "resolved", 0.0, last), now
    return records, ("resolved", 0.0, over), now


@settings(max_examples=300, deadline=None)
@given(pairs(), st.randoms(use_true_random=False), st.booleans())
def test_two_senders_converge_in_any_order(pair, rng: random.Random, late: bool):
    records, expected, now = pair
    assert final(through(records, now=now), now) == expected
    rng.shuffle(records)
    if late:
        records = [msgspec.structs.replace(one, seen=now) if one.status == "firing" else one for one in records]
    assert final(through(records, now=now), now) == expected


@pytest.mark.parametrize("resolved_at", [305.0, 605.0])
def test_what_only_one_of_two_senders_resolved_pages_once_and_ends_with_the_other(resolved_at: float):
    engine = Engine(scene.rulebook())
    told = [sent(60.0 * n, 0.0) for n in range(int(resolved_at // 60) + 1)]
    told += [sent(60.0 * n + 5, 5.0) for n in range(60)] + [off(resolved_at, 0.0), off(3600.0, 5.0)]
    told = [msgspec.structs.replace(one, labels=scene.labels("checkout")) for one in told]
    pages: list[float] = []
    for record in sorted(told, key=lambda one: one.arrived):
        told_now = engine.decide([record], record.arrived)
        pages += [one.at for one in told_now if isinstance(one, Page) and not one.reminder]
    assert len(pages) == 1
    assert 600 <= pages[0] <= 665
    (alert,) = engine.state.alerts.values()
    assert (alert.status, alert.starts_at, alert.ends_at, alert.episode) == ("resolved", 0, 3600, 1)
    engine.decide([], 3800.0)
    assert [incident.status for incident in engine.state.incidents.values()] == ["resolved"]
