"""Alerts told again as the very objects that they were before: the same comes out as of copies of them."""

from __future__ import annotations

import random

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from core.scene import T0, rulebook
from quell.core.engine import Engine
from quell.model.records import AlertRecord, AnyRecord

_RECORDS = msgspec.msgpack.Decoder(list[AnyRecord])


def _said(chance: random.Random) -> list[tuple[dict[str, str], dict[str, str]]]:
    """What a connector keeps of some alerts."""
    severities = [chance.choice(("critical", "info")) for _ in range(12)]
    return [
        ({"alertname": f"A{n % 3}", "service": f"s{n % 5}", "n": str(n), "severity": one}, {"summary": f"is slow {n}"})
        for n, one in enumerate(severities)
    ]  # fmt: skip


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10_000))
def test_the_same_comes_out_as_of_copies(seed: int) -> None:
    chance = random.Random(seed)
    same, copied = Engine(rulebook()), Engine(rulebook())
    said, now = _said(chance), T0
    for _ in range(chance.randrange(3, 25)):
        now += chance.choice((0.5, 20.0, 90.0, 400.0))
        records: list[AnyRecord] = []
        for labels, words in chance.sample(said, chance.randrange(1, len(said))):
            firing = chance.random() < 0.9
            records.append(
                AlertRecord(
                    at=now - 1.0, seen=now, status="firing" if firing else "resolved", labels=labels,
                    annotations=words if chance.random() < 0.9 else {"summary": "is slower"},
                    starts_at=T0, ends_at=now + 300.0 if firing else now,
                )
            )  # fmt: skip
        copies = _RECORDS.decode(msgspec.msgpack.encode(records))
        assert same.decide(records, now) == copied.decide(copies, now)
    assert same.snapshot() == copied.snapshot()
