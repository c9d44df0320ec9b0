"""What becomes of records: what is personal goes, what they are told apart by stays, and nothing else changes."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quell.model.alert import fingerprint
from quell.model.playbook import Place
from quell.model.records import (
    AlertRecord,
    AnyRecord,
    CallRecord,
    ChangeRecord,
    CommandRecord,
    DependencyRecord,
    DistributionRecord,
    EntityRecord,
    LogRecord,
    RunningHistogram,
    SampleRecord,
    SamplesRecord,
    SpanRecord,
    StepFinished,
    TotalsRecord,
    VersionRecord,
)
from quell.privacy.records import Guard, chosen
from quell.privacy.rules import Personal, PrivacyRules

PLACE = Place(file="quell.yaml", line=3)
MAIL = "ann@example.org"
RULES = (
    Personal(fields=("user_id", "author"), patterns=("email",), place=PLACE),
    Personal(fields=("masked",), patterns=("card",), do="mask", place=PLACE),
    Personal(fields=("gone",), do="drop", place=PLACE),
)


def guard(**more: Any) -> Guard:
    return Guard(PrivacyRules(key=b"0123456789abcdef", **({"rules": RULES} | more)))


def one(record: AnyRecord) -> Any:
    (told,) = guard().records([record])
    assert type(told) is type(record)
    return told


def token(value: str) -> str:
    texts = guard().texts
    assert texts is not None
    return texts.token(value)


EVERY: list[AnyRecord] = [
    AlertRecord(
        at=1.0,
        id=MAIL,
        key=MAIL,
        status="firing",
        labels={MAIL: MAIL},
        annotations={"a": MAIL},
        entity=f"user/{MAIL}",
        url=f"http://x/{MAIL}",
    ),
    ChangeRecord(
        at=1.0, type="deploy", entity=f"user/{MAIL}", author="Ann", summary=MAIL, files=[MAIL], diff=f"+ {MAIL}"
    ),
    SampleRecord(at=1.0, entity=f"user/{MAIL}", metric=MAIL, points=[(1.0, 2.0)]),
    SamplesRecord(at=1.0, entity=f"user/{MAIL}", times=[1.0], values={MAIL: [None]}),
    TotalsRecord(at=1.0, entity=MAIL, instance=MAIL, values={MAIL: 1.0}, histograms={MAIL: RunningHistogram(count=1)}),
    LogRecord(at=1.0, entity=MAIL, text=f"user_id=17 {MAIL}", template=f"user_id=<*> {MAIL}"),
    SpanRecord(
        at=1.0,
        trace="t",
        span="s",
        entity=MAIL,
        name=MAIL,
        attributes={"user_id": "17", "url": f"/?user_id=17&m={MAIL}"},
    ),
    CallRecord(at=1.0, entity=MAIL, caller=MAIL, operation=f"GET /{MAIL}"),
    DistributionRecord(
        at=1.0, entity=MAIL, field="x", type="text", count=2, categories={MAIL: 2}, samples=[MAIL], segment=f"u={MAIL}"
    ),
    EntityRecord(at=1.0, entity=f"user/{MAIL}", labels={"user_id": "17"}, owner=MAIL),
    DependencyRecord(at=1.0, from_=f"user/{MAIL}", to="service/a"),
    VersionRecord(
        at=1.0, entity="model/a", promoted_by=MAIL, inputs={f"dataset/{MAIL}": "3"}, labels={"user_id": "17"}
    ),
    CommandRecord(at=1.0, verb="ack", target="INC-1", args={"note": f"{MAIL} called"}),
    StepFinished(
        at=1.0, key="k", outcome="done", output={"rows": [{"user_id": 17, "m": MAIL}]}, sentence=MAIL, error=MAIL
    ),
]


@pytest.mark.parametrize("record", EVERY, ids=lambda record: type(record).__name__)
def test_nothing_personal_stays_in_a_record(record: AnyRecord) -> None:
    told = one(record)
    text = msgspec.json.encode(told).decode()
    assert MAIL not in text
    assert "Ann" not in text
    assert "17" not in text
    assert token(MAIL) in text
    assert guard().records([told]) == [told], "what is done once is done"
    assert told.at == record.at


def test_who_acts_is_known() -> None:
    record = CommandRecord(at=1.0, verb="assign", target="INC-1", by=MAIL, args={"to": MAIL, "note": "x"})
    assert one(record) == record


def test_what_tells_things_apart_becomes_a_token_whatever_the_rule_says() -> None:
    told = one(AlertRecord(at=1.0, status="firing", labels={"masked": "a", "gone": "b"}, key="4111 1111 1111 1111"))
    assert told.labels == {"masked": "(masked)"}
    assert told.key == token("4111 1111 1111 1111")


@pytest.mark.parametrize(
    ("field", "kind", "categories", "kept"),
    [
        ("user_id", "text", {"a": 2, "b": 1}, {"a": 2, "b": 1}),
        ("masked", "text", {"a": 2, "b": 1}, {"(masked)": 3}),
        ("gone", "text", {"a": 2}, None),
        ("gone", "number", {}, None),
        ("user_id", "number", {}, {}),
        ("masked", "number", {}, {}),
    ],
)
def test_distributions_of_personal_fields(
    field: str, kind: Any, categories: dict[str, int], kept: dict[str, int] | None
) -> None:
    record = DistributionRecord(
        at=1.0, entity="model/a", field=field, type=kind, count=3, zero=0 if categories else 3,
        categories=categories, samples=["x9"], low=None if categories else 17.0, total=0.0 if categories else 51.0,
    )  # fmt: skip
    told = guard().records([record])
    if kept is None:
        assert not told
        return
    (only,) = told
    assert isinstance(only, DistributionRecord)
    wanted = {token(name): count for name, count in kept.items()} if field == "user_id" else kept
    assert (only.categories, only.samples, only.count) == (wanted, [], 3)
    assert (only.type, only.zero, only.low, only.total) == (kind, 0, None, 0.0), "buckets of numbers are the values"


def test_alerts_that_differ_in_what_is_masked_stay_two() -> None:
    def told(labels: dict[str, str], source: str = "am", **more: Any) -> AlertRecord:
        record = one(AlertRecord(at=1.0, source=source, status="firing", labels={"alertname": "Slow"} | labels, **more))
        assert isinstance(record, AlertRecord)
        return record

    def mark(record: AlertRecord) -> str:
        return fingerprint(record.labels, record.source, record.key)

    for name in ("masked", "gone"):
        ann, bob = told({name: "ann"}), told({name: "bob"})
        assert ann.labels == bob.labels
        assert mark(ann) != mark(bob)
        assert mark(ann) == mark(told({name: "ann"}, annotations={"a": MAIL})) == mark(told({name: "ann"}, "am2"))
        assert mark(ann) != mark(told({name: "ann", "severity": "page"}))
        assert told({name: "ann"}, key="mine").key == "mine"
        assert "ann" not in ann.key
        assert one(ann) == ann, "what is done once is done"
    assert mark(told({"text": "4111 1111 1111 1111"})) != mark(told({"text": "5500 0000 0000 0004"}))
    assert told({"user_id": "ann", "mail": MAIL}).key == "", "tokens tell them apart"


def test_keys_of_senders_are_apart_by_source_whatever_they_are_about() -> None:
    key = "labels/null_share"
    assert fingerprint({}, "soda", key) != fingerprint({}, "evidently", key)
    token = "labels/t_0123456789abcdef"
    assert fingerprint({}, "prom-1", token) == fingerprint({}, "prom-2", token)


def test_a_silence_for_a_person_fits_alerts_as_they_are_kept() -> None:
    given = [
        {"name": "user_id", "value": "17", "isRegex": False, "isEqual": True},
        {"name": "user_id", "value": "", "isEqual": False},
        {"name": "mail", "value": r"ann@example\.org|bo.*", "isRegex": True},
        {"name": "gone", "value": "x"},
        {"name": "service", "value": r"a\.b", "isRegex": True},
        {"name": "user_id", "value": r"(17|a\.b)", "isRegex": True},
        {"name": "user_id", "value": ".+", "isRegex": True},
    ]
    silence = {"matchers": given, "comment": MAIL, "createdBy": MAIL}
    told = one(CommandRecord(at=1.0, verb="silence", target="s", args={"silence": silence})).args["silence"]
    values = [matcher["value"] for matcher in told["matchers"]]
    assert values == [
        token("17"),
        "",
        f"{token(MAIL)}|bo.*",
        token("x"),
        r"a\.b",
        f"({token('17')}|{token('a.b')})",
        ".+",
    ]
    assert (told["comment"], told["createdBy"]) == (token(MAIL), MAIL)


def test_of_many_records_only_those_are_touched_that_hold_something() -> None:
    clean = AlertRecord(at=1.0, status="firing", labels={"alertname": "a", "instance": "i"})
    told = guard().records([clean, EVERY[0], clean])
    assert told[0] is told[2] is clean
    batch = [clean] * 3
    assert guard().records(batch) is batch, "nothing is copied where nothing is found"


def test_raw_contexts_of_a_share_of_requests() -> None:
    share = guard(rules=(), contexts=0.25)
    lines = [LogRecord(at=1.0, id=f"r{n}", entity="s", text=f"line {n}", template="line <*>") for n in range(4_000)]
    kept = share.records(lines)
    assert len(kept) == 4_000, "counts stay whole"
    with_text = [record.id for record in kept if isinstance(record, LogRecord) and record.text]
    assert 850 < len(with_text) < 1_150
    assert with_text == [record.id for record in share.records(kept) if isinstance(record, LogRecord) and record.text]
    assert set(with_text) == {f"r{n}" for n in range(4_000) if chosen(f"r{n}", 0.25)}
    none = guard(rules=(), contexts=0.0)
    bare = none.records([
        SpanRecord(at=1.0, trace="t", span="s", attributes={"a": "b"}),
        DistributionRecord(at=1.0, entity="e", field="f", samples=["x"]),
        LogRecord(at=1.0, entity="s", text="only a line"),
    ])  # fmt: skip
    assert [getattr(record, "attributes", None) or getattr(record, "samples", None) for record in bare] == [
        None,
        [],
        None,
    ]
    assert not guard(rules=()).texts


@given(st.dictionaries(st.text(max_size=20), st.text(max_size=40), max_size=5), st.text(max_size=80))
def test_whatever_stands_in_it_a_record_can_be_kept(labels: dict[str, str], text: str) -> None:
    record = AlertRecord(
        at=1.0, status="firing", labels={**labels, "user_id": text}, annotations={"a": f"{MAIL} {text}"}
    )
    try:
        msgspec.msgpack.encode(record)
    except UnicodeEncodeError:
        return
    told = one(record)
    assert MAIL not in str(told)
    msgspec.msgpack.decode(msgspec.msgpack.encode(told), type=AlertRecord)


def test_attributes_that_are_to_be_kept_are_left_alone_by_patterns_as_well() -> None:
    guard = Guard(PrivacyRules(key=b"k" * 32, rules=RULES, keep=("owner",)))
    record = EntityRecord(at=1.0, entity="service/pay", owner=MAIL, labels={"owner": MAIL, "by": MAIL})
    (told,) = guard.records([record])
    assert isinstance(told, EntityRecord)
    assert (told.owner, told.labels["owner"]) == (MAIL, MAIL), "pages of its owner would go to nobody"
    assert told.labels["by"] != MAIL
