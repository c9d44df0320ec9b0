"""Deliveries that are known as a whole lead to the state, byte for byte, to which reading each of them leads."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from quell.core.engine import Engine
from quell.model.records import AnyRecord
from quell.model.retold import Retold
from quell.model.rulebook import Rulebook
from quell.model.times import format_time
from quell.sdk.testkit import NOW
from quell.store.memory import MemoryStore
from quell.store.port import Accepted
from quell_connectors.alertmanager import quick, translate
from quell_connectors.alertmanager.known import Known

BOOK = Rulebook(version="1")

STEP = st.fixed_dictionaries({
    "pass_s": st.sampled_from([0.0, 0.5, 1.0, 15.0, 60.0, 60.0, 400.0, 3000.0]),
    "of": st.sampled_from([0, 0, 0, 0, 1, 2]),
    "ends_in": st.sampled_from([240.0, 240.0, 240.0, 30.0, 0.0, -1.0, 1e7]),
    "note": st.sampled_from(["", "", "", "", "b"]),
    "one_ends": st.sampled_from([False, False, False, False, True]),
    "turned": st.sampled_from([False, False, False, True]),
    "times": st.integers(1, 4),
    "restart": st.sampled_from([False, False, False, True]),
})  # fmt: skip


def body_of(step: dict[str, Any], now: float) -> bytes:
    """Twelve alerts, three of which are there twice; those of one kind begin as those of another do."""
    end = format_time(now + step["ends_in"])
    told = [
        {
            "labels": {"alertname": f"a{n % 9}", "host": f"h{n % 9}", "of": str(step["of"] * (n % 9 > 4))},
            "annotations": {"summary": f"the {n % 9}th is broken{step['note'] * (n == 3)}", "description": "x" * 40},
            "startsAt": format_time(NOW - 100 - n % 9),
            "endsAt": end,
        }
        for n in range(12)
    ]  # fmt: skip
    if step["one_ends"]:
        told[5]["endsAt"] = format_time(now - 2)
    return json.dumps(told[::-1] if step["turned"] else told, separators=(",", ":")).encode()


def kinds_of(steps: list[dict[str, Any]]) -> list[type]:
    """As what deliveries came out, all of which led to the same, live, after restarts and replayed."""
    kinds: list[type] = []
    known, store = Known(), MemoryStore()
    quickly, carefully = Engine(BOOK), Engine(BOOK)
    now, saved = NOW, (0, Engine(BOOK).snapshot())
    for step in steps:
        parts: list[list[AnyRecord]] = []
        apart: list[AnyRecord] = []
        now += step["pass_s"]
        for _ in range(step["times"]):
            now += 0.25
            body = body_of(step, now)
            made = quick.posted(body, "am", now, 300.0, known).records
            kinds.append(type(made))
            parts.append(made)  # type: ignore[arg-type]
            apart += translate.posted(body, "am", now, 300.0).records
        group = store.accept(Accepted(now=now, records=[each for part in parts for each in part], parts=parts))
        assert group.records == apart
        quickly.decide(group.records, now)
        carefully.decide(apart, now)
        if step["restart"]:
            quickly = Engine.restored(BOOK, saved[1])
            for each in store.groups_after(saved[0]):
                quickly.decide(each.records, each.now)
            saved = group.seq, quickly.snapshot()
    assert quickly.snapshot() == carefully.snapshot()
    replayed = Engine(BOOK)
    for each in store.groups_after(0):
        replayed.decide(each.records, each.now)
    assert replayed.snapshot() == carefully.snapshot()
    return kinds


@settings(max_examples=30, deadline=None)
@given(st.lists(STEP, min_size=1, max_size=8))
def test_what_is_decided_is_the_same_and_is_after_a_restart(steps: list[dict[str, Any]]) -> None:
    kinds_of(steps)


def test_some_of_these_are_known_as_a_whole() -> None:
    plain = {"of": 0, "ends_in": 240.0, "note": "", "one_ends": False, "turned": False, "times": 4}
    gone = {**plain, "pass_s": 3000.0, "restart": True}
    kinds = kinds_of([{**plain, "pass_s": 60.0, "restart": False}, {**gone, "note": "b"}, gone, gone])
    assert kinds.count(Retold) >= 4
    assert list in kinds
