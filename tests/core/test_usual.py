"""The quick ways of folding give what the thorough one gives."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from quell.core.fold import fold, fold_all
from quell.core.usual import usual
from quell.model.alert import Alert
from quell.model.records import AlertRecord

GAP_S = 120.0
LABELS: tuple[dict[str, str], ...] = ({}, {"a": "b"}, {"a": "b"}, {"a": "c", "severity": "high"})


def _calm(chance: random.Random, now: float, began: float, *, ends: bool) -> AlertRecord:
    """What one well-behaved sender tells of a firing that began at a time; its resolution if it ``ends``."""
    renewed = chance.random() < 0.3
    if ends:
        return AlertRecord(
            at=now, seen=now + chance.choice((0.0, 3.0)), status="resolved", labels={"a": "b"},
            starts_at=chance.choice((began, None)), ends_at=chance.choice((None, now)),
        )  # fmt: skip
    return AlertRecord(
        at=now, seen=now + chance.choice((0.0, 3.0)), status="firing", labels={"a": "b"}, starts_at=began,
        ends_at=now + 240.0 if renewed else None, annotations=chance.choice(({}, {"x": str(now)})),
    )  # fmt: skip


def _odd(chance: random.Random, now: float) -> AlertRecord:
    start = chance.choice((None, now - chance.choice((0.0, 5.0, 60.0, -200.0, 5000.0)), round(now, -3)))
    end = chance.choice((None, None, now + chance.choice((-30.0, 0.0, 60.0, 240.0))))
    return AlertRecord(
        at=now - chance.choice((0.0, 0.0, 10.0, 400.0)),
        seen=now - chance.choice((0.0, 0.0, 5.0)),
        id=chance.choice(("", "a", "b")),
        status=chance.choice(("firing", "firing", "resolved")),
        labels=chance.choice(LABELS),
        starts_at=start,
        ends_at=end,
        timeout=end is not None and chance.random() < 0.3,
        entity=chance.choice((None, "service/a", "")),
        value=chance.choice((None, 1.0)),
        threshold=chance.choice((None, None, 2.0)),
        source=chance.choice(("p", "q")),
        url=chance.choice(("", "u")),
    )


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.randoms(use_true_random=False), st.sampled_from((0.0, 0.1, 1.0)))
def test_what_is_folded_quickly_is_what_is_folded_thoroughly(chance: random.Random, oddness: float) -> None:
    known: Alert | None = None
    now, began = 1000.0, 1000.0
    for _ in range(25):
        now += chance.choice((0.0, 1.0, 15.0, 60.0, 300.0, 4000.0))
        ends = chance.random() < 0.4
        record = _odd(chance, now) if chance.random() < oddness else _calm(chance, now, began, ends=ends)
        if ends:
            began = now + chance.choice((1.0, 60.0, 1000.0))
            now = began
        now += 3.0
        folded = fold(known, record, now, flap_gap_s=GAP_S, fingerprint="f")
        assert folded == fold_all(known, record, now, flap_gap_s=GAP_S, fingerprint="f")
        known = folded.alert


def test_every_quick_way_is_taken() -> None:
    def told(at: float, status: str, start: float | None, end: float | None = None) -> AlertRecord:
        return AlertRecord(at=at, seen=at, status=status, labels={"a": "b"}, starts_at=start, ends_at=end)

    story = [
        (told(10.0, "firing", 0.0), "repeat"),
        (told(20.0, "resolved", 0.0), "resolved"),
        (told(50.0, "firing", 50.0), "flapped"),
        (told(60.0, "resolved", None), "resolved"),
        (told(900.0, "firing", 900.0), "returned"),
    ]
    known = fold(None, told(0.0, "firing", 0.0), 0.0, flap_gap_s=GAP_S, fingerprint="f").alert
    for record, what in story:
        assert known is not None
        quick = usual(known, record, record.at, GAP_S)
        assert quick is not None
        assert quick[1] == what
        known = quick[0]
    pushed = fold(None, told(0.0, "firing", 0.0, 240.0), 0.0, flap_gap_s=GAP_S, fingerprint="f").alert
    assert pushed is not None
    quick = usual(pushed, told(60.0, "firing", 0.0, 300.0), 60.0, GAP_S)
    assert quick is not None
    assert (quick[1], quick[0].ends_at) == ("repeat", 300.0)
