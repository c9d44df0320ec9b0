"""A profile of another version than the data has: told by whoever compares with it, once for the entity."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from core.watching import T0, Watched
from quell.core.engine import Engine
from quell.model.alert import Alert
from quell.model.detect import Behaviour, DetectRule, Drift, Schema
from quell.model.distribution import of_record
from quell.model.profile import Profile, ProfiledField, hashed
from quell.model.records import DistributionRecord
from quell.model.rulebook import Rulebook

HOUR = 3600.0


def profile(version: str, *, sure: bool = False, at: float = 0.0) -> Profile:
    """Of confidence that is always 0, or always .9."""
    told = DistributionRecord(
        at=T0, entity="model/a", field="confidence", type="number", count=1000, low=0.0, high=0.9,
        zero=0 if sure else 1000, positive=[(-5, 1000)] if sure else [], total=900.0 if sure else 0.0,
    )  # fmt: skip
    fields = (ProfiledField(name="confidence", values=of_record(told)),)
    return hashed(Profile(entity="model/a", version=version, fields=fields, rows=1000, created_at=at))


def rule(when: Drift | Schema | Behaviour, name: str = "Rule", **more: object) -> DetectRule:
    return DetectRule(name=name, distribution="*", pooled=True, when=when, every_s=HOUR, **more)  # type: ignore[arg-type]


def scene_of(*rules: DetectRule, versions: tuple[str, ...] = ("v3",)) -> Watched:
    profiles = tuple(profile(version) for version in versions)
    return Watched(rulebook=Rulebook(version="1", detect=rules, profiles=profiles))


def tells(scene: Watched, hour: int, version: str, fields: int = 1) -> None:
    at = hour * HOUR + 60.0
    scene.tell(at, *(
        DistributionRecord(
            at=T0 + at, entity="model/a", field=f"confidence{n or ''}", type="number", count=500, zero=500,
            version=version,
        )
        for n in range(fields)
    ))  # fmt: skip
    scene.wait((hour + 1) * HOUR + 120.0)


def elders(scene: Watched) -> list[Alert]:
    return [alert for alert in scene.firing if alert.name == "ProfileOfAnotherVersion"]


DRIFT = Drift()
COLUMNS = Schema(checks=("columns", "types"))
CONFIDENCE = Behaviour(of="confidence", change=0.2)


@pytest.mark.parametrize("when", [DRIFT, COLUMNS, CONFIDENCE])
def test_every_kind_of_rule_that_reads_a_profile_says_so(when: Drift | Schema | Behaviour) -> None:
    scene = scene_of(rule(when))
    tells(scene, 0, "v3")
    assert not elders(scene)
    tells(scene, 1, "v4")
    (alert,) = elders(scene)
    assert alert.annotations["summary"] == 'model/a is of version "v4" and compared with a profile of "v3"'
    assert (alert.entity, alert.labels["model"], alert.severity) == ("model/a", "a", "warning")
    tells(scene, 2, "v3")
    assert not elders(scene)
    assert not scene.engine.state.detecting.elders


def test_it_is_one_alert_whatever_reads_it_and_over_restarts() -> None:
    scene = scene_of(rule(DRIFT, "D"), rule(COLUMNS, "C"), rule(CONFIDENCE, "B"))
    for hour in range(4):
        tells(scene, hour, "v4", fields=20)
        scene.engine = Engine.restored(scene.rulebook, scene.engine.snapshot())
    assert len(elders(scene)) == 1
    assert [what for _, name, what in scene.course() if name.startswith("ProfileOf")] == ["firing"]
    tells(scene, 4, "v5")
    (alert,) = elders(scene)
    assert 'is of version "v5"' in alert.annotations["summary"]


def test_it_is_over_with_a_profile_of_the_new_version_and_when_nothing_more_comes() -> None:
    scene = scene_of(rule(DRIFT))
    tells(scene, 0, "v4")
    assert elders(scene)
    scene.rulebook = replace(scene.rulebook, version="2", profiles=(profile("v3"), profile("v4")))
    scene.engine.use(scene.rulebook)
    tells(scene, 1, "v4")
    assert not [one for one in elders(scene) if one.ends_at is None]
    scene.wait(7 * HOUR)
    assert not elders(scene)
    assert not scene.engine.state.detecting.elders


@pytest.mark.parametrize(
    "rules",
    [
        (rule(replace(DRIFT, any_version=True)),),
        (rule(replace(COLUMNS, any_version=True)),),
        (rule(replace(CONFIDENCE, any_version=True)),),
        (rule(Behaviour(of="confidence", below=-1.0)),),
        (rule(Behaviour(of="confidence", change=0.2, against_s=HOUR)),),
        (rule(Schema(checks=("version",)), "V"), rule(DRIFT)),
    ],
)
def test_where_it_is_meant_or_looked_after_or_no_profile_is_read_it_is_not_told(rules: tuple[DetectRule, ...]) -> None:
    scene = scene_of(*rules)
    tells(scene, 0, "v4")
    assert not elders(scene)


def test_data_or_a_profile_that_say_no_version_are_not_told_of() -> None:
    scene = scene_of(rule(DRIFT))
    tells(scene, 0, "")
    assert not elders(scene)
    scene = scene_of(rule(DRIFT), versions=("",))
    tells(scene, 0, "v4")
    assert not elders(scene)


def test_a_model_is_compared_with_the_profile_of_its_version() -> None:
    newer = profile("v4", sure=True, at=T0)
    for versions, fires in (((profile("v3"), newer), False), ((newer,), True)):
        scene = Watched(rulebook=Rulebook(version="1", detect=(rule(CONFIDENCE),), profiles=versions))
        tells(scene, 0, "v3")
        assert [one.name for one in scene.firing if one.name == "Rule"] == ["Rule"] * fires
