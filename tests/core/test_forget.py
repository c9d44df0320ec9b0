"""What was learned of lineage and calls is forgotten when nobody tells it any more; configuration stays."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from core.scene import T0, fires, playbook, rulebook
from quell.core import forget
from quell.core.engine import Engine
from quell.core.forget import DAY_S, spoken_of
from quell.expressions.matchers import parse_matchers
from quell.model.detect import Absence, DetectRule, Threshold
from quell.model.incident import Incident, Suspect
from quell.model.profile import Profile
from quell.model.records import (
    AlertRecord,
    AnyRecord,
    ChangeRecord,
    DependencyRecord,
    EntityRecord,
    SampleRecord,
    VersionRecord,
)
from quell.model.rulebook import Rulebook
from quell.model.run import Run
from quell.model.state import State
from quell.model.topology import Dependency, Entity, Forgetting, Learned

BARE = rulebook(entities=(), dependencies=())


def told(name: str, at: float = 0.0, learned: Learned = "lineage", source: str = "ol") -> list[AnyRecord]:
    """A dataset and the job that makes it."""
    here = T0 + at
    return [
        EntityRecord(at=here, source=source, entity=f"dataset/{name}", learned=learned),
        EntityRecord(at=here, source=source, entity=f"pipeline/{name}", learned=learned),
        DependencyRecord(
            at=here, source=source, from_=f"dataset/{name}", to=f"pipeline/{name}", type="produced_by", learned=learned
        ),
    ]


def running(*records: AnyRecord, book: Rulebook = BARE) -> Engine:
    engine = Engine(book)
    engine.decide(list(records), T0)
    return engine


def known(engine: Engine) -> list[str]:
    return sorted(engine.state.entities)


def edges(engine: Engine) -> int:
    return len(engine.state.dependencies)


@pytest.mark.parametrize(("learned", "days"), [("spans", 1), ("telemetry", 7), ("lineage", 45), ("registry", 400)])
def test_what_was_learned_is_forgotten_at_its_age(learned: Learned, days: int) -> None:
    engine = running(*told("orders", learned=learned))
    engine.decide([], T0 + (days - 0.1) * DAY_S)
    assert (known(engine), edges(engine)) == (["dataset/orders", "pipeline/orders"], 1)
    engine.decide([], T0 + (days + 1.1) * DAY_S)
    assert (known(engine), edges(engine), engine.state.gathered) == ([], 0, {})
    assert "dataset/orders" not in engine.graph.number


def test_the_ages_are_settings() -> None:
    engine = running(*told("orders"), book=rulebook(entities=(), dependencies=(), forget=Forgetting(lineage_s=3600.0)))
    engine.decide([], T0 + 2 * 3600.0 + 1.0)
    assert known(engine) == []


def test_what_is_told_again_stays() -> None:
    engine = running(*told("orders"))
    for day in range(30, 200, 30):
        engine.decide(told("orders", day * DAY_S), T0 + day * DAY_S)
    assert edges(engine) == 1
    engine.decide([], T0 + 230 * DAY_S)
    assert edges(engine) == 0


def test_what_comes_late_counts_from_its_arrival() -> None:
    engine = Engine(BARE)
    engine.decide(told("orders", -300 * DAY_S), T0)  # without "seen" it arrived then
    engine.decide([replace(one, seen=T0 + 1.0) for one in told("items", -300 * DAY_S)], T0 + 1.0)
    engine.decide([], T0 + 2 * DAY_S)
    assert known(engine) == ["dataset/items", "pipeline/items"]


def test_configuration_stays_whoever_else_tells_of_it() -> None:
    engine = running(*told("orders", learned="", source="topology"), *told("items", learned=""))
    engine.decide(told("orders", 1.0, source="ol"), T0 + 1.0)
    engine.decide(told("items", 1.0, source="ol"), T0 + 1.0)  # the same source says now that it was learned
    engine.decide([], T0 + 500 * DAY_S)
    assert known(engine) == ["dataset/orders", "pipeline/orders"]
    assert edges(engine) == 1


def test_what_was_learned_first_and_configured_then_stays() -> None:
    engine = running(*told("orders"))
    engine.decide(told("orders", 1.0, learned="", source="topology"), T0 + 1.0)
    engine.decide([], T0 + 500 * DAY_S)
    assert edges(engine) == 1


def test_what_two_learned_from_is_kept_as_long_as_the_longer_says() -> None:
    engine = running(*told("orders", learned="spans", source="otlp"))
    engine.decide(told("orders", 1.0), T0 + 1.0)
    engine.decide(told("orders", 2.0, learned="spans", source="otlp"), T0 + 2.0)
    engine.decide([], T0 + 40 * DAY_S)
    assert edges(engine) == 1
    engine.decide([], T0 + 47 * DAY_S)
    assert edges(engine) == 0


def test_an_entity_stays_while_a_dependency_speaks_of_it() -> None:
    rules = Dependency(from_="kpi/sales", to="dataset/orders")
    engine = running(*told("orders"), book=rulebook(entities=(), dependencies=(rules,)))
    engine.decide([], T0 + 60 * DAY_S)
    assert known(engine) == ["dataset/orders"]


def test_live_alerts_keep_what_they_speak_of_and_what_lies_between() -> None:
    engine = Engine(BARE)
    alerts: list[AnyRecord] = []
    for name in ("orders", "items"):
        engine.decide(told(name), T0)
    for day in range(0, 80, 5):  # it goes on and on
        at = day * DAY_S + 60.0
        alerts += [fires(kind, at, entity=f"{kind}/orders") for kind in ("dataset", "pipeline")]
    for record in alerts:
        engine.decide([record], record.at)
    assert all(one.firing for one in engine.state.alerts.values())
    assert (known(engine), edges(engine)) == (["dataset/orders", "pipeline/orders"], 1)
    engine.decide([], T0 + 100 * DAY_S)
    assert (known(engine), edges(engine)) == ([], 0)


def test_open_incidents_and_runs_speak_of_entities_and_closed_ones_do_not() -> None:
    suspect = Suspect(entity="dataset/a", path=("dataset/a", "pipeline/b", "model/c"))
    incident = Incident(
        id="I-1", title="", status="open", opened_at=T0, updated_at=T0, suspects=(suspect,), impact=("kpi/d",)
    )
    run = Run(
        id="R-1", playbook="p", incident="", state="running", mode="enforce", why="", started_at=T0, updated_at=T0,
        targets=("service/e",), suspect=Suspect(entity="dataset/f"),
    )  # fmt: skip
    state = State(incidents={"I-1": incident}, runs={"R-1": run})
    assert spoken_of(state) == {"dataset/a", "pipeline/b", "model/c", "kpi/d", "service/e", "dataset/f"}
    state.incidents["I-1"] = replace(incident, status="resolved")
    state.runs["R-1"] = replace(run, state="done")
    assert spoken_of(state) == set()


def test_a_profile_a_detector_and_a_change_keep_their_entity() -> None:
    expected = DetectRule(name="d", metric="rows", every_s=DAY_S, when=Absence(after_s=DAY_S, expected=("dataset/b",)))
    book = rulebook(
        entities=(),
        dependencies=(),
        detect=(expected,),
        profiles=(Profile(entity="dataset/a", version="1", fields=(), rows=0),),
    )
    engine = running(*told("a"), *told("b"), *told("c"), book=book)
    change = ChangeRecord(at=T0 + 45 * DAY_S, id="x", type="data", entity="dataset/c")
    engine.decide([change], T0 + 45 * DAY_S)
    engine.decide([], T0 + 46.5 * DAY_S)
    assert known(engine) == ["dataset/a", "dataset/b", "dataset/c"]
    engine.decide([], T0 + 60 * DAY_S)
    assert known(engine) == ["dataset/a", "dataset/b"]


def test_whom_a_service_level_names_stays() -> None:
    names = parse_matchers('entity="dataset/named"')
    rule = DetectRule(name="fresh", metric="x", when=Threshold(above=1.0), where=names)
    engine = running(*told("named"), *told("other"), book=Rulebook(detect=(rule,)))
    engine.decide([], T0 + 400 * DAY_S)
    assert known(engine) == ["dataset/named"]


def test_a_version_alone_teaches_an_entity_that_is_forgotten() -> None:
    engine = running(VersionRecord(at=T0, source="mlflow", entity="model/m", version="1", learned="registry"))
    assert known(engine) == ["model/m"]
    engine.decide([], T0 + 402 * DAY_S)
    assert known(engine) == []


def test_what_was_removed_and_learned_anew_counts_anew() -> None:
    engine = running(*told("orders"))
    gone = DependencyRecord(
        at=T0 + 1, source="ol", from_="dataset/orders", to="pipeline/orders", type="produced_by", removed=True
    )
    engine.decide([gone, EntityRecord(at=T0 + 1, entity="dataset/orders", removed=True)], T0 + 1)
    assert edges(engine) == 0
    engine.decide(told("orders", 2.0, learned="spans"), T0 + 2)
    engine.decide([], T0 + 2 * DAY_S)
    assert edges(engine) == 0


def test_a_restart_forgets_at_the_same_times() -> None:
    whole, cut = Engine(BARE), Engine(BARE)
    for day in range(60):
        at = T0 + day * DAY_S + 1234.0 * (day % 7)
        records = told(f"d{day % 9}", at - T0, learned="lineage" if day < 9 else "spans" if day % 2 else "telemetry")
        if day % 11 == 3:
            records.append(AlertRecord(at=at, status="firing", labels={"alertname": "x"}, entity=f"dataset/d{day % 9}"))
        whole.decide(records, at)
        cut.decide(records, at)
        cut = Engine.restored(BARE, cut.snapshot())
        assert cut.snapshot() == whole.snapshot()
    whole.decide([], T0 + 120 * DAY_S)
    cut.decide([], T0 + 120 * DAY_S)
    assert cut.snapshot() == whole.snapshot()
    assert known(whole) == []


def test_a_year_of_names_that_come_once_stays_bounded() -> None:
    """New names a day that no fold knows, told once; without an end there would be 1,095 of each."""
    engine = Engine(rulebook(entities=(), dependencies=(), forget=Forgetting(lineage_s=9 * DAY_S)))
    for day in range(365):
        at = day * DAY_S
        engine.decide([one for number in range(3) for one in told(f"x{day}y{number}z", at)], T0 + at)
        assert len(engine.state.entities) <= 2 * 3 * 11
    assert len(engine.state.dependencies) <= 3 * 11
    assert len(engine.snapshot()) < 30_000


def test_of_too_many_those_told_longest_ago_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forget, "MOST_LEARNED", 20)
    engine = running(*told("spoken"), *told("stays", learned="", source="topology"))
    engine.decide([fires(kind, 1.0, entity=f"{kind}/spoken") for kind in ("dataset", "pipeline")], T0 + 1.0)
    for number in range(60):
        engine.decide(told(f"d{number:02}", 10.0 + number), T0 + 10.0 + number)
    engine.decide([], T0 + 2 * 3600.0)
    left = set(known(engine))
    assert {"dataset/d59", "dataset/d50", "dataset/spoken", "dataset/stays"} <= left
    assert "dataset/d30" not in left
    assert edges(engine) <= 22
    assert len(left) <= 44  # both ends of each that is left


def test_old_dependencies_of_spans_go_although_nothing_says_when_they_arrived() -> None:
    engine = Engine(BARE)
    engine.state.dependencies["a\x00b\x00calls"] = Dependency(from_="a", to="b", sources=("spans",), last_seen=T0)
    engine.state.entities["service/a"] = Entity(entity="service/a", sources=("old",))
    engine.state.now = T0
    engine = Engine.restored(BARE, engine.snapshot())
    engine.decide([], T0 + 2 * DAY_S)
    assert (edges(engine), known(engine)) == (0, ["service/a"])


def test_a_watched_series_keeps_its_entity_and_a_forgotten_one_is_read_as_what_it_is_then() -> None:
    rule = DetectRule(name="d", metric="rows", every_s=DAY_S, when=Absence(after_s=DAY_S, give_up_s=50 * DAY_S))
    engine = running(*told("a"), *told("b"), book=rulebook(entities=(), dependencies=(), detect=(rule,)))
    engine.decide([SampleRecord(at=T0 + 1, entity="dataset/a", metric="rows", value=1.0)], T0 + 1)
    engine.decide([], T0 + 47 * DAY_S)
    assert known(engine) == ["dataset/a"]


def test_a_playbook_names_nothing_that_is_kept_for_ever() -> None:
    engine = running(*told("a"), book=rulebook(entities=(), dependencies=(), playbooks=(playbook(),)))
    engine.decide([], T0 + 47 * DAY_S)
    assert known(engine) == []
