"""What happened to an `Engine`, counted as the daemon counts it from its store."""

from __future__ import annotations

from typing import Any

from core.scene import T0, Scene
from quell.model.alert import Alert
from quell.model.decision import AlertChanged, Audit, Perform
from quell.model.records import FeedbackRecord
from quell.stats.counting import Counting
from quell.stats.figures import Figures
from quell.store.past import last_words


def counted(scene: Scene, since: float = -1e9, until: float = 1e9) -> Figures:
    """The figures of all that was decided in a scene."""
    counting = Counting(T0 + since, T0 + until)
    for one in scene.decisions:
        if isinstance(one, Audit):
            counting.audit(one)
    for incident in scene.incidents:
        counting.incident(incident)
    for alert in alerts(scene):
        counting.alert(alert)
    for deed in scene.decisions:
        if isinstance(deed, Perform):
            counting.act(deed, "done")
    for run in scene.engine.state.runs.values():
        counting.run(run)
    return counting.figures({one.id: one for one in scene.incidents})


def alerts(scene: Scene) -> list[Alert]:
    """Every firing by its last word, as the store would give them back."""
    over = [one.alert for one in scene.decisions if isinstance(one, AlertChanged) and not one.alert.firing]
    return list(last_words([*scene.engine.state.alerts.values(), *reversed(over)], 0.0))


def feedback(verdict: Any, at: float, **given: Any) -> FeedbackRecord:
    """What ana says."""
    return FeedbackRecord(at=T0 + at, verdict=verdict, by="ana", **given)
