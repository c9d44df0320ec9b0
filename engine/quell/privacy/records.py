"""Records without what is personal in them, before anything of them is kept."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from quell.model.alert import OF_LABELS
from quell.model.records import (
    AlertRecord,
    AnyRecord,
    CallRecord,
    CommandRecord,
    DistributionRecord,
    LogRecord,
    SampleRecord,
    SamplesRecord,
    SpanRecord,
    StepFinished,
    Tick,
    TotalsRecord,
)
from quell.privacy.rules import PrivacyRules
from quell.privacy.texts import Texts

_FIXED: Final = frozenset({
    "kind", "source", "status", "type", "verdict", "outcome", "failure", "verb", "commit", "unit",
    "severity", "by", "trace", "span", "parent", "columns", "version", "previous", "revision",
})  # fmt: skip
"""Attributes of records in which nothing personal can stand, and who of one's own people acted.

A version such as 1.2.3.4 is no address.
"""
_NAMES: Final = frozenset({
    "id", "key", "entity", "from", "to", "caller", "metric", "field", "target", "instance", "incident", "alert",
    "suggestion", "run",
})  # fmt: skip
"""Attributes that tell things apart: what is personal in them becomes a token, whatever the rule says."""
_FIELDS: Final = frozenset({"author", "promoted_by", "owner", "summary", "diff", "url", "title", "note", "text"})
"""Attributes that rules may name like a label."""
_ARGS_FIXED: Final = frozenset({"incident", "alerts", "answers", "status", "to", "there", "echo", "dry", "seconds"})
_SILENCE_TEXTS: Final = frozenset({"comment"})
_WORDS: Final = re.compile(r"\(?((?:[\w@ -]|\\[.\-+@])+(?:\|(?:[\w@ -]|\\[.\-+@])+)*)\)?")
"""An expression that is nothing but values, one or the other."""
_ENCODE: Final = msgspec.json.Encoder().encode
_SORTED: Final = msgspec.json.Encoder(order="sorted").encode
_NUMBERS: Final = frozenset({SampleRecord, SamplesRecord, TotalsRecord, DistributionRecord})
_SHARE: Final = 1 << 64


class Guard:
    """Takes out of records what the rules call personal. Pure; where nothing is suspected it costs one look."""

    def __init__(self, rules: PrivacyRules) -> None:
        self.texts = Texts(rules) if rules.rules else None
        self._contexts = rules.contexts

    def records(self, records: Sequence[AnyRecord]) -> Sequence[AnyRecord]:
        """The same records, fit to be kept; a record of which nothing may stay is not among them."""
        told = self._sampled(records) if self._contexts < 1.0 else records
        if self.texts is None or not told or not self._suspects(told):
            return told
        kept = []
        for record in told:
            if len(told) > 1 and not self._suspects((record,)):
                kept.append(record)
            elif (one := self._one(self.texts, record)) is not None:
                kept.append(one)
        return kept

    def _suspects(self, records: Sequence[AnyRecord]) -> bool:
        assert self.texts is not None
        try:
            looked = [_looked_at(record) if type(record) in _NUMBERS else record for record in records]
            return self.texts.suspects(_ENCODE(looked))
        except (TypeError, ValueError, OverflowError, RecursionError):
            return True  # whoever writes it will say what is wrong with it

    def _one(self, texts: Texts, record: AnyRecord) -> AnyRecord | None:
        if isinstance(record, Tick):
            return record
        if isinstance(record, (SampleRecord, SamplesRecord, TotalsRecord, CallRecord)):
            return _measured(texts, record)
        if isinstance(record, DistributionRecord):
            return _distribution(texts, record)
        if isinstance(record, CommandRecord):
            return replace(record, args=_arguments(texts, record.args))
        if isinstance(record, StepFinished):
            output = texts.named(record.output)
            return replace(record, output=output, sentence=texts.text(record.sentence), error=texts.text(record.error))
        document = msgspec.to_builtins(record, str_keys=True)
        told: AnyRecord = msgspec.convert(_attributes(texts, document), type(record))
        if isinstance(record, AlertRecord) and isinstance(told, AlertRecord) and not record.key:
            return replace(told, key=_identity(texts, record.labels, told.labels))
        return told

    # Sampling

    def _sampled(self, records: Sequence[AnyRecord]) -> Sequence[AnyRecord]:
        return [one for record in records if (one := self._context(record)) is not None]

    def _context(self, record: AnyRecord) -> AnyRecord | None:
        """Without its raw context, unless its request is among those of which that is kept. Counts always stay."""
        if isinstance(record, LogRecord) and record.text and not self._chosen(record.id or record.text):
            return replace(record, text="") if record.template else record
        if isinstance(record, DistributionRecord) and record.samples:
            by = record.id or f"{record.entity} {record.field} {record.at}"
            return record if self._chosen(by) else replace(record, samples=[])
        if isinstance(record, SpanRecord) and record.attributes and not self._chosen(record.trace):
            return replace(record, attributes={})
        return record

    def _chosen(self, name: str) -> bool:
        return chosen(name, self._contexts)


def chosen(name: str, share: float) -> bool:
    """Whether a request is among a ``share`` of all; always the same for the same name."""
    digest = blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest) < share * _SHARE


def _looked_at(record: AnyRecord) -> Any:
    """What texts may stand in: of a table of numbers its names, not the numbers."""
    if isinstance(record, SamplesRecord):
        return record.source, record.id, record.entity, list(record.values)
    if isinstance(record, (SampleRecord, TotalsRecord)):
        names = list(record.values) + list(record.histograms) if isinstance(record, TotalsRecord) else record.metric
        return record.id, record.entity, getattr(record, "instance", ""), names
    if isinstance(record, DistributionRecord):
        return (record.id, record.entity, record.field, list(record.categories), record.version, record.segment,
                record.samples)  # fmt: skip
    return record


def _identity(texts: Texts, labels: Mapping[str, str], kept: Mapping[str, str]) -> str:
    """The key of an alert whose labels as they are kept no longer tell it apart from others; "" where they do.

    One token for all of them, so that nobody can tell which of two alerts speak of the same person.
    """
    apart = {texts.name(name): texts.identity(name, value) for name, value in labels.items()}
    return "" if apart == kept else OF_LABELS + texts.token(_SORTED(apart).decode())


def _measured(texts: Texts, record: SampleRecord | SamplesRecord | TotalsRecord | CallRecord) -> AnyRecord:
    name = texts.name
    if isinstance(record, CallRecord):
        return replace(
            record, id=name(record.id), entity=name(record.entity), caller=name(record.caller),
            operation=name(record.operation),
        )  # fmt: skip
    if isinstance(record, SampleRecord):
        return replace(record, id=name(record.id), entity=name(record.entity), metric=name(record.metric))
    values: dict[str, Any] = {name(metric): value for metric, value in record.values.items()}
    told = replace(record, id=name(record.id), entity=name(record.entity), values=values)
    if isinstance(told, TotalsRecord):
        histograms = {name(metric): value for metric, value in told.histograms.items()}
        return replace(told, instance=name(told.instance), histograms=histograms)
    return told


def _distribution(texts: Texts, record: DistributionRecord) -> DistributionRecord | None:
    """Counts of a personal field: of texts by their tokens; of numbers only how many there were, missing and bad ones.

    For buckets of numbers are the values, and their tokens would be guessed by trying all numbers that there may be.
    """
    do = texts.rule_of(record.field)
    told = replace(
        record, id=texts.name(record.id), entity=texts.name(record.entity), field=texts.name(record.field),
        segment=texts.name(record.segment),
    )  # fmt: skip
    if do is None:
        categories = _counted(record.categories, texts.name)
        return replace(told, categories=categories, samples=[texts.text(one) for one in record.samples])
    if do == "drop":
        return None
    if not (record.type in {"text", "bool"} or record.categories):
        return replace(told, samples=[], zero=0, positive=[], negative=[], low=None, high=None, total=0.0)
    if do == "mask":
        known = sum(record.categories.values()) + record.other
        return replace(told, samples=[], categories={f"({record.field})": known} if known else {}, other=0,
                       hashed=False)  # fmt: skip
    categories = record.categories if record.hashed else _counted(record.categories, texts.token)
    return replace(told, samples=[], categories=categories)


def _counted(categories: Mapping[str, int], name: Callable[[str], str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for text, count in categories.items():
        told = name(text)
        counts[told] = counts.get(told, 0) + count
    return counts


def _attributes(texts: Texts, document: dict[str, Any]) -> dict[str, Any]:
    """A record as JSON has it; what its kind needs stays."""
    told: dict[str, Any] = {}
    for name, value in document.items():
        if name in _FIXED:
            told[name] = value
        elif isinstance(value, str) and name in _NAMES:
            told[name] = texts.name(value)
        elif isinstance(value, str) and name in _FIELDS:
            told[name] = texts.value(name, value) or ""
        elif isinstance(value, (int, float)):
            told[name] = value
        elif isinstance(value, Mapping) and name == "inputs":
            told[name] = {texts.name(entity): version for entity, version in value.items()}
        else:
            told[name] = texts.anything(value)
    return told


def _arguments(texts: Texts, args: Mapping[str, Any]) -> dict[str, Any]:
    """Of a command: what people wrote, and the conditions of a silence, so that it fits alerts as they are kept."""
    told: dict[str, Any] = {}
    for name, value in args.items():
        if name in _ARGS_FIXED:
            told[name] = value
        elif name == "silence" and isinstance(value, Mapping):
            told[name] = _silence(texts, value)
        else:
            told[name] = texts.anything(value)
    return told


def _silence(texts: Texts, silence: Mapping[str, Any]) -> dict[str, Any]:
    told = {name: texts.text(value) if name in _SILENCE_TEXTS else value for name, value in silence.items()}
    matchers = silence.get("matchers")
    if isinstance(matchers, (list, tuple)):
        told["matchers"] = [_matcher(texts, one) if isinstance(one, Mapping) else one for one in matchers]
    return told


def _matcher(texts: Texts, matcher: Mapping[str, Any]) -> dict[str, Any]:
    """One on a field that is masked or dropped fits nothing any more; it must not fit everything instead."""
    value = matcher.get("value")
    if not isinstance(value, str) or not value:
        return dict(matcher)
    if not matcher.get("isRegex"):
        known = texts.rule_of(str(matcher.get("name"))) is not None
        return {**matcher, "value": texts.token(value) if known else texts.name(value)}
    if texts.rule_of(str(matcher.get("name"))) is not None and (words := _WORDS.fullmatch(value)):
        told = "|".join(texts.token(_plain(word)) for word in words[1].split("|"))
        return {**matcher, "value": f"({told})" if value[0] == "(" else told}
    # An expression stays one: what is personal in it becomes a token, which is a plain word.
    plain = _plain(value)
    told = texts.name(plain)
    return {**matcher, "value": value if told == plain else told}


def _plain(expression: str) -> str:
    return expression.replace("\\.", ".").replace("\\-", "-").replace("\\+", "+").replace("\\@", "@")
