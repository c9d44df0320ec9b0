"""Lines over OTLP: counted statements by entity and severity, without what varies in them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from connectors.otlp_payloads import attributes, both, logs, ns, value_of
from quell.model.records import LogRecord, SamplesRecord
from quell.sdk.testkit import NOW


def line(body: Any, *, ago: float = 5.0, severity: int = 9, told: dict[str, Any] | None = None, **more: Any) -> Any:
    body = {} if body is None else {"body": value_of(body)}
    return {
        "timeUnixNano": str(ns(ago)),
        "severityNumber": severity,
        **body,
        "attributes": attributes(told or {}),
        **more,
    }


def found(received: Any) -> list[tuple[str, str, int]]:
    return [(one.template, one.severity, one.count) for one in received.records if isinstance(one, LogRecord)]


def test_lines_that_differ_in_what_varies_are_one_statement() -> None:
    bodies = [f'user 4711{n} <ana{n}@example.org> paid 12.{n} from "Ana Smith"' for n in range(50)]
    got = both("logs", logs("web", *(line(body, ago=3.0 + n / 100) for n, body in enumerate(bodies))))
    [told] = [one for one in got.records if isinstance(one, LogRecord)]
    assert (told.entity, told.severity, told.count) == ("service/web", "info", 50)
    assert "paid" in told.template
    assert not {"Ana", "example"} & set(told.template.replace("@", " ").replace('"', " ").split())
    assert told.text == ""
    assert told.at == pytest.approx(NOW - 3.49)
    assert told.over_s == pytest.approx(0.49)


@pytest.mark.parametrize(
    ("number", "text", "severity"),
    [(17, "", "error"), (20, "", "error"), (21, "", "fatal"), (13, "x", "warning"), (9, "", "info"), (1, "", "trace"),
     (0, "WARN", "warning"), (0, "Critical", "fatal"), (0, "", "")],
)  # fmt: skip
def test_severities(number: int, text: str, severity: str) -> None:
    got = both("logs", logs("web", line("boom", severity=number, severityText=text)))
    assert found(got) == [("boom", severity, 1)]


@pytest.mark.parametrize(
    ("body", "told", "template"),
    [
        ({"msg": "cache miss", "user": "ana"}, {}, "cache miss"),
        ({"user": "ana", "amount": 3}, {}, "amount user"),
        (["a", "b"], {}, "a b"),
        (None, {"exception.type": "KeyError", "exception.message": "'ana'"}, "KeyError : <*>"),
        ("failed", {"exception.type": "KeyError"}, "failed KeyError"),
        (None, {"event.name": "device.opened"}, "device.opened"),
        (True, {}, "True"),
    ],
)
def test_bodies_of_every_kind(body: Any, told: dict[str, Any], template: str) -> None:
    assert found(both("logs", logs("web", line(body, told=told)))) == [(template, "info", 1)]


def test_a_sample_of_a_line_is_kept_only_where_it_is_asked_for() -> None:
    listed = logs("web", line("paid 7 by ana"), line("paid 6 by ana", ago=6.0))
    [told] = [one for one in both("logs", listed, log_samples=True).records if isinstance(one, LogRecord)]
    assert (told.template, told.text, told.count) == ("paid <*> by ana", "paid 6 by ana", 2)


def test_what_is_wrong_with_lines_is_said_and_counted() -> None:
    got = both("logs", logs("web", line("old", ago=9000), line(None), line("good"), {"body": value_of("no time")}))
    told = msgspec.json.decode(got.reply.body)["partialSuccess"]
    assert told["rejectedLogRecords"] == "3"
    assert found(got) == [("good", "info", 1)]


def test_the_time_of_observation_stands_in() -> None:
    got = both("logs", logs("web", {"observedTimeUnixNano": str(ns()), "body": value_of("late")}))
    assert [one.at for one in got.records if isinstance(one, LogRecord)] == [NOW - 5]


def test_too_many_statements_are_counted_together_and_errors_last() -> None:
    words = [f"{a}{b}{c}" for a in "bcdfghjk" for b in "aeiou" for c in "lmnprstvwxyzqkjh"]
    listed = [line(word, ago=4.0) for word in words] + [line("disk is full", severity=17, ago=4.0)]
    got = both("logs", logs("web", *listed))
    counted = found(got)
    assert sum(count for _, _, count in counted) == len(words) + 1
    assert len(counted) <= 501
    assert ("disk is full", "error", 1) in counted
    assert any(template == "(other lines)" for template, _, _ in counted)


def test_evaluations_are_scores_of_their_model() -> None:
    told = {"gen_ai.evaluation.name": "toxicity", "gen_ai.evaluation.score.value": 0.5, "gen_ai.request.model": "m"}
    event = line(None, told=told, eventName="gen_ai.evaluation.result")
    bare = line(None, told={"gen_ai.evaluation.name": "x"}, eventName="gen_ai.evaluation.result")
    got = both("logs", logs("bot", event, event, bare))
    tables = {one.entity: one.values for one in got.records if isinstance(one, SamplesRecord)}
    assert tables["model/m"] == {"gen_ai_evaluation{name=toxicity}": [0.5]}
    assert tables["service/bot"] == {"otlp_rejected{reason=no_value,signal=logs}": [1.0]}
