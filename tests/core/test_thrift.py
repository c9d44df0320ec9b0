"""What is the same is one object, also after a restart; what is said stays the same."""

from __future__ import annotations

from quell.core.engine import Engine
from quell.core.thrift import MOST_WORDS, Words
from quell.model.records import AlertRecord, DependencyRecord, EntityRecord
from quell.model.rulebook import Rulebook
from quell.model.state import State


def other(text: str) -> str:
    """An equal text that is another object."""
    return "".join(list(text))


def test_names_are_one_object_though_each_alert_has_words_of_its_own() -> None:
    words = Words()
    hosts = [words.one(f"host-{number}") for number in range(MOST_WORDS // 2)]
    for number in range(3 * MOST_WORDS):
        host = f"host-{number % len(hosts)}"
        labels = {"node": other(host), "instance": f"instance-{number}"}
        words.share(labels)
        assert labels["node"] is hosts[number % len(hosts)]
    assert words.one("") == ""


def engine() -> Engine:
    made = Engine(Rulebook())
    names = [f"service/s{number}" for number in range(4)]
    made.decide([EntityRecord(at=1.0, source="t", entity=name) for name in names], 1.0)
    edges = [(other(names[0]), other(names[1])), (other(names[1]), other(names[2]))]
    made.decide([DependencyRecord(at=1.0, source="t", from_=a, to=b, type=other("calls")) for a, b in edges], 1.0)
    alerts = [
        AlertRecord(
            at=float(10),
            seen=float(20),
            source=other("t"),
            status="firing",
            labels={"alertname": "A", "service": other("s1"), "n": str(number)},
            starts_at=float(10 + number),
            ends_at=float(4000),
        )
        for number in range(3)
    ]
    made.decide(alerts, 20.0)
    return made


def check(state: State) -> None:
    alerts = list(state.alerts.values())
    assert len({id(one.ends_at) for one in alerts}) == 1
    assert len({id(one.updated_at) for one in alerts}) == 1
    assert len({id(one.heard[0].ahead) for one in alerts}) == 1
    assert len({id(one.labels["service"]) for one in alerts}) == 1
    assert all(one.heard[0].end is one.ends_at and one.heard[0].seen is one.updated_at for one in alerts)
    assert all(one.heard[0].start is one.starts_at for one in alerts)
    edges = list(state.dependencies.values())
    assert edges[0].to is edges[1].from_ is state.entities["service/s1"].entity
    assert edges[0].type is edges[1].type
    assert edges[0].sources is edges[1].sources


def test_what_comes_together_shares_its_times_and_names() -> None:
    check(engine().state)


def test_a_restart_shares_no_less() -> None:
    made = engine()
    again = Engine.restored(Rulebook(), made.snapshot())
    check(again.state)
    assert again.snapshot() == made.snapshot()
