"""Prediction logs: the real helper against a real daemon; what is counted, what is refused, and what is never kept."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.parts import TOKEN, loaded, running, source
from quell.config import Loaded
from quell.core.engine import Engine
from quell.daemon.clock import Clock
from quell.daemon.serve import restored
from quell.emit import Emitter
from quell.errors import Misconfigured
from quell.model.detect import Behaviour, DetectRule
from quell.model.distribution import Distribution, of_record, together
from quell.model.prediction import schema
from quell.model.records import AnyRecord, CallRecord, DistributionRecord, SampleRecord
from quell.model.rulebook import Rulebook
from quell.sdk.connector import Context, Received, Request
from quell.sdk.fakes import FakeHttp
from quell.sdk.secret import Secret
from quell.sdk.testkit import NOW
from quell_connectors.predictions import Predictions
from quell_connectors.predictions.privacy import looks_like

PERSONAL = ("jane.doe@example.org", "+49 170 1234567", "4111 1111 1111 1111", "Jane Doe", "r-4711-secret")


def receiver(**options: Any) -> Predictions:
    return Predictions(options, Context(source="predictions", http=FakeHttp()))


def take(*events: Any, to: Predictions | None = None, now: float = NOW, **headers: str) -> Received:
    body = "\n".join(json.dumps(event) for event in events).encode()
    kind = {"content-type": "application/x-ndjson", **headers}
    return (to or receiver()).receive(Request("POST", "/in/predictions", body, kind), now)


def field(received: Received, name: str, segment: str = "", model: str = "fraud") -> DistributionRecord:
    (found,) = (
        one
        for one in received.records
        if isinstance(one, DistributionRecord)
        and (one.field, one.segment, one.entity) == (name, segment, f"model/{model}")
    )
    return found


def told(received: Received) -> dict[str, Any]:
    answer: dict[str, Any] = msgspec.json.decode(received.reply.body)
    return answer


def test_a_prediction_becomes_counts_by_model_version_segment_and_minute() -> None:
    one = {"model": "fraud", "version": "7", "score": 0.9, "label": "yes", "latency_s": 0.2, "region": "eu",
           "segment": {"age": "18-25"}, "features": {"amount": 12.5, "country": "DE", "vip": True}}  # fmt: skip
    got = take(one, {**one, "score": 0.1, "label": "no", "latency_s": 0.4})
    assert told(got) == {"accepted": 2, "refused": 0, "rejected": []}
    score = field(got, "score")
    assert (score.count, score.version, score.over_s, score.at % 60) == (2, "7", 60.0, 0.0)
    assert of_record(score).numbers.mean == pytest.approx(0.5)
    assert field(got, "label").categories == {"no": 1, "yes": 1}
    assert field(got, "positive", "region=eu").categories == {"false": 1, "true": 1}
    assert field(got, "positive", "age=18-25").count == 2
    assert field(got, "country").categories == {"DE": 2}
    assert field(got, "vip").type == "bool"
    (call,) = (one for one in got.records if isinstance(one, CallRecord))
    assert (call.entity, call.count, call.mean_s) == ("model/fraud", 2, pytest.approx(0.3))


def test_a_label_is_counted_beside_what_was_predicted() -> None:
    label = {"kind": "label", "model": "fraud", "score": 0.8}
    got = take(
        {**label, "label": True},
        {**label, "label": False, "by": "human"},
        {"kind": "label", "model": "fraud", "predicted": "b", "confidence": 0.6, "label": "c", "region": "eu"},
    )
    assert field(got, "agreement").categories == {"false": 2, "true": 1}
    assert field(got, "agreement.human").categories == {"false": 1}
    assert field(got, "agreement", "region=eu").categories == {"false": 1}
    assert field(got, "confusion").categories == {"false positive": 1, "true negative": 1, "true positive": 1}
    assert field(got, "calibration.true").count == 1
    assert field(got, "calibration.false").count == 2


def test_an_outcome_is_a_point_of_the_kpi() -> None:
    got = take({"kind": "outcome", "kpi": "approvals", "value": 3, "at": "2026-03-01T08:00:00Z"})
    (record,) = got.records
    assert isinstance(record, SampleRecord)
    assert (record.entity, record.metric, record.value, record.at) == ("kpi/approvals", "approvals", 3.0, 1772352000.0)


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ({"model": "m", "score": "0.9"}, "line 1: score: expected a number"),
        ({"model": "m", "score": [1]}, "line 1: score: expected a number"),
        ({"model": "m", "scroe": 0.9}, "line 1: Object contains unknown field `scroe`"),
        ({"score": 0.9}, "line 1: Object missing required field `model`"),
        ({"model": "", "score": 0.9}, "line 1: model: Expected `str` of length >= 1"),
        ({"model": "m", "features": {"a": {"b": 1}}}, "line 1: features.a: expected true or false or a number or text"),
        ({"model": "m", "at": "yesterday"}, "line 1: at: expected RFC 3339 text or seconds since 1970"),
        ({"model": "a\nb"}, "line 1: model: expected printable text"),
        ({"kind": "metric"}, "line 1: kind: expected prediction, label or outcome"),
        (7, "line 1: expected an object"),
        ({"kind": "label", "model": "m", "label": 1}, "line 1: predicted: expected what was predicted"),
        ({"kind": "label", "model": "m", "label": None, "score": 1}, "line 1: label: expected what"),
        ({"kind": "outcome", "kpi": "k", "value": None}, "line 1: value: expected a number"),
    ],
)
def test_what_cannot_be_read_says_which_field_and_what_was_expected(event: Any, reason: str) -> None:
    got = take(event, {"model": "fraud", "score": 0.5})
    assert told(got)["accepted"] == 1
    assert told(got)["rejected"][0].startswith(reason), told(got)
    assert all(one.private for one in got.rejected)
    assert take(event).reply.status == 400


def test_nan_is_missing_and_never_zero() -> None:
    lines = b"""{"model":"fraud","score":NaN,"features":{"a":NaN,"b":"Infinity"}}
{"model":"fraud","score":null,"features":{"a":null}}
{"model":"fraud","score":"NaN"}
{"model":"fraud","score":-Infinity}
{"model":"fraud","score":0.5,"features":{"a":1}}
{"kind":"outcome","kpi":"k","value":NaN}"""
    got = receiver().receive(Request("POST", "/in/predictions", lines, {}), NOW)
    score = field(got, "score")
    assert (score.count, score.nulls, score.bad, score.zero) == (5, 3, 1, 0)
    assert (field(got, "a").count, field(got, "a").nulls, field(got, "a").zero) == (3, 2, 0)
    assert field(got, "b").bad == 1
    assert told(got)["rejected"] == ["line 6: value: expected a number"]


@pytest.mark.parametrize(
    ("body", "kind", "accepted"),
    [
        (b'[{"model":"m","score":1},{"model":"m","score":0}]', "application/json", 2),
        (b'{\n "model": "m",\n "score": 1\n}', "application/json", 1),
        (b'{"model":"m","score":1}\n\n{"model":"m","score":0}\n', "application/json", 2),
        (b'{"model":"m","score":1}\n{"model":', "", 1),
        (b'{"model":"m","score":1}\n\xff\xfe\n', "application/x-ndjson", 1),
        (b"[", "application/json", 0),
        (b"", "application/json", 0),
        (b"[]", "application/json", 0),
        (b"\n".join([b"{}"] * 10_001), "application/x-ndjson", 0),
    ],
)
def test_bodies(body: bytes, kind: str, accepted: int) -> None:
    got = receiver().receive(Request("POST", "/in/predictions", body, {"content-type": kind}), NOW)
    assert told(got)["accepted"] == accepted
    assert got.reply.status == (200 if accepted else 400)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300) | st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=10) | st.integers(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(["kind", "model", "score", "features", "at", "label", "segment", "kpi", "value", "x"]), inner,
        max_size=5,
    ), max_leaves=12,
).map(lambda value: json.dumps(value).encode()))  # fmt: skip
def test_nothing_that_is_posted_breaks_it(body: bytes) -> None:
    got = receiver().receive(Request("POST", "/in/predictions", body, {}), NOW)
    assert got.reply.status in {200, 400}
    assert bool(got.rejected) or told(got)["accepted"]


# Order and batches

EVENT = st.fixed_dictionaries(
    {"model": st.sampled_from(["fraud", "churn"]), "at": st.integers(int(NOW) - 200, int(NOW))},
    optional={
        "score": st.sampled_from([0.0, 0.25, 0.5, 1.0, None]),
        "label": st.sampled_from(["yes", "no", True, 1]),
        "region": st.sampled_from(["eu", "us"]),
        "refusal": st.booleans(),
        "features": st.dictionaries(
            st.sampled_from(["amount", "country"]), st.sampled_from([1, 2.5, "DE", "FR", True, None, "NaN"])
        ),
    },
)


def whole(records: Sequence[AnyRecord]) -> dict[tuple[str, str, str, float], Distribution]:
    parts: dict[tuple[str, str, str, float], list[Distribution]] = {}
    for one in records:
        if isinstance(one, DistributionRecord):
            parts.setdefault((one.entity, one.field, one.segment, one.at), []).append(of_record(one))
    return {key: together(found) for key, found in parts.items()}


@settings(max_examples=40, deadline=None)
@given(st.lists(EVENT, min_size=1, max_size=12), st.integers(1, 12), st.randoms())
def test_it_does_not_matter_in_what_order_or_pieces_predictions_come(events: list[Any], size: int, chance: Any) -> None:
    at_once = whole(take(*events).records)
    mixed = list(events)
    chance.shuffle(mixed)
    pieces: list[AnyRecord] = []
    for start in range(0, len(mixed), size):
        pieces += take(*mixed[start : start + size]).records
    found = whole(pieces)
    assert found.keys() == at_once.keys()
    for key, one in at_once.items():
        assert found[key].count == one.count
        assert found[key].nulls == one.nulls
        if not any(isinstance(event.get("features", {}).get(key[1]), (str, bool)) for event in events):
            assert found[key].numbers.positive == one.numbers.positive


def test_a_delivery_that_is_told_again_has_the_same_ids() -> None:
    event = {"model": "fraud", "score": 0.5, "latency_s": 1, "at": NOW}
    first, again, other = (take(event, **{"idempotency-key": key}) for key in ("a-1", "a-1", "a-2"))
    assert [one.id for one in first.records] == [one.id for one in again.records]
    assert not {one.id for one in first.records} & {one.id for one in other.records}
    assert all(one.id for one in first.records)
    assert not any(one.id for one in take(event).records)


def test_a_post_whose_answer_was_lost_is_counted_once() -> None:
    detect = DetectRule(
        name="Spend", distribution="cost", pooled=True, when=Behaviour(of="spend", above=150.0, volume=30), every_s=60.0
    )
    engine = Engine(Rulebook(version="1", detect=(detect,)))
    for key in ("a-1", "a-1", "a-2"):
        events = [{"model": "chat", "cost": 1.0, "at": NOW}] * 100
        engine.decide(take(*events, **{"idempotency-key": key}).records, NOW + 1)
    engine.decide([], NOW + 120)
    (alert,) = engine.state.alerts.values()
    assert alert.value == pytest.approx(200.0)


# Privacy


def test_what_looks_personal_is_not_kept() -> None:
    got = take(
        {
            "model": "fraud", "request_id": PERSONAL[4], "score": 0.5,
            "segment": {"contact": PERSONAL[0]},
            "features": {
                "contact": PERSONAL[0], "hotline": PERSONAL[1], "paid_with": PERSONAL[2], "name": PERSONAL[3],
                "card": 4111111111111111, "note": "the customer says that he never ordered any of this",
                "since": "2026-03-01", "zip": "10115", "sku": "AB-1234",
            },
        }
    )  # fmt: skip
    text = repr(got)
    assert not [secret for secret in (*PERSONAL, "4111111111111111", "never ordered") if secret in text]
    assert field(got, "contact").categories == {"(email)": 1}
    assert field(got, "hotline").categories == {"(phone)": 1}
    assert field(got, "paid_with").categories == field(got, "card").categories == {"(card)": 1}
    assert field(got, "note").categories == {"(long text)": 1}
    assert field(got, "since").categories == {"2026-03-01": 1}
    assert field(got, "zip").categories == {"10115": 1}
    assert field(got, "sku").categories == {"AB-1234": 1}
    assert "name" not in {one.field for one in got.records if isinstance(one, DistributionRecord)}


def test_keep_drop_and_tokenise() -> None:
    options = {
        "drop": ["internal_*", "/^DE[0-9]{9}$/"], "tokenise": ["merchant", "shop"], "keep": ["name"],
        "secret": Secret("key of tokens"),
    }  # fmt: skip
    one = {"internal_x": 1, "vat": "DE123456789", "merchant": "ACME", "shop": "ACME", "name": "basic plan"}
    got = take({"model": "fraud", "features": one}, to=receiver(**options))
    again = take({"model": "fraud", "features": one}, to=receiver(**options))
    other = take({"model": "fraud", "features": one}, to=receiver(**{**options, "secret": Secret("another")}))
    assert {one.field for one in got.records if isinstance(one, DistributionRecord)} == {"merchant", "shop", "name"}
    assert field(got, "name").categories == {"basic plan": 1}
    (token,) = field(got, "merchant").categories
    assert token.startswith("t_")
    assert token not in field(got, "shop").categories
    assert field(got, "merchant").categories == field(again, "merchant").categories
    assert field(got, "merchant").categories != field(other, "merchant").categories
    assert "ACME" not in repr(got)


def test_what_is_misconfigured_says_so() -> None:
    with pytest.raises(Misconfigured, match='"secret" is missing'):
        receiver(tokenise=["a"])
    with pytest.raises(Misconfigured, match="no regular expression"):
        receiver(drop=["/(/"])


@pytest.mark.parametrize(
    ("value", "looks"),
    [
        ("0170/1234567", "(phone)"), ("+1 (555) 010-9999", "(phone)"), ("5500-0000-0000-0004", "(card)"),
        ("mail me: a@b.co", "(email)"), ("123456789", "(digits)"), ("gold", ""), ("2026-03-01T08:00:00Z", ""),
        (1772352000000, ""), (5500000000000004, "(card)"), (12.5, ""), ("x" * 65, "(long text)"),
    ],
)  # fmt: skip
def test_what_values_look_like(value: Any, looks: str) -> None:
    assert looks_like(value) == looks


def test_features_are_counted_of_the_share_that_is_wanted() -> None:
    half = receiver(contexts=0.5)
    got = take(
        *({"model": "fraud", "request_id": f"r{n}", "score": 0.5, "features": {"a": 1}} for n in range(400)), to=half
    )
    assert 130 < field(got, "a").count < 270
    assert field(got, "score").count == 400
    none = take({"model": "fraud", "features": {"a": 1}}, to=receiver(contexts=0.0))
    assert none.records == []


def test_more_segments_than_are_counted_apart_are_in_the_whole() -> None:
    events = [{"model": "fraud", "score": 0.5, "segment": {"user": f"u{n}"}} for n in range(50)]
    got = take(*events, to=receiver(segments=5))
    segments = {one.segment for one in got.records if isinstance(one, DistributionRecord)}
    assert len(segments) == 6
    assert field(got, "score").count == 50


# With everything real


def test_the_real_helper_tells_a_real_daemon_and_the_detector_finds_it() -> None:
    rules = (
        DetectRule(
            name="ConfidenceFell", distribution="confidence", pooled=True, every_s=60.0,
            when=Behaviour(of="confidence", below=0.7),
        ),
        DetectRule(
            name="UnfairToRegions", distribution="positive", pooled=True, every_s=60.0, impact="fairness",
            when=Behaviour(of="fairness", across="region", above=0.1),
        ),
    )  # fmt: skip

    async def story() -> None:
        settings = loaded(source("predictions", "predictions")).settings
        config = Loaded(settings, Rulebook(version="1", detect=rules))
        clock = Clock(start=NOW)
        async with running(config, restore=restored, kinds={"predictions": Predictions}, clock=clock) as quell:

            def tell() -> Any:
                with Emitter(f"{quell.url}/in/predictions", token=TOKEN) as emit:
                    for number in range(1000):
                        region = "eu" if number % 2 else "us"
                        emit.prediction(
                            model="fraud", version="7", request_id=f"{PERSONAL[4]}-{number}", confidence=0.55,
                            label="yes" if number % (2 if region == "us" else 5) == 0 else "no", region=region,
                            features={"contact": PERSONAL[0], "amount": number}, at=NOW + number / 100,
                        )  # fmt: skip
                        emit.label(f"{PERSONAL[4]}-{number}", "no", at=NOW + number / 100)
                    emit.outcome(kpi="approvals", value=3, at=NOW)
                    assert emit.flush(60)
                return emit.counts

            counts = await asyncio.to_thread(tell)
            assert (counts.sent, counts.dropped, counts.refused, counts.unjoined) == (2001, 0, 0, 0)
            await quell.settled()
            clock.not_before(NOW + 120)
            await quell.post("/in/predictions", {"model": "other", "score": 0.5}, authorization=f"Bearer {TOKEN}")
            state = quell.daemon.loop.decider.state
            await quell.until(lambda: len([one for one in state.alerts.values() if one.firing]) == 2)
            found = {one.labels["alertname"]: one for one in state.alerts.values()}
            assert found["ConfidenceFell"].entity == "model/fraud"
            assert "of 1,000 predictions is 0.55" in found["ConfidenceFell"].annotations["description"]
            assert found["UnfairToRegions"].labels["impact"] == "fairness"
            # Parts that cannot be read are kept without what is in them.
            status, answer = await quell.post(
                "/in/predictions", {"model": "m", "mail": PERSONAL[0], "score": 1}, authorization=f"Bearer {TOKEN}"
            )
            assert (status, answer["rejected"]) == (400, ["event: Object contains unknown field `mail`"])
            (entry,) = quell.store.quarantine()
            assert entry.payload == b'{"model":"(str)","mail":"(str)","score":"(int)"}'
            kept = repr([*quell.store.groups_after(0)]) + repr(quell.store.quarantine())
            assert "region=eu" in kept
            assert not [secret for secret in PERSONAL if secret in kept]

    asyncio.run(story())


def test_the_schema_that_others_post_by_is_that_which_is_read() -> None:
    parts = schema()["$defs"]
    assert set(parts) == {"PredictionEvent", "LabelEvent", "OutcomeEvent"}
    assert parts["PredictionEvent"]["required"] == ["kind", "model"]
    assert parts["PredictionEvent"]["additionalProperties"] is False
