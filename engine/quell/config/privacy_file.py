"""``privacy:`` in quell.yaml: what is personal, and what becomes of it before anything is kept or told."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from msgspec.structs import replace
from pydantic import Field

from quell.config.complaints import did_you_mean
from quell.config.fields import Shape
from quell.config.nodes import Document
from quell.config.options import Unfit
from quell.config.secrets import Secrets
from quell.config.settings import Source
from quell.errors import ExpressionError, Problem
from quell.expressions.personal import KINDS, own
from quell.model.playbook import Place
from quell.privacy.rules import Do, Personal, PrivacyRules
from quell.sdk.spec import Spec

LEAST_KEY = 16
"""Letters of the secret: from a shorter one tokens could be guessed."""
_GLOB = re.compile(r"[^\s\"'\\=,;{}]{1,100}")
_MOST_RULES = 50
_MOST_ENTRIES = 200
Entries = Annotated[list[str], Field(max_length=_MOST_ENTRIES)]


class PersonalShape(Shape):
    """One rule: what is personal, and what becomes of it."""

    fields: Entries = Field(default=[])
    """Names of labels, annotations, attributes and of values in texts and JSON; globs such as customer_*."""
    patterns: Entries = Field(default=[])
    """What is personal in texts: email, card, iban, phone, ip, or expressions (RE2) between slashes."""
    do: Do = "token"
    """token: a keyed hash, the same for the same value; mask: a word of what it was; drop: nothing."""


class PrivacyShape(Shape):
    """What is personal."""

    secret: str | None = None
    """The key that makes tokens, as env:NAME or file:/path; 16 letters or more. Needed as soon as there is a rule."""
    rules: Annotated[list[PersonalShape], Field(max_length=_MOST_RULES)] = Field(default=[])
    """What is personal; of several rules that name a field the first counts."""
    keep: Entries = Field(default=[])
    """Fields, as globs, and values, as expressions between slashes, that are left alone all the same."""
    contexts: Annotated[float, Field(ge=0, le=1)] = 1.0
    """The share of requests of which raw contexts are kept: lines, attributes of spans, samples of values."""


def read_privacy(document: Document, shape: PrivacyShape, secrets: Secrets, problems: list[Problem]) -> PrivacyRules:
    """The rules; what is wrong with them is added to ``problems``."""
    reader = _Reader(document, problems)
    keep, keep_values = reader.kept(shape.keep)
    return PrivacyRules(
        key=_key(document, shape, secrets, problems),
        rules=tuple(reader.rule(index, rule) for index, rule in enumerate(shape.rules)),
        keep=keep,
        keep_values=keep_values,
        contexts=shape.contexts,
    )


def sampled(sources: Sequence[Source], raw: object, specs: Mapping[str, Spec], share: float) -> tuple[Source, ...]:
    """Sources that have a share of contexts of their own and were not given it take that of all."""
    if share >= 1.0 or not isinstance(raw, dict):
        return tuple(sources)
    told = []
    for source in sources:
        spec = specs.get(source.use)
        entry: Any = raw.get(source.id)
        own_share = spec is not None and any(option.name == "contexts" for option in spec.options)
        if own_share and isinstance(entry, dict) and "contexts" not in entry:
            told.append(replace(source, options={**source.options, "contexts": share}))
        else:
            told.append(source)
    return tuple(told)


def _key(document: Document, shape: PrivacyShape, secrets: Secrets, problems: list[Problem]) -> bytes:
    if shape.secret is None:
        if shape.rules:
            message = "there are rules of what is personal and no secret to make tokens with: nothing would be safe"
            hint = "add secret: env:NAME or file:/path; ids are made of tokens too where values are masked or dropped"
            problems.append(document.problem(("privacy",), message, hint, key=True))
        return b""
    try:
        key = secrets.read(shape.secret).reveal().encode()
    except Unfit as error:
        problems.append(document.problem(("privacy", "secret"), str(error), error.suggestion))
        return b""
    if secrets.needed and len(key) < LEAST_KEY:
        message = f"the secret has {len(key)} letters: from a short one tokens can be guessed"
        problems.append(document.problem(("privacy", "secret"), message, "openssl rand -hex 32 makes a good one"))
    return key


class _Reader:
    """Reads entries and says what is wrong with them."""

    def __init__(self, document: Document, problems: list[Problem]) -> None:
        self._document = document
        self._problems = problems

    def rule(self, index: int, rule: PersonalShape) -> Personal:
        path: tuple[str | int, ...] = ("privacy", "rules", index)
        if not rule.fields and not rule.patterns:
            self._complain(path, "the rule names neither fields nor patterns", "write fields: [user_id]", key=True)
        for at, name in enumerate(rule.fields):
            self._glob((*path, "fields", at), name)
        words, expressions = [], []
        for at, entry in enumerate(rule.patterns):
            place = (*path, "patterns", at)
            if _is_expression(entry):
                expressions += [entry[1:-1]] if self._expression(place, entry[1:-1]) else []
            elif entry in KINDS:
                words.append(entry)
            else:
                known = f"known are {', '.join(KINDS)}, and expressions between slashes: '/E-\\d{{6}}/'"
                self._complain(place, f'"{entry}" is no pattern', did_you_mean(entry, KINDS, known))
        return Personal(
            fields=tuple(rule.fields),
            patterns=tuple(word for word in KINDS if word in words),
            own=tuple(expressions),
            do=rule.do,
            place=Place(file=self._document.file, line=self._document.line(path)),
        )

    def kept(self, entries: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        names, values = [], []
        for at, entry in enumerate(entries):
            place: tuple[str | int, ...] = ("privacy", "keep", at)
            if not _is_expression(entry):
                self._glob(place, entry)
                names.append(entry)
            elif self._expression(place, entry[1:-1]):
                values.append(entry[1:-1])
        return tuple(names), tuple(values)

    def _glob(self, path: tuple[str | int, ...], name: str) -> None:
        if not _GLOB.fullmatch(name):
            self._complain(path, f'"{name}" is not the name of a field', "write one such as user_id, or customer_*")
        elif not name.strip("*?"):
            self._complain(path, f'"{name}" would be every field', "name those that are personal")

    def _expression(self, path: tuple[str | int, ...], expression: str) -> bool:
        try:
            own(expression)
        except ExpressionError as error:
            self._complain(path, str(error), "see https://github.com/google/re2/wiki/Syntax")
            return False
        return True

    def _complain(self, path: tuple[str | int, ...], message: str, hint: str, *, key: bool = False) -> None:
        self._problems.append(self._document.problem(path, message, hint, key=key))


def _is_expression(entry: str) -> bool:
    return len(entry) > 2 and entry[0] == entry[-1] == "/"
