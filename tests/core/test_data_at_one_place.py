"""Bad data make nothing slow that serves: other trouble at a model does not tell what is upstream of its data."""

from __future__ import annotations

import pytest

from core.scene import Scene, consistent, fires, rulebook
from quell.core.families import Family
from quell.core.reach import key
from quell.model.topology import Dependency

LINE = (
    Dependency(from_="model/ranking", to="feature/clicks", type="uses_features"),
    Dependency(from_="training/ranking", to="feature/clicks", type="derived_from"),
    Dependency(from_="model/ranking", to="host/h1", type="runs_on"),
)


def claims(entity: str, *names: str, on: str, of: Family, symptom: Family) -> bool:
    """Whether the unit of one kind of trouble at an entity, which fires all this, claims another entity."""
    scene = Scene(rulebook(entities=(), dependencies=LINE))
    scene.tell(*(fires("it", 10.0 * at, name, entity=entity) for at, name in enumerate(names)))
    web = scene.engine._chart.correlator.web
    (unit,) = [one for one in scene.engine.state.units.values() if one.family == symptom]
    consistent(scene.engine)
    return key(web.graph.node(on), of) in web.claims[unit.id]


@pytest.mark.parametrize("names", [("PredictionDrift", "HighLatency"), ("HighLatency", "PredictionDrift")])
def test_what_serves_is_not_slow_because_of_its_data(names: tuple[str, str]) -> None:
    told = "model/ranking", *names
    assert not claims(*told, on="feature/clicks", of=Family.DATA, symptom=Family.SLOW)
    assert claims(*told, on="feature/clicks", of=Family.DATA, symptom=Family.DATA)


def test_data_may_be_off_because_what_makes_them_is_slow() -> None:
    told = "model/ranking", "PredictionDrift", "HighLatency"
    assert claims(*told, on="host/h1", of=Family.SLOW, symptom=Family.DATA)


def test_what_runs_to_its_end_fails_of_bad_data() -> None:
    told = "training/ranking", "DataQuality", "TrainingJobFailed"
    assert claims(*told, on="feature/clicks", of=Family.DATA, symptom=Family.FAILING)


def test_a_slow_model_is_no_third_sign_of_bad_features() -> None:
    scene = Scene(rulebook(entities=(), dependencies=LINE))
    scene.tell(
        fires("clicks", 0.0, "FeatureNullRate", severity="warning", entity="feature/clicks"),
        fires("ranking", 900.0, "PredictionDrift", severity="warning", entity="model/ranking"),
        fires("ranking", 1000.0, "CPUThrottling", severity="warning", entity="model/ranking"),
    )
    scene.wait(1200.0)
    assert not scene.open
