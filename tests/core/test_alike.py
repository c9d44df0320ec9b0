"""Likeness of alerts without topology: symmetrical, free of order, bounded, and rare things say most."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quell.core.alike import ALIKE, CROWD, LEAST, MOST_TOKENS, Alike, tokens
from quell.model.alert import Alert
from quell.model.habits import MOST_REMEMBERED, Rarity


def alert(name: str, said: str = "", **labels: str) -> Alert:
    return Alert(
        fingerprint=name, source="t", labels={"alertname": name, **labels}, status="firing", starts_at=0.0,
        updated_at=0.0, onset_seen=0.0, annotations={"summary": said} if said else {},
    )  # fmt: skip


def company(*others: Alert) -> Alike:
    """Units 1, 2, …, in a world in which other things were seen as well."""
    alike = Alike()
    for n in range(20):
        alike.add(1000 + n, alert(f"Other{n}", namespace=f"ns{chr(97 + n)}", app=f"thing{n}", cluster="prod"))
        alike.drop(1000 + n)
    for at, one in enumerate(others, 1):
        alike.add(at, one)
    return alike


def test_who_shares_what_is_rare_is_near_and_who_shares_what_is_common_is_not() -> None:
    alike = company(
        alert("Errors", namespace="shop", app="cart", cluster="prod"),
        alert("Latency", namespace="shop", app="cart-cache", cluster="prod"),
        alert("Errors", namespace="lab", app="mice", cluster="prod"),
    )
    assert [other for other, likeness in alike.near(1) if likeness >= ALIKE] == [2]
    assert alike.likeness(1, 3) < ALIKE < 0.5 < alike.likeness(1, 2)


def test_the_pods_of_one_thing_are_near_each_other() -> None:
    alike = company(
        alert("Crash", pod="indexer-7d9f8c6b5-x2x1z", cluster="prod"),
        alert("Slow", pod="indexer-7d9f8c6b5-9ab1c", cluster="prod"),
        alert("Crash", pod="mailer-55c9f7d4d-kk1lm", cluster="prod"),
    )
    assert alike.near(1)[0][0] == 2
    assert alike.likeness(1, 3) < alike.likeness(1, 2)


def test_one_rule_in_two_places_is_not_one_trouble() -> None:
    said = "the error rate is above five percent"
    here, there = (alert("Errors", said, app=app, pod=f"{app}-7f9", cluster="prod") for app in ("cart", "mice"))
    assert company(here, there).likeness(1, 2) < ALIKE


def test_an_alert_that_carries_next_to_nothing_is_not_alike_to_everything() -> None:
    alike = company(alert("Watchdog", cluster="prod"), alert("Errors", namespace="shop", app="cart", cluster="prod"))
    assert alike.near(1) == []


def test_what_a_crowd_shares_says_nothing_and_costs_nothing() -> None:
    alike = company(*(alert("Errors", namespace="shop", app=f"app{n}x") for n in range(CROWD + 2)))
    assert alike.near(1) == []
    alike = company(*(alert("Errors", namespace="shop", app=f"app{n}x") for n in range(3)))
    assert [other for other, _ in alike.near(1)] == [2, 3]


def test_nothing_is_near_what_is_not_known() -> None:
    alike = company(alert("Errors", app="cart"))
    alike.drop(7)
    assert (alike.near(7), alike.likeness(1, 7), 7 in alike, 1 in alike, len(alike)) == ([], 0.0, False, True, 1)


def test_the_tokens_of_one_alert_are_bounded_and_name_no_replica() -> None:
    assert len(tokens("Errors", {f"label{n}": f"value{n}x part{n}x" for n in range(500)}, "")) == MOST_TOKENS
    assert len(tokens("", {"pod": "x-12345678"}, "")) == len(tokens("", {"pod": "x"}, ""))


def test_a_memory_that_is_too_large_fades() -> None:
    rarity = Rarity(units=10, tokens={n: 1 + n % 4 for n in range(MOST_REMEMBERED + 1)})
    rarity.fade()
    assert (rarity.units, len(rarity.tokens) < MOST_REMEMBERED, min(rarity.tokens.values())) == (5, True, 1)
    before = msgspec.structs.replace(rarity)
    rarity.fade()
    assert rarity == before


_labels = st.dictionaries(st.sampled_from(["ns", "app", "pod"]), st.sampled_from(["a1", "bb", "bb-cc", "dd"]))
_alerts = st.builds(lambda name, labels: alert(name, **labels), st.sampled_from(["E", "L"]), _labels)
_units = st.lists(st.tuples(st.integers(0, 6), _alerts), max_size=12)


def _told(alike: Alike) -> list[Any]:
    return [alike.near(unit) for unit in range(7)]


@given(_units, st.randoms(use_true_random=False), st.sets(st.integers(0, 6)))
def test_order_does_not_matter_and_likeness_is_the_same_from_both_sides(
    units: list[tuple[int, Alert]], shuffle: Any, dropped: set[int]
) -> None:
    alike, other = Alike(), Alike()
    shuffled = list(units)
    shuffle.shuffle(shuffled)
    for target, story in ((alike, units), (other, shuffled)):
        for unit, one in story:
            target.add(unit, one)
        for unit in dropped:
            target.drop(unit)
    assert _told(other) == _told(alike)
    for unit in range(7):
        for near, likeness in alike.near(unit):
            assert LEAST <= likeness <= 1.0
            assert (unit, likeness) in alike.near(near)
            assert alike.likeness(near, unit) == pytest.approx(likeness, abs=1e-6)


@given(_units, st.sets(st.integers(0, 6)))
def test_made_anew_from_what_a_state_keeps_it_is_the_same(units: list[tuple[int, Alert]], dropped: set[int]) -> None:
    alike = Alike()
    for unit, one in units:
        alike.add(unit, one)
    for unit in dropped:
        alike.drop(unit)
    kept = msgspec.msgpack.decode(msgspec.msgpack.encode(alike.rarity), type=Rarity)
    live = [(unit, [one for at, one in units if at == unit]) for unit in range(7) if unit in alike]
    assert _told(Alike(kept, live)) == _told(alike)
