"""Whatever records the core fails on: exactly those are found, and the others are decided over."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from daemon.parts import SmallCore
from quell.daemon.decider import isolate
from quell.model.records import AlertRecord
from quell.model.rulebook import Rulebook
from quell.model.state import State


def record(index: int, poisoned: bool) -> AlertRecord:
    labels = {"alertname": str(index)} | ({"poison": "x"} if poisoned else {})
    return AlertRecord(at=1.0, status="firing", labels=labels)


@given(st.lists(st.booleans(), max_size=60))
def test_exactly_the_poisoned_ones_are_found(poisoned: list[bool]) -> None:
    records = [record(index, bad) for index, bad in enumerate(poisoned)]
    found = isolate(lambda: SmallCore(Rulebook(), State()), records, 5.0)
    assert [each.index for each in found.poisoned] == [index for index, bad in enumerate(poisoned) if bad]
    assert all(each.record is records[each.index] for each in found.poisoned)
    names = {alert.name for alert in found.decider.state.alerts.values()}
    assert names == {str(index) for index, bad in enumerate(poisoned) if not bad}
    assert found.decider.state.now == 5.0
    assert found.stuck is None


class Crowded(SmallCore):
    """Fails on more than ``room`` alerts: none of them alone is to blame."""

    room = 3

    def decide(self, records: object, now: float) -> list[object]:  # type: ignore[override]
        decisions = super().decide(records, now)  # type: ignore[arg-type]
        if len(self.state.alerts) > self.room:
            raise RuntimeError("too crowded")
        return decisions  # type: ignore[return-value]


def test_records_that_only_fail_together_are_given_up_from_the_last() -> None:
    records = [record(index, False) for index in range(8)]
    found = isolate(lambda: Crowded(Rulebook(), State()), records, 5.0)
    assert len(found.decider.state.alerts) == 3
    assert [each.index for each in found.poisoned] == [3, 4, 5, 6, 7]
