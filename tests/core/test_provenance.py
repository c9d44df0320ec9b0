"""What is kept of versions, and which changes follow from what is told of them."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from core.scene import T0, rulebook
from quell.core.engine import Engine
from quell.core.provenance import (
    KEEP_PROMOTIONS,
    KEEP_S,
    KEEP_VERSIONS,
    MOST_ENTITIES,
    forget_versions,
    learn_version,
)
from quell.core.schemas import difference
from quell.model.provenance import Column
from quell.model.records import AnyRecord, ChangeRecord, VersionRecord
from quell.model.state import State
from quell.model.topology import Change

PAYMENTS, MODEL, DAG = "dataset/payments", "model/fraud", "pipeline/etl"
AMOUNT = [Column(name="id", type="bigint"), Column(name="amount", type="double", unit="EUR")]
CENTS = [Column(name="id", type="bigint"), Column(name="amount", type="double", unit="cents")]


def told(*records: AnyRecord) -> State:
    engine = Engine(rulebook())
    for record in records:
        engine.decide([record], record.at)
    state = Engine.restored(engine.rulebook, engine.snapshot()).state
    assert state.provenance == engine.state.provenance
    return state


def version(entity: str, number: str = "", after: float = 0.0, **given: Any) -> VersionRecord:
    return VersionRecord(at=T0 + after, source=given.pop("source", "src"), entity=entity, version=number, **given)


def changes(state: State) -> list[Change]:
    return sorted(state.changes.values(), key=lambda one: one.at)


def test_a_schema_that_differs_is_a_change_that_says_what() -> None:
    state = told(version(PAYMENTS, columns=AMOUNT, by="pipeline/load"),
                 version(PAYMENTS, "43", after=60.0, columns=CENTS, by="pipeline/load", commit="8f3c"))  # fmt: skip
    (change,) = changes(state)
    assert (change.type, change.entity, change.at, change.author) == ("schema", PAYMENTS, T0 + 60, "pipeline/load")
    assert change.summary == "column amount changed its unit from EUR to cents"
    assert (change.revision, change.commit) == ("43", "8f3c")


def test_the_same_schema_in_another_order_or_of_the_past_is_no_change() -> None:
    late = version(PAYMENTS, after=-60.0, columns=CENTS)
    state = told(version(PAYMENTS, columns=AMOUNT), version(PAYMENTS, after=60.0, columns=AMOUNT[::-1]), late)
    assert changes(state) == []


def test_readers_of_one_dataset_tell_one_change_and_types_in_words_of_their_own() -> None:
    theirs = [Column(name="amount", type="DECIMAL(10,2)"), Column(name="note", type="VARCHAR")]
    ours = [Column(name="amount", type="double"), Column(name="note", type="string")]
    said = ((0, ours, "a"), (1, theirs, "b"), (60, ours[:1], "a"), (90, theirs[:1], "b"), (3600, ours, "a"),
            (7200, ours[:1], "a"))  # fmt: skip
    state = told(*(version(PAYMENTS, after=after, columns=columns, by=by) for after, columns, by in said))
    assert [(one.at - T0, one.summary) for one in changes(state)] == [
        (60.0, "column note was removed"),
        (3600.0, "column note (string) was added"),
        (7200.0, "column note was removed"),
    ]


def test_an_alias_that_points_elsewhere_is_a_change_of_the_model_told_once() -> None:
    webhook = ChangeRecord(
        at=T0 + 120, source="hook", id="d1", type="model", entity=MODEL, revision="8", labels={"alias": "champion"}
    )
    state = told(
        version(MODEL, "7", aliases=["champion"]),
        version(MODEL, "7", after=60.0, aliases=["champion"]),
        webhook,
        version(MODEL, "8", after=180.0, aliases=["champion"], promoted_by="ana"),
        version(MODEL, "7", after=240.0, aliases=["champion"], promoted_by="bea"),
    )
    assert [(one.previous, one.revision, one.author) for one in changes(state)] == [
        ("7", "8", "ana"),
        ("8", "7", "bea"),
    ]
    kept = state.provenance[MODEL].promotions
    assert [(one.version, one.found, one.by) for one in kept] == [
        ("7", True, ""), ("8", False, "ana"), ("7", False, "bea"),
    ]  # fmt: skip


def test_the_first_sight_of_an_alias_is_no_change_but_word_of_a_move_is() -> None:
    assert changes(told(version(MODEL, "7", aliases=["champion"]))) == []
    move = ChangeRecord(at=T0, source="hook", type="model", entity=MODEL, revision="7", labels={"alias": "a"})
    (change,) = changes(told(move))
    assert (change.revision, change.previous) == ("7", "")
    gone = ChangeRecord(at=T0 + 5, source="hook", type="model", entity=MODEL, labels={"alias": "a"})
    assert [(one.revision, one.previous) for one in changes(told(move, gone))] == [("7", ""), ("", "7")]


def test_the_event_of_what_was_found_is_a_change_with_its_own_time() -> None:
    event = ChangeRecord(at=T0, source="hook", type="model", entity=MODEL, revision="7", labels={"alias": "a"})
    found = version(MODEL, "7", after=60.0, aliases=["a"])
    engine = Engine(rulebook())
    engine.decide([found], T0 + 60)
    engine.decide([event], T0 + 61)
    engine.decide([msgspec.structs.replace(event, id="again", at=T0 + 5)], T0 + 62)
    assert [one.at for one in changes(engine.state)] == [T0]
    assert [(one.at, one.found) for one in engine.state.provenance[MODEL].promotions] == [(T0, False)]


def test_newer_code_of_a_pipeline_is_a_deploy_and_so_is_the_way_back() -> None:
    state = told(*(version(DAG, one, after=60.0 * at) for at, one in enumerate(("v1", "v1", "v2", "v1"))))
    assert [(one.type, one.previous, one.revision) for one in changes(state)] == [
        ("deploy", "v1", "v2"), ("deploy", "v2", "v1"),
    ]  # fmt: skip
    assert changes(told(version(MODEL, "1"), version(MODEL, "2", after=9.0))) == []


def test_what_is_told_of_a_version_later_is_added() -> None:
    state = told(version(MODEL, "7", run="r1"), version(MODEL, "7", after=9.0, commit="8f", inputs={PAYMENTS: "42"}))
    (kept,) = state.provenance[MODEL].versions
    assert (kept.at, kept.run, kept.commit, kept.inputs) == (T0, "r1", "8f", {PAYMENTS: "42"})


def test_memory_is_bounded() -> None:
    engine = Engine(rulebook())
    numbers = range(KEEP_VERSIONS["model"] + KEEP_PROMOTIONS)
    moves = [version(MODEL, str(at), after=float(at), aliases=["a"]) for at in numbers]
    engine.decide(moves, T0 + 1000)
    kept = engine.state.provenance[MODEL]
    assert (len(kept.versions), len(kept.promotions)) == (KEEP_VERSIONS["model"], KEEP_PROMOTIONS)
    assert kept.versions[-1].version == str(numbers[-1])
    state = engine.state
    for at in range(MOST_ENTITIES + 10):
        learn_version(state, version(f"dataset/{at}", "1"))
    assert (len(state.provenance), MODEL in state.provenance) == (MOST_ENTITIES, False)
    forget_versions(state, T0 + KEEP_S + 2000.0)
    assert state.provenance == {}


def test_differences_are_told_in_words() -> None:
    def column(name: str, of: str = "string", **given: str) -> Column:
        return Column(name=name, type=of, **given)

    def text(before: list[Column], after: list[Column]) -> str:
        found = difference(before, after)
        return found.text if found is not None else ""

    assert text([column("a")], [column("a", "STRING")]) == ""
    assert text([column("a")], [column("a", "int")]) == "column a changed its type from string to int"
    assert text([column("a"), column("b")], [column("a"), column("c")]) == "column b was renamed to c"
    assert text([column("a"), column("b")], [column("a"), column("c", "int")]) == (
        "column b was removed; column c (int) was added"
    )
    assert text([column("a", about="in EUR")], [column("a", about="in cents")]) == (
        'column a changed its description from "in EUR" to "in cents"'
    )
    assert text([], [column(name) for name in "abcde"]).endswith("column c (string) was added; and 2 more")


COLUMNS = st.lists(
    st.builds(Column, name=st.sampled_from("abcd"), type=st.sampled_from(("int", "INT", "text", ""))),
    max_size=4, unique_by=lambda column: column.name,
)  # fmt: skip


@given(COLUMNS, COLUMNS)
@settings(max_examples=40)
def test_a_difference_has_a_name_that_does_not_depend_on_letters(before: list[Column], after: list[Column]) -> None:
    def loud(columns: list[Column]) -> list[Column]:
        return [Column(name=column.name, type=column.type.upper()) for column in columns]

    found, other = difference(before, after), difference(loud(before), loud(after))
    assert (found is None) == (other is None)
    if found is not None and other is not None:
        assert found.key == other.key
        assert found.lines
