"""What is heard of for the first time is taken at little cost, as the long way would have had it."""

from __future__ import annotations

import random
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from core.scene import T0, matcher, rulebook, silence
from quell.core.engine import Engine
from quell.model.decision import AnyDecision
from quell.model.records import AlertRecord, AnyRecord, IncidentRecord
from quell.model.rulebook import InhibitRule, MapRule, MuteRule, Rulebook, Triage, TriageRule, Window

NAMES = ("DiskFull", "Slow", "Down", "Late")
SEVERITIES = ("critical", "warning", "info", "", "Sev9")
SERVICES = ("checkout", "payments", "ledger", "nobody-knows")


def rules_or_none(chance: random.Random) -> Rulebook:
    """Some rules, or none."""
    given: dict[str, Any] = {}
    if chance.random() < 0.6:
        given["inhibit"] = (
            InhibitRule(
                name="down mutes", source=(matcher("alertname", "Down"),), target=(matcher("severity", "warning"),),
                equal=("service",),
            ),
            InhibitRule(name="each other", source=(matcher("team", "a"),), target=(matcher("team", "a"),)),
        )  # fmt: skip
    if chance.random() < 0.4:
        given["mute"] = (MuteRule(name="late", matchers=(matcher("alertname", "Late"),), reason="known"),)
    if chance.random() < 0.4:
        window = Window(name="work", matchers=(matcher("service", "ledger"),), starts_at=T0, ends_at=T0 + 90.0)
        given["windows"] = (window,)
    if chance.random() < 0.4:
        given["map"] = (MapRule(name="m", matchers=(matcher("team", "b"),), entity="service/${labels.service}"),)
    if chance.random() < 0.4:
        rule = TriageRule(name="r", matchers=(matcher("alertname", "Slow"),), verdict="hold", hold_s=120.0)
        given["triage"] = Triage(rules=(rule,), page_severities=("critical", "sev9"))
    return rulebook(**given)


def _record(chance: random.Random, now: float) -> AlertRecord:
    labels = {"alertname": chance.choice(NAMES), "service": chance.choice(SERVICES), "n": str(chance.randrange(30))}
    if severity := chance.choice(SEVERITIES):
        labels["severity"] = severity
    if team := chance.choice(("", "a", "b")):
        labels["team"] = team
    return AlertRecord(
        at=now - chance.choice((0.0, 0.0, 5.0, -200.0)),
        seen=chance.choice((None, now, now - 3.0)),
        id=chance.choice(("", "", "i1")),
        key=chance.choice(("", "", "", "k")),
        source=chance.choice(("", "p")),
        status=chance.choice(("firing", "firing", "firing", "resolved")),
        labels=chance.choice((labels, labels, labels, {})),
        starts_at=chance.choice((None, now - 5.0, now - 700.0, now - 90_000.0, now + 4000.0)),
        ends_at=chance.choice((None, None, now + 300.0, now - 1.0, now)),
        timeout=chance.random() < 0.2,
        value=chance.choice((None, None, 1.0)),
        entity=chance.choice((None, None, "service/ledger", "host/x")),
        url=chance.choice(("", "u")),
    )


def _story(chance: random.Random) -> list[tuple[list[AnyRecord], float]]:
    now, story = T0, []
    for _ in range(12):
        now += chance.choice((0.0, 1.0, 20.0, 120.0, 4000.0))
        records: list[AnyRecord] = [_record(chance, now) for _ in range(chance.choice((1, 3, 6, 40)))]
        if chance.random() < 0.1:
            records.append(silence("s", now - T0, now - T0 + 100.0, matcher("service", "payments")))
        if chance.random() < 0.05:
            other = IncidentRecord(at=now, id="x", status="open", entity="service/ledger")
            records.append(chance.choice((other, msgspec.structs.replace(other, status="closed"))))
        story.append((records, now))
    return story


def _lived(engine: Engine, story: list[tuple[list[AnyRecord], float]]) -> tuple[list[AnyDecision], bytes]:
    out = [decision for records, now in story for decision in engine.decide(records, now)]
    return out, engine.snapshot()


def _the_long_way(book: Rulebook) -> Engine:
    engine = Engine(book)
    engine._flocks.take = lambda *_: None  # type: ignore[method-assign]
    engine._alerts.firsts.take_all = lambda told, *_: next(told, None)  # type: ignore[method-assign]
    return engine


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.randoms(use_true_random=False))
def test_the_quick_way_ends_where_the_long_way_does(chance: random.Random) -> None:
    book, story = rules_or_none(chance), _story(chance)
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(story), type=list[tuple[list[AnyRecord], float]])
    assert _lived(Engine(book), story) == _lived(_the_long_way(book), again)


def test_the_quick_way_is_taken() -> None:
    engine = Engine(rulebook())
    engine._flocks.take = lambda *_: None  # type: ignore[method-assign]
    left: list[tuple[str, AlertRecord] | None] = []
    firsts = engine._alerts.firsts
    way = firsts.take_all

    def noted(*told: Any) -> tuple[str, AlertRecord] | None:
        left.append(way(*told))
        return left[-1]

    firsts.take_all = noted  # type: ignore[method-assign]
    records: list[AnyRecord] = [
        AlertRecord(at=T0, status="firing", labels={"alertname": name, "severity": severity})
        for name in NAMES
        for severity in SEVERITIES
    ]
    engine.decide(records, T0)
    assert left == [None]
    assert len(engine.state.alerts) == len(records)


def test_matchers_of_a_silence_still_mute_at_once() -> None:
    engine = Engine(rulebook())
    engine.decide([silence("s", 0.0, 60.0, matcher("service", "ledger"))], T0)
    labels = {"alertname": "Down", "service": "ledger", "severity": "critical"}
    engine.decide([AlertRecord(at=T0 + 1, status="firing", labels=labels)], T0 + 1)
    (alert,) = engine.state.alerts.values()
    assert (alert.handling, alert.reason.code) == ("muted", "silence")
