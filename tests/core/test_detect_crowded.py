"""Series without end: memory stays within what rules declare, what is new is watched, and an alert says so."""

from __future__ import annotations

import msgspec
import pytest

from core.scene import rulebook
from quell.core.engine import Engine
from quell.model.alert import Alert
from quell.model.detect import (
    Absence,
    Anomaly,
    Behaviour,
    Burn,
    BurnRate,
    Compare,
    Condition,
    DetectRule,
    Forecast,
    New,
    Shift,
    Threshold,
)
from quell.model.mute import Matcher
from quell.model.records import AnyRecord, DistributionRecord, LogRecord, SamplesRecord

BEGIN = 1_700_000_040.0
MOST = 50
CONDITIONS: dict[str, Condition] = {
    "threshold": Threshold(above=100.0),
    "percentile": Threshold(above=100.0, aggregate="p95"),
    "forecast": Forecast(above=100.0, within_s=600.0, over_s=600.0),
    "absence": Absence(after_s=9e5),
    "anomaly": Anomaly(),
    "new": New(),
    "shift": Shift(),
    "behaviour": Behaviour(of="confidence", below=0.5),
    "burn": Burn(
        measured="points", objective=0.99, period_s=86_400.0, at_most=5.0,
        rates=(BurnRate(rate=14.4, over_s=3600.0, confirm_s=300.0),),
    ),
    "compare": Compare(
        canary=(Matcher(name="name", value="c.*", is_regex=True),), same=("zone",),
        baseline=(Matcher(name="name", value="b.*", is_regex=True),),
    ),
}  # fmt: skip


def rule(kind: str = "threshold", **given: object) -> DetectRule:
    read = {"new": "log", "shift": "log", "behaviour": "distribution"}.get(kind, "metric")
    more = {read: "*", "pooled": kind == "new", "series": MOST, **given}
    return DetectRule(name="r", when=CONDITIONS[kind], **more)  # type: ignore[arg-type]


def engine_of(one: DetectRule) -> Engine:
    return Engine(rulebook(entities=(), dependencies=(), detect=(one,)))


def told(kind: str, name: str, at: float, value: float = 1.0) -> AnyRecord:
    if kind in {"new", "shift"}:
        return LogRecord(at=at, entity=f"service/{name}", template="it failed", count=30, severity="error")
    if kind == "behaviour":
        return DistributionRecord(at=at, entity=f"model/{name}", field="score", over_s=60, count=9, positive=[(1, 9)])
    return SamplesRecord(at=at, entity=f"service/{name}", times=[at], values={"m": [value]})


def series(engine: Engine) -> set[str]:
    return {watch.entity.partition("/")[2] for watch in engine.state.detecting.watches["r"].values()}


def no_room(engine: Engine) -> Alert | None:
    return next((one for one in engine.state.alerts.values() if one.name == "DetectorHasNoRoom" and one.firing), None)


@pytest.mark.parametrize("kind", sorted(CONDITIONS))
def test_ever_new_names_fill_no_memory_and_an_alert_says_so(kind: str) -> None:
    engine, sizes = engine_of(rule(kind)), []
    for wave in range(12):
        at = BEGIN + 600.0 * wave
        names = [f"pod-{wave}-{number}" for number in range(2 * MOST)]
        engine.decide([told(kind, name, at + 1.0) for name in names], at + 2.0)
        engine.decide([], at + 599.0)
        assert len(series(engine)) <= MOST
        sizes.append(len(msgspec.msgpack.encode(engine.state.detecting)))
    assert max(sizes) < 1.5 * sizes[1] + 1_000
    alert = no_room(engine)
    assert alert is not None
    assert "more than its 50 series" in alert.annotations["summary"]
    assert alert.entity == "detector/r"


def test_what_is_new_is_watched_in_the_place_of_what_was_silent_longest() -> None:
    engine = engine_of(rule(series=20))
    engine.decide([told("", f"old{number}", BEGIN + number) for number in range(18)], BEGIN + 20.0)
    for minute in range(1, 10):
        at = BEGIN + 60.0 * minute
        news = [told("", name, at + 1.0, 200.0) for name in ("steady", "new1", "new2", "new3")]
        engine.decide(news, at + 2.0)
    assert {"steady", "new1", "new2", "new3"} <= series(engine)
    firing = {one.entity for one in engine.state.alerts.values() if one.firing and one.name == "r"}
    assert firing == {"service/steady", "service/new1", "service/new2", "service/new3"}


def test_what_is_still_told_and_what_fires_keeps_its_place() -> None:
    engine = engine_of(rule(series=10))
    for minute in range(30):
        at = BEGIN + 60.0 * minute
        here = [told("", f"live{number}", at + 1.0) for number in range(9)]
        here += [told("", "fires", at + 1.0, 200.0)] if not minute else []
        here += [told("", f"new-{minute}-{number}", at + 2.0) for number in range(5)]
        engine.decide(here, at + 3.0)
    kept = series(engine)
    assert {f"live{number}" for number in range(9)} <= kept
    assert "fires" in kept or not any(one.entity == "service/fires" and one.firing for one in alerts(engine))
    alert = no_room(engine)
    assert alert is not None


def alerts(engine: Engine) -> list[Alert]:
    return list(engine.state.alerts.values())


def test_silence_that_is_asked_after_is_not_forgotten() -> None:
    engine = engine_of(rule("absence", series=5))
    engine.decide([told("absence", f"a{number}", BEGIN) for number in range(5)], BEGIN + 1.0)
    for minute in range(20):
        engine.decide([told("absence", f"b{minute}", BEGIN + 60.0 * minute + 2.0)], BEGIN + 60.0 * minute + 3.0)
    assert series(engine) == {f"a{number}" for number in range(5)}
    alert = no_room(engine)
    assert alert is not None
    assert "none was silent" in alert.annotations["summary"] or "not watched" in alert.annotations["summary"]


def test_the_alert_ends_when_there_was_room_for_an_hour() -> None:
    engine = engine_of(rule(series=5))
    engine.decide([told("", f"a{number}", BEGIN) for number in range(9)], BEGIN + 1.0)
    engine.decide([], BEGIN + 90.0)
    assert no_room(engine) is not None
    engine.decide([], BEGIN + 4 * 3600.0)
    assert no_room(engine) is None
    assert engine.state.detecting.crowded == {}


def test_names_that_are_too_long_are_said_to_be() -> None:
    engine = engine_of(rule())
    engine.decide([told("", "x" * 5000, BEGIN)], BEGIN + 1.0)
    engine.decide([], BEGIN + 90.0)
    alert = no_room(engine)
    assert alert is not None
    assert "longer than 4,000 characters" in alert.annotations["summary"]
    assert series(engine) == set()


def test_a_rule_that_goes_takes_its_alert_along_and_one_that_gets_room_forgets_nothing() -> None:
    engine = engine_of(rule(series=5))
    engine.decide([told("", f"a{number}", BEGIN) for number in range(9)], BEGIN + 1.0)
    engine.decide([], BEGIN + 90.0)
    before = series(engine)
    engine.use(rulebook(entities=(), dependencies=(), detect=(rule(series=9),)))
    engine.decide([told("", f"a{number}", BEGIN + 91.0) for number in range(9)], BEGIN + 92.0)
    assert before < series(engine)
    assert len(series(engine)) == 9
    engine.use(rulebook(entities=(), dependencies=()))
    engine.decide([], BEGIN + 93.0)
    assert no_room(engine) is None


def test_a_restart_changes_nothing() -> None:
    book = rulebook(entities=(), dependencies=(), detect=(rule(series=8),))
    whole, cut = Engine(book), Engine(book)
    for step in range(60):
        at = BEGIN + 31.0 * step
        records = [told("", f"n{(step * 5 + number) % 70}", at) for number in range(4)]
        assert whole.decide(records, at + 1.0) == cut.decide(records, at + 1.0)
        cut = Engine.restored(book, cut.snapshot())
        assert cut.snapshot() == whole.snapshot()
