"""A snapshot in pieces: the very bytes of the whole, of the instant at which it was asked for."""

from __future__ import annotations

import msgspec
import pytest

from quell.core.engine import Engine
from quell.core.writing import LASTING, TOGETHER, written
from quell.model.records import AlertRecord, CommandRecord, EntityRecord
from quell.model.rulebook import Rulebook
from quell.model.state import State

MANY = 2 * TOGETHER + 7


def told(at: float, first: int, count: int, **more: str) -> list[AlertRecord]:
    return [
        AlertRecord(
            at=at,
            source="t",
            status="firing",
            labels={"alertname": f"A{number % 7}", "service": f"s{number % 40}", "n": str(number), **more},
            ends_at=at + 60.0 + number % 50,
        )
        for number in range(first, first + count)
    ]


def engine() -> Engine:
    made = Engine(Rulebook())
    made.decide([EntityRecord(at=1.0, entity=f"service/s{number}", source="t") for number in range(MANY)], 1.0)
    made.decide(told(10.0, 0, MANY, severity="critical"), 10.0)
    made.decide([], 40.0)
    return made


@pytest.mark.parametrize("count", [0, 1, 15, 16, TOGETHER, TOGETHER + 1, 65_535, 65_536])
def test_the_pieces_are_the_bytes_of_the_whole(count: int) -> None:
    state = State(seen_ids={str(number): float(number) for number in range(count)}, paused_by="ann")
    assert b"".join(written(state)) == msgspec.msgpack.encode(state)


def test_what_a_core_writes_is_what_it_knows() -> None:
    made = engine()
    assert len(made.state.alerts) == MANY
    assert made.state.incidents
    assert made.snapshot() == msgspec.msgpack.encode(made.state)
    assert Engine.restored(Rulebook(), memoryview(made.snapshot())).snapshot() == made.snapshot()


def test_pieces_tell_of_the_instant_at_which_they_were_asked_for() -> None:
    made = engine()
    before, pieces = made.snapshot(), made.written()
    taken = [next(pieces) for _ in range(6)]
    made.decide(told(50.0, 0, MANY, severity="critical"), 50.0)
    made.decide(told(60.0, MANY // 2, MANY, severity="warning", more="x"), 60.0)
    incident = next(iter(made.state.incidents))
    made.decide([CommandRecord(at=61.0, source="t", verb="acknowledge", target=incident, by="ann")], 61.0)
    made.decide([], 4000.0)
    assert made.snapshot() != before
    assert b"".join([*taken, *pieces]) == before


def test_what_is_encoded_later_is_of_values_that_never_change() -> None:
    def lasting(kind: msgspec.inspect.Type) -> bool:
        match kind:
            case msgspec.inspect.StructType():
                return kind.cls.__struct_config__.frozen and all(lasting(each.type) for each in kind.fields)
            case msgspec.inspect.VarTupleType():
                return lasting(kind.item_type)
            case msgspec.inspect.TupleType():
                return all(map(lasting, kind.item_types))
            case msgspec.inspect.UnionType():
                return all(map(lasting, kind.types))
            case msgspec.inspect.DictType():  # labels, annotations and parameters of frozen values
                return isinstance(kind.value_type, msgspec.inspect.StrType | msgspec.inspect.AnyType)
            case _:
                return not isinstance(kind, msgspec.inspect.ListType | msgspec.inspect.SetType)

    info = msgspec.inspect.type_info(State)
    assert isinstance(info, msgspec.inspect.StructType)
    kinds = {each.name: each.type for each in info.fields}
    assert kinds.keys() >= LASTING
    for name in LASTING:
        kind = kinds[name]
        assert isinstance(kind, msgspec.inspect.DictType), name
        assert not isinstance(kind.value_type, msgspec.inspect.DictType), name
        assert lasting(kind.value_type), name
