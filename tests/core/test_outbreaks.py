"""Whether a rule began to fire elsewhere as well, and how often that costs a look at all alerts."""

from __future__ import annotations

import pytest

from core.scene import T0, Scene, fires, rulebook
from quell.core import outbreaks
from quell.core.outbreaks import AT_ONCE_S, NEWEST, Outbreaks
from quell.model.alert import Alert
from quell.model.state import State
from quell.model.topology import Dependency, Entity


def _alert(mark: str, rule: str, at: float) -> Alert:
    times = {"starts_at": at, "updated_at": at, "onset_seen": at}
    return Alert(fingerprint=mark, source="p", labels={"alertname": rule}, status="firing", **times)


@pytest.mark.parametrize("newer", [0, NEWEST + 5])
@pytest.mark.parametrize(("apart_s", "found"), [(0.0, True), (AT_ONCE_S, True), (AT_ONCE_S + 1.0, False)])
def test_a_rule_fires_elsewhere_whether_that_was_heard_of_last_or_long_before(
    newer: int, apart_s: float, found: bool
) -> None:
    here = [_alert("a", "Late", T0), _alert("b", "Late", T0)]
    others = [_alert("c", "Late", T0 - apart_s), _alert("d", "Down", T0)]
    more = [_alert(f"n{at}", "Slow", T0) for at in range(newer)]
    known = Outbreaks(State(alerts={one.fingerprint: one for one in (*others, *here, *more)}))
    assert known.elsewhere("Late", here) is found
    assert known.elsewhere("Slow", more[:2] or here) is (newer > 0)
    assert known.elsewhere("Late", here) is found


def test_a_job_on_the_hour_at_many_places_does_not_have_all_alerts_read_for_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read = 0
    plainly = outbreaks.Outbreaks._read

    def counted(self: Outbreaks) -> None:
        nonlocal read
        read += 1
        plainly(self)

    monkeypatch.setattr(outbreaks.Outbreaks, "_read", counted)
    hour = 3600.0 - T0 % 3600.0
    names = [f"{chain}-{at}" for chain in range(20) for at in range(3)]
    scene = Scene(
        rulebook(
            entities=tuple(Entity(entity=f"service/{name}") for name in names),
            dependencies=tuple(
                Dependency(from_=f"service/{chain}-{at + 1}", to=f"service/{chain}-{at}", type="calls")
                for chain in range(20)
                for at in range(2)
            ),
        )
    )
    scene.tell(*(fires(name, hour + 3.0 * int(name[-1]), "JobLate", "warning") for name in names))
    scene.wait(hour + 300.0)
    assert len(scene.engine.state.groups) == 20
    assert read <= 1
