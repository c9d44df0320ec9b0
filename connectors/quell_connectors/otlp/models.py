"""What models cost and how they do, from spans and metrics by the conventions for generative AI.

All of it are samples of ``model/NAME``. Names with dots are the sender's own metrics; those made here have none:

| sample | |
| --- | --- |
| gen_ai_calls, gen_ai_errors | spans that asked it, and how many failed |
| gen_ai_duration | seconds they took on average |
| gen_ai_input_tokens, gen_ai_output_tokens | as the spans told |
| gen_ai_cost{currency=…,from=spans} | by the table of prices |
| gen_ai_cost{currency=…,from=metrics,tokens=input or output} | the same, by metrics |
| gen_ai_cost_unknown{from=…} | calls (from metrics: tokens) whose price nobody has told: never a silent zero |
| gen_ai_evaluation{name=…}, gen_ai_evaluation_label{label=…,name=…} | mean score, and how many were judged so |
| gen_ai_evaluation_errors{name=…} | evaluations that failed themselves |

The names are those of OpenTelemetry's conventions for generative AI, of their earlier versions, and of OpenInference
and OpenLLMetry where they differ.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from quell_connectors.otlp.prices import PER, Price, Prices
from quell_connectors.otlp.samples import Table
from quell_connectors.otlp.series import named
from quell_connectors.otlp.spans import MINUTE, Sort
from quell_connectors.otlp.tally import Tally
from quell_connectors.otlp.wire import NANO, Encoding, Scalar, number_of, text_of

_INPUT = (
    "gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt", "llm.usage.prompt_tokens",
)  # fmt: skip
_OUTPUT = (
    "gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.token_count.completion",
    "llm.usage.completion_tokens",
)  # fmt: skip
_CACHED = (
    "gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_read_input_tokens", "gen_ai.usage.input_tokens.cached",
    "llm.token_count.prompt_details.cache_read",
)  # fmt: skip
"""Those that were read from a cache, and those that were written to it, are among the tokens that were read."""
_CACHING = (
    "gen_ai.usage.cache_write.input_tokens", "gen_ai.usage.cache_creation.input_tokens",
    "gen_ai.usage.cache_creation_input_tokens", "gen_ai.usage.input_tokens.cache_write",
    "llm.token_count.prompt_details.cache_write",
)  # fmt: skip
_TOKENS = frozenset(name.encode() for name in (*_INPUT, *_OUTPUT, *_CACHED, *_CACHING))
_EVALUATION = "gen_ai.evaluation."
"""How the names of events begin that tell what a response was judged; all but the first versions add "result"."""
COUNTERS: Mapping[str, str] = {
    "gen_ai.client.inference.usage.input_tokens": "input",
    "gen_ai.client.inference.usage.output_tokens": "output",
}
"""Metrics that count tokens of one type each; before there was one histogram for all, `TOKENS`."""
TOKENS = "gen_ai.client.token.usage"
_UNKNOWN = "gen_ai_cost_unknown"


@dataclass(slots=True)
class _Used:
    """What the spans of one model, currency and minute add up to."""

    calls: int = 0
    errors: int = 0
    took: int = 0
    last: int = 0
    unknown: int = 0
    input: list[float] = field(default_factory=list)
    output: list[float] = field(default_factory=list)
    cost: dict[str, list[float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Cost:
    """A value of a series, and the price it was made with."""

    series: str
    value: float
    price: str


class Meter:
    """Prices and counts the use of models."""

    def __init__(self, prices: Prices, source: str, tally: Tally) -> None:
        self.source = source
        self._prices = prices
        self._tally = tally

    def spans_told(self, encoding: Encoding, table: Table, metered: Iterable[tuple[Sort, int, int, bool, Any]]) -> None:
        """Takes spans that asked models: sort, end, duration, whether it failed, and the span."""
        used: dict[tuple[str, int], _Used] = {}
        for sort, end, took, failed, span in metered:
            peer = sort.peer
            assert peer is not None
            told = dict(encoding.pairs(encoding.picked(span.attributes, _TOKENS)))
            one = used.setdefault((peer.model, end // MINUTE), _Used())
            one.calls += 1
            one.errors += failed
            one.took += took
            one.last = max(one.last, end)
            self._priced(one, (peer.priced, peer.model), end, told)
            for raw in span.events:
                name, attributes = encoding.event(raw)
                if is_evaluation(name):
                    judged = dict(encoding.pairs(attributes))
                    self.evaluated(table, judged, f"model/{peer.model}", end, event=name)
        for (model, _), one in used.items():
            self._put(table, model, one)

    def cost_of(self, model: str, kind: str, at: int, tokens: float) -> Cost:
        """What tokens cost that a metric tells of, at a time in nanoseconds; or that nobody knows."""
        price = self._prices.of((model,), at / NANO)
        if price is None:
            self._note(model)
        if price is None or kind not in {"input", "output"}:
            return Cost(named(_UNKNOWN, "from=metrics"), tokens, "")
        each = price.input if kind == "input" else price.output
        series = named("gen_ai_cost", f"currency={price.currency}", "from=metrics", f"tokens={kind}")
        return Cost(series, tokens * each / PER, f"{each:g}")

    def evaluated(self, table: Table, told: Mapping[str, Scalar], entity: str, at: int, *, event: str) -> None:
        """Takes the result of an evaluation of a response."""
        named_by = event.removeprefix(_EVALUATION)
        unnamed = "unnamed" if named_by == "result" else named_by
        name = f"name={text_of(told.get('gen_ai.evaluation.name') or unnamed)}"
        score = number_of(told.get("gen_ai.evaluation.score.value", told.get("gen_ai.evaluation.score", "")))
        if score is not None:
            table.put(entity, named("gen_ai_evaluation", name), at, score, mean=True)
        label = told.get("gen_ai.evaluation.score.label") or told.get("gen_ai.evaluation.label")
        if label:
            table.put(entity, named("gen_ai_evaluation_label", f"label={text_of(label)}", name), at, 1.0)
        failed = score is None and bool(told.get("error.type"))
        if failed:
            table.put(entity, named("gen_ai_evaluation_errors", name), at, 1.0)
        if score is None and not label and not failed:
            self._tally.reject(entity, "no_value", f'evaluation "{name[5:85]}"')

    def _priced(self, one: _Used, models: tuple[str, str], end: int, told: Mapping[str, Scalar]) -> None:
        read, written = _tokens(told, _INPUT), _tokens(told, _OUTPUT)
        if read is None and written is None:
            one.unknown += 1
            self._note_tokens(models[1])
            return
        one.input.append(read or 0.0)
        one.output.append(written or 0.0)
        price = self._prices.of(models, end / NANO)
        if price is None:
            one.unknown += 1
            self._note(models[1])
            return
        cached, caching = _tokens(told, _CACHED) or 0.0, _tokens(told, _CACHING) or 0.0
        cost = _cost(price, read or 0.0, written or 0.0, cached, caching)
        one.cost.setdefault(price.currency, []).append(cost)

    def _put(self, table: Table, model: str, one: _Used) -> None:
        entity, at = f"model/{model}", one.last
        table.put(entity, "gen_ai_calls", at, float(one.calls))
        table.put(entity, "gen_ai_errors", at, float(one.errors))
        table.put(entity, "gen_ai_duration", at, one.took / one.calls / NANO, mean=True)
        if one.input:
            table.put(entity, "gen_ai_input_tokens", at, sum(sorted(one.input)))
            table.put(entity, "gen_ai_output_tokens", at, sum(sorted(one.output)))
        for currency, costs in sorted(one.cost.items()):
            name = named("gen_ai_cost", f"currency={currency}", "from=spans")
            table.put(entity, name, at, sum(sorted(costs)))
        if one.unknown:
            table.put(entity, named(_UNKNOWN, "from=spans"), at, float(one.unknown))

    def _note(self, model: str) -> None:
        self._tally.note(
            f'the cost of model "{model[:80]}" is not known: name it in the prices of source "{self.source}"'
        )

    def _note_tokens(self, model: str) -> None:
        self._tally.note(f'the cost of model "{model[:80]}" is not known: its spans tell no tokens')


def _tokens(told: Mapping[str, Scalar], names: tuple[str, ...]) -> float | None:
    numbers = (number_of(told[name]) for name in names if name in told)
    return next((number for number in numbers if number is not None and number >= 0), None)


def _cost(price: Price, read: float, written: float, cached: float, caching: float) -> float:
    cached = min(cached, read)
    caching = min(caching, read - cached)
    plain = read - cached - caching
    cost = plain * price.input + cached * price.cached_input + caching * price.cache_write + written * price.output
    return cost / PER


def is_evaluation(event: str) -> bool:
    """Whether an event tells what a response was judged."""
    return event.startswith(_EVALUATION)
