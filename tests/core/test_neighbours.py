"""The company of an alert is the same whether one is asked after or many."""

from __future__ import annotations

import random
from typing import cast

import pytest

from quell.core import neighbours
from quell.core.groups import Groups
from quell.core.neighbours import MUCH, Neighbours
from quell.model.alert import Alert, Muting
from quell.model.incident import Incident
from quell.model.state import Group, State, Unit

SILENCED = (Muting(kind="silence", by="s"),)


class OneGroup:
    """Says that all alerts are of one group, but for some."""

    def __init__(self, group: Group) -> None:
        self._group = group

    def of(self, alert: Alert) -> Group | None:
        return None if alert.fingerprint == "stranger" else self._group


def alert(mark: str, chance: random.Random) -> Alert:
    return Alert(
        fingerprint=mark,
        source="t",
        labels={"alertname": "A"},
        status=chance.choice(("firing", "firing", "firing", "resolved")),
        starts_at=chance.choice((0.0, 600.0, 1200.0, chance.uniform(0.0, 3000.0))),
        updated_at=0.0,
        onset_seen=0.0,
        severity=chance.choice(("critical", "warning", "info")),
        episode=chance.choice((1, 1, 1, 2)),
        mutings=chance.choice(((), (), SILENCED)),
        incident=chance.choice((None, "open", "paged", "other")),
    )


def incident(name: str, paged_at: float | None) -> Incident:
    return Incident(id=name, title="", status="open", opened_at=0.0, updated_at=0.0, paged_at=paged_at)


@pytest.mark.parametrize("most", [1000, 20])
@pytest.mark.parametrize("seed", range(6))
def test_many_have_the_company_that_each_has(seed: int, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "MOST", most)
    monkeypatch.setattr(neighbours, "READ_TOGETHER", 3)
    chance, state = random.Random(seed), State()
    state.incidents = {"open": incident("open", None), "paged": incident("paged", 5.0), "other": incident("other", 5.0)}
    group = Group(id=1, units=list(range(1, 31)), news_at=0.0, close_at=0.0)
    for number in group.units:
        marks = [f"{number}-{at}" for at in range(chance.randint(1, 8))]
        state.alerts |= {mark: alert(mark, chance) for mark in marks}
        onset = min(state.alerts[mark].starts_at for mark in marks)
        last = chance.choice((onset, max(state.alerts[mark].starts_at for mark in marks)))
        state.units[number] = Unit(
            id=number, entity="e", family=0, first=onset, onset=onset, last=last, group=1,
            alerts=[(mark, 1) for mark in marks],
        )  # fmt: skip
    asked = [*state.alerts.values(), alert("stranger", chance), alert("not-there", chance)]
    looked = Neighbours(state, cast("Groups", OneGroup(group)), frozenset({"info"}))
    each = [looked.of(one) for one in asked]
    with looked.unchanged():
        assert [looked.of(one) for one in asked] == each
        silenced = next(iter(state.alerts))
        state.alerts[silenced] = alert(silenced, chance)
        looked.forget()
        again = [looked.of(one) for one in asked]
    assert [looked.of(one) for one in asked] == again
    little, pieces = [], []
    with looked.unchanged():
        for one in asked:
            pieces.append(len(list(looked.reading(one))))
            little.append(looked.of(one))
    assert little == again
    assert [count for count in pieces if count] == [len(group.units) // 3]  # once, and then it is known
    assert len(asked) > MUCH
    assert any(company.incident for company in each)
