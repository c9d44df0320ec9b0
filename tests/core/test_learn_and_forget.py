"""What records teach about the graph and changes, and what is forgotten again."""

from __future__ import annotations

import pytest

from core.scene import T0, Scene, ends, fires, outage, rulebook, silence
from quell.core import learn
from quell.core.agenda import Agenda
from quell.core.learn import KEEP_SPANS, learn_change, learn_dependency, learn_entity, learn_span
from quell.core.prune import Pruning
from quell.core.resolve import Resolver
from quell.core.severity import rank, worst
from quell.core.steps import finished
from quell.model.records import (
    AlertRecord,
    ChangeRecord,
    DependencyRecord,
    EntityRecord,
    IncidentRecord,
    LogRecord,
    SampleRecord,
    SpanRecord,
)
from quell.model.state import Calls, State
from quell.replay.run import replay

DAY = 86_400.0


def span(name: str, parent: str = "", entity: str = "", trace: str = "t", at: float = 0.0) -> SpanRecord:
    return SpanRecord(at=T0 + at, trace=trace, span=name, parent=parent, entity=entity or f"service/{name}")


def all_over(at: float) -> list[AlertRecord]:
    return [ends(name, at) for name in ("ledger", "payments", "checkout", "frontend")]


def edges(state: State) -> set[tuple[str, str]]:
    return {
        (edge.from_.removeprefix("service/"), edge.to.removeprefix("service/")) for edge in state.dependencies.values()
    }


def test_an_entity_is_added_merged_and_removed():
    state = State()
    assert learn_entity(state, EntityRecord(at=T0, entity="service/a", labels={"x": "1"}, owner="pay", source="one"))
    assert not learn_entity(state, EntityRecord(at=T0, entity="service/a", labels={"x": "1"}, source="one"))
    assert learn_entity(state, EntityRecord(at=T0, entity="service/a", labels={"y": "2"}, tier=1, source="two"))
    known = state.entities["service/a"]
    assert (known.labels, known.owner, known.tier, known.sources) == ({"x": "1", "y": "2"}, "pay", 1, ("one", "two"))
    assert learn_entity(state, EntityRecord(at=T0, entity="service/a", removed=True))
    assert not learn_entity(state, EntityRecord(at=T0, entity="service/a", removed=True))


def test_a_dependency_is_added_confirmed_and_removed():
    state = State()
    edge = DependencyRecord(at=T0, from_="a", to="b", type="calls", source="one")
    assert learn_dependency(state, edge)
    assert not learn_dependency(state, DependencyRecord(at=T0 - 5, from_="a", to="b", type="calls", source="two"))
    (known,) = state.dependencies.values()
    assert (known.first_seen, known.last_seen, known.sources) == (T0, T0, ("one", "two"))
    assert learn_dependency(state, DependencyRecord(at=T0, from_="a", to="b", type="calls", weight=0.5))
    gone = DependencyRecord(at=T0, from_="a", to="b", type="calls", removed=True)
    assert learn_dependency(state, gone)
    assert not learn_dependency(state, gone)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (0, 2, 1)])
def test_spans_make_edges_in_whatever_order_they_come(order: tuple[int, ...]):
    state, spans = State(), (span("a"), span("b", "a"), span("c", "b"))
    changed = [learn_span(state, spans[at], T0) for at in order]
    assert edges(state) == {("a", "b"), ("b", "c")}
    assert any(changed)
    assert state.orphans == {}


def test_spans_of_one_entity_or_of_none_make_no_edge():
    state = State()
    learn_span(state, span("a", entity="service/x"), T0)
    learn_span(state, span("b", "a", entity="service/x"), T0)
    assert not learn_span(state, SpanRecord(at=T0, trace="t", span="c", parent="a"), T0)
    assert edges(state) == set()


def test_traces_are_joined_for_a_minute_and_then_forgotten():
    state = State()
    learn_span(state, span("b", "a", trace="x/y"), T0)
    learn_span(state, span("c", "a", trace="x/y"), T0)
    learn_span(state, span("c", "a", trace="x/y"), T0)
    assert state.orphans == {"x/y/a": ("service/b", "service/c")}
    learn_span(state, span("z", trace="other"), T0 + 61.0)
    assert list(state.spans) == ["other/z"]
    assert state.orphans == {}


def test_spans_kept_are_bounded_whatever_the_traffic(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(learn, "KEEP_SPANS", 50)
    state = State()
    for number in range(200):
        learn_span(state, span(f"s{number}", "nobody", trace=f"t{number}"), T0)
    assert len(state.spans) == 50
    assert len(state.orphans) == 50
    assert KEEP_SPANS > 1000


def test_spans_told_twice_count_once():
    scene = Scene()
    scene.tell(span("a"), span("b", "a"), at=0.0)
    scene.tell(span("b", "a"), at=5.0)
    assert scene.engine.state.signals["service/b"].calls == {"service/a\x00": [Calls(T0 - T0 % 60, 1, 0, 0.0)]}
    assert scene.engine.graph.node("service/a") != scene.engine.graph.node("service/b")


def test_a_change_without_an_id_is_known_by_what_it_is():
    state, resolver = State(), Resolver((), ())
    record = ChangeRecord(at=T0, type="flag", labels={"service": "a"}, entity="service/a")
    change, known = learn_change(state, record, resolver)
    assert (change.id, known) == (f"flag/service/a/{T0:.3f}", None)
    again, known = learn_change(state, record, resolver)
    assert again == known


def test_what_is_old_is_forgotten_and_the_rest_kept():
    scene = Scene()
    day = 86_400.0
    scene.tell(
        silence("old", 0.0, 60.0),
        silence("new", 0.0, 20 * day),
        ChangeRecord(at=T0, id="c", type="deploy", entity="service/disk"),
        SampleRecord(at=T0, entity="service/disk", metric="m", value=1.0),
        LogRecord(at=T0, id="log", entity="service/cart", severity="error"),
        IncidentRecord(at=T0, id="f", status="open", entity="service/disk", title="theirs"),
        span("disk"),
        span("cart", "disk"),
        fires("disk", severity="info"),
        at=0.0,
    )
    scene.wait(10 * day)
    state = scene.engine.state
    assert list(state.silences) == ["new"]
    assert (state.changes, state.signals, state.seen_ids, state.foreign) == ({}, {}, {}, {})
    assert state.dependencies == {}
    assert not finished(Pruning(rulebook(), state).prune(state.now))


def test_newer_signals_outlive_older_ones():
    scene = Scene()
    for metric, at in (("old", 0.0), ("new", 17_000.0)):
        scene.tell(SampleRecord(at=T0 + at, entity="service/disk", metric=metric, value=1.0))
    scene.wait(20_000.0)
    assert list(scene.engine.state.signals["service/disk"].series) == ["new"]


@pytest.mark.parametrize(
    ("word", "order"), [("critical", 5), ("sev2", 4), ("warn", 3), ("minor", 2), ("info", 1), ("odd", 3)]
)
def test_severities_have_an_order_whatever_the_word(word: str, order: int):
    assert rank(word) == order


def test_the_worst_of_severities():
    assert worst(["info", "critical", "warning"]) == "critical"
    assert worst([]) == ""


def test_an_agenda_gives_what_is_due_in_order_and_once():
    agenda = Agenda()
    agenda.put(5.0, "solve", "1")
    agenda.put(5.0, "expire", "a")
    agenda.put(5.0, "expire", "a")
    agenda.put(None, "judge", "b")
    assert agenda.next_due() == 5.0
    assert agenda.take(4.0) is None
    assert [agenda.take(5.0), agenda.take(5.0), agenda.take(5.0)] == [(5.0, "expire", "a"), (5.0, "solve", "1"), None]
    agenda.put(1.0, "calm", "x")
    agenda.clear()
    assert agenda.next_due() is None


def test_an_alert_that_was_forgotten_goes_on_counting_its_firings():
    """Whoever remembers for longer, such as a replay or the ledger, knows a firing by its number."""
    scene = Scene()
    scene.tell(*outage(), *all_over(900.0))
    (first,) = scene.engine.state.incidents.values()
    mark = first.alerts[0]
    scene.wait(1.5 * DAY)
    assert mark not in scene.engine.state.alerts
    scene.tell(*outage(2 * DAY))
    scene.wait(2 * DAY + 120.0)
    again = scene.engine.state.alerts[mark]
    assert (again.episode, again.count) == (2, 1)
    assert again.incident not in {None, first.id}


def test_a_replay_keeps_the_firings_of_different_days_apart():
    days = [record for day in range(3) for record in (*outage(day * 1.7 * DAY), *all_over(day * 1.7 * DAY + 900.0))]
    outcome = replay(days, rulebook())
    homes = [one.incident for one in outcome.alerts]
    assert len(homes) == 12
    assert [len(set(homes[at : at + 4])) for at in (0, 4, 8)] == [1, 1, 1]
    assert len(set(homes)) == 3
