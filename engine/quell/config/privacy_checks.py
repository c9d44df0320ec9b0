"""What is odd about rules of what is personal: those that change nothing, and other rules that need what they take."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from quell.errors import ExpressionError, Problem
from quell.expressions.matchers import Matching
from quell.expressions.personal import Names, never
from quell.model.mute import Matcher
from quell.model.playbook import Place
from quell.model.rulebook import InhibitRule, Rulebook
from quell.model.topology import NAMING_LABELS
from quell.privacy.rules import Do, Personal, PrivacyRules
from quell.privacy.texts import Texts

_OWN = ("alertname", "severity", "kind", "impact", "entity")
"""Labels that quell itself goes by."""
_NAMING = (*NAMING_LABELS, "pod", "pod_name", "instance", "job")
"""Labels by which quell finds out what thing an alert is about."""
_LABEL = re.compile(r"\blabels(?:\.([A-Za-z_]\w*)|\[\s*[\"']([^\"']+)[\"']\s*\])")
_EXAMPLE = "t_0123456789abcdef"
_SKIPPED = frozenset({"profiles", "entities", "dependencies", "versions", "contacts", "correlate", "caps"})


def privacy_warnings(rules: PrivacyRules, rulebook: Rulebook) -> list[Problem]:
    """Sorted by nothing; each says what will not do what somebody meant."""
    return [*_idle(rules), *_alike(rules), *_needed(rules, rulebook)] if rules.rules else []


def _idle(rules: PrivacyRules) -> Iterator[Problem]:
    """Patterns that never match, names that a rule before has, exceptions from nothing."""
    fields: dict[str, Place] = {}
    patterns: dict[str, Place] = {}
    for rule in rules.rules:
        for expression in rule.own:
            if never(expression):
                yield _problem(rule.place, f'the pattern "/{expression}/" can never match')
        for known, entries in ((fields, rule.fields), (patterns, (*rule.patterns, *rule.own))):
            for entry in entries:
                before = known.setdefault(entry.lower() if known is fields else entry, rule.place)
                if before is not rule.place:
                    yield _problem(rule.place, f'"{entry}" changes nothing here: the rule in line {before.line} has it')
        for name in _OWN:
            if name in Names(rule.fields) and name not in Names(rules.keep):
                text = f'quell itself goes by the label "{name}", which "{rule.do}" makes useless'
                yield _problem(rule.place, text, f"name fields more narrowly, or add keep: [{name}]")
    place = rules.rules[0].place
    has_patterns = any(rule.patterns or rule.own for rule in rules.rules)
    for name in rules.keep:
        plain = not any(letter in name for letter in "*?[")
        if plain and not has_patterns and not any(name in Names(rule.fields) for rule in rules.rules):
            yield _problem(place, f'keep: no rule speaks of "{name}"')


def _alike(rules: PrivacyRules) -> Iterator[Problem]:
    """Labels that name things, and say the same of all of them once they are masked or dropped."""
    texts = Texts(rules)
    for rule in rules.rules:
        if rule.do == "token":
            continue
        for entry in rule.fields:
            names = Names([entry])
            found = [name for name in _NAMING if name in names and texts.rule_of(name) == rule.do]
            if found:
                yield _problem(rule.place, _as_one(entry, found, rule), "do: token keeps them apart")
        if "ip" in rule.patterns and "instance" not in Names(rules.keep) and texts.rule_of("instance") is None:
            text = f'the pattern "ip" with "{rule.do}" makes all addresses in "instance" one thing'
            yield _problem(rule.place, text, "do: token keeps them apart, keep: [instance] leaves them as they are")


def _as_one(entry: str, found: Sequence[str], rule: Personal) -> str:
    said = f'"{entry}"' if found == [entry] else f'"{entry}" (such as "{found[0]}")'
    what = "are one thing" if rule.do == "mask" else "are about nothing that quell knows"
    return (
        f"{said} tells apart what alerts are about: where it {_what(rule.do)} all of them {what}. "
        "They stay alerts of their own, by a token of their labels, and look alike"
    )


def _problem(place: Place, message: str, hint: str = "") -> Problem:
    return Problem(place.file, place.line, 1, message, hint)


def _needed(rules: PrivacyRules, rulebook: Rulebook) -> Iterator[Problem]:
    """Rules that ask for values which nobody will see any more."""
    texts = Texts(rules)
    for name in rulebook.__struct_fields__:
        if name not in _SKIPPED:
            yield from _within(texts, getattr(rulebook, name), None)


def _within(texts: Texts, value: object, place: Place | None) -> Iterator[Problem]:
    if isinstance(value, Matcher):
        if place is not None and (why := _in_vain(texts, value)):
            yield _problem(place, f"{value} {why}", "see docs/how-to/privacy.md")
    elif isinstance(value, msgspec.Struct):
        own = getattr(value, "place", None)
        place = own if isinstance(own, Place) else place
        if isinstance(value, InhibitRule):
            yield from _equal(texts, value)
        for name in value.__struct_fields__:
            if name != "place":
                yield from _within(texts, getattr(value, name), place)
    elif isinstance(value, str):
        for found in _LABEL.finditer(value) if place is not None and "labels" in value else ():
            name = found[1] or found[2]
            do = texts.rule_of(name)
            if do is not None and do != "token" and place is not None:
                yield _problem(place, f'"{found[0]}" is used here, and the label "{name}" {_what(do)}')
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _within(texts, one, place)
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from _within(texts, one, place)


def _in_vain(texts: Texts, matcher: Matcher) -> str:
    """Why a matcher does not do what it says; "" when it does."""
    do = texts.rule_of(matcher.name)
    if do is None:
        plain = not matcher.is_regex and matcher.value
        if plain and texts.name(matcher.value) != matcher.value:
            return "asks for a value that a privacy pattern replaces: write its token (quell privacy), or keep it"
        return ""
    if do == "drop":
        return f'asks for the label "{matcher.name}", which {_what(do)}'
    shown = _EXAMPLE if do == "token" else f"({matcher.name})"
    try:
        fits = Matching([matcher]).matches({matcher.name: shown})
    except ExpressionError:
        return ""
    meant_for_all = fits == (Matching([matcher]).matches({matcher.name: "something"}))
    asks_value = matcher.value not in {"", ".+", ".*"} and not matcher.value.startswith("t_")
    if asks_value or not meant_for_all:
        return f'asks for the label "{matcher.name}", which {_what(do)}: write the token (quell privacy)'
    return ""


def _equal(texts: Texts, rule: InhibitRule) -> Iterator[Problem]:
    """Equal tokens are equal values; words and nothing are always equal."""
    for name in rule.equal:
        do = texts.rule_of(name)
        if do in {"mask", "drop"}:
            yield _problem(rule.place, f'equal: the label "{name}" {_what(do)}, so that all are alike')


def _what(do: Do | None) -> str:
    return {"token": "becomes a token", "mask": "is masked", "drop": "is dropped"}[do or "token"]
