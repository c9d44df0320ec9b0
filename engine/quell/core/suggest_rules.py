"""Rules that the behaviour of alerts speaks for: hold, digest, inhibit, map. Each errs on the side of paging."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import accumulate
from math import ceil

from quell.core.chances import by_chance, surely
from quell.core.resolve import ADDRESS_LABELS
from quell.core.severity import SEVERITY_LABELS, rank
from quell.expressions.matchers import Matching
from quell.model.habits import BOUNDS_S, RuleHabit, Suggestion, Tally, suggestion_id
from quell.model.rulebook import Rulebook
from quell.model.times import format_duration
from quell.model.topology import NAMING_LABELS

LEAST_FIRINGS = 20
LEAST_HEALED = 0.9
"""Of the firings that ended this share, at least and with a bound against luck, must have healed within the hold."""
LONGEST_HOLD_S = 900.0
HOLD_MARGIN = 1.25
MOSTLY_ALONE = 0.8
LEAST_USELESS = 3
LEAST_COMPANY = 10
LEAST_ALWAYS = 0.85
BY_CHANCE = 1e-4
LEAST_NAMED = 10
LEAST_NAMING = 0.8
MOST_EQUAL = 6
_PLACES = frozenset((*NAMING_LABELS, *ADDRESS_LABELS, "pod", "pod_name", "container"))


def holds(tally: Tally, rulebook: Rulebook) -> Iterator[Suggestion]:
    """Rules whose alerts healed by themselves, soon, without anybody having done anything."""
    for name, habit in sorted(tally.rules.items()):
        over = habit.ended + habit.lapsed
        if habit.acted or over < LEAST_FIRINGS or habit.alone < MOSTLY_ALONE * habit.ended or _ruled(habit, rulebook):
            continue
        if not writable(name):
            continue
        within = list(accumulate(habit.lasted))
        share = {bound: count for bound, count in zip(BOUNDS_S, within, strict=False) if bound <= LONGEST_HOLD_S}
        bound = next((each for each, count in share.items() if surely(count, over) >= LEAST_HEALED - 0.05), None)
        if bound is None or share[bound] < LEAST_HEALED * over:
            continue
        hold_s = min(60.0 * ceil(bound * HOLD_MARGIN / 60.0), LONGEST_HOLD_S)
        span, hold = format_duration(bound), format_duration(hold_s)
        reason = f"ended by itself within {span} in {share[bound]} of {over} firings, nobody ever acted"
        yield Suggestion(
            id=suggestion_id("hold", name),
            kind="hold",
            text=f"{name}: hold it for {hold}",
            evidence=(
                f"fired {habit.firings} times; {share[bound]} of {over} ended by themselves within {span}",
                f"nobody acknowledged or resolved an incident with it; {habit.paged} of them paged",
            ),
            rule={"name": f"{name} heals itself", "match": [_equals("alertname", name)], "verdict": "hold",
                  "hold": hold, "reason": reason},
            support=share[bound], chance=0.0, confidence=round(surely(share[bound], over), 3),
        )  # fmt: skip


def digests(tally: Tally, rulebook: Rulebook) -> Iterator[Suggestion]:
    """Rules of which people said again and again that nothing was to be done, and about which nobody ever did."""
    for name, habit in sorted(tally.rules.items()):
        if not _useless(habit) or _ruled(habit, rulebook) or not writable(name):
            continue
        reason = f"judged not actionable {habit.useless} times, nobody ever acted"
        yield Suggestion(
            id=suggestion_id("digest", name),
            kind="digest",
            text=f"{name}: to the digest",
            evidence=(f"fired {habit.firings} times, {habit.paged} of them paged", reason),
            rule={"name": f"{name} is not actionable", "match": [_equals("alertname", name)], "verdict": "digest",
                  "reason": reason},
            support=habit.useless, chance=0.0, confidence=round(surely(habit.useless, habit.useless), 3),
        )  # fmt: skip


def inhibitions(tally: Tally, rulebook: Rulebook) -> Iterator[Suggestion]:
    """Rules that never fire without another, at least as severe, at the same entity."""
    for key, company in sorted(tally.company.items()):
        target, source = key.split("\x00")
        hidden, shown = tally.rules.get(target), tally.rules.get(source)
        if hidden is None or shown is None or company.together < LEAST_COMPANY or _inhibited(hidden, shown, rulebook):
            continue
        if _more_telling(hidden, shown, target, source, _back(tally, target, source)):
            continue
        of = max(hidden.firings, company.together)
        troubles = max(sum(tally.troubles.values()), 1)
        expected = of * min(shown.firings / troubles, 1.0)
        equal = _identifying(company.equal)
        if surely(company.together, of) < LEAST_ALWAYS or by_chance(company.together, expected) > BY_CHANCE:
            continue
        sources, targets = _firings(source, shown), _firings(target, hidden)
        if equal and sources and targets and writable(source, target, *equal) and not _quiet(shown, rulebook):
            yield Suggestion(
                id=suggestion_id("inhibit", source, target),
                kind="inhibit",
                text=f"{source} hides {target} where {', '.join(equal)} are the same",
                evidence=(
                    f"{company.together} of {of} firings of {target} had {source} at the same entity within 5m",
                    f"by chance {expected:.1f} would have",
                    f"{target} is {hidden.severity or 'without severity'}, {source} {shown.severity or 'without one'}",
                ),
                rule={"name": f"{source} hides {target}", "source": sources, "target": targets, "equal": equal},
                support=company.together, chance=round(expected, 2),
                confidence=round(surely(company.together, of), 3),
            )  # fmt: skip


def namings(tally: Tally, rulebook: Rulebook) -> Iterator[Suggestion]:
    """Labels that name a known entity in alerts for which none was found."""
    for label, naming in sorted(tally.namings.items()):
        kind = min(naming.named, key=lambda each: (-naming.named[each], each), default="")
        hits = naming.named.get(kind, 0)
        entity = f"{kind}/${{labels.{label}}}"
        known = any(rule.entity == entity for rule in rulebook.map)
        if hits < LEAST_NAMED or surely(hits, naming.asked) < LEAST_NAMING or known:
            continue
        if not (label.isascii() and label.isidentifier() and writable(kind)) or any(sign in kind for sign in "$ /"):
            continue
        yield Suggestion(
            id=suggestion_id("map", label, kind),
            kind="map",
            text=f"label {label} names a {kind}",
            evidence=(
                f"named one in {hits} of {naming.asked} alerts ({hits / naming.asked:.0%}) that named nothing known",
            ),
            rule={"name": f"{label} names a {kind}", "match": [f'{label}!=""'], "entity": entity},
            support=hits, chance=0.0, confidence=round(surely(hits, naming.asked), 3),
        )  # fmt: skip


def writable(*names: str) -> bool:
    """Whether a rules file can hold these names at all."""
    try:
        "".join(names).encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _useless(habit: RuleHabit) -> bool:
    """Whether people said again and again that nothing was to be done, and never did anything."""
    return not habit.acted and habit.useless >= LEAST_USELESS


def _quiet(habit: RuleHabit, rulebook: Rulebook) -> bool:
    """Whether nobody is told of such alerts, or soon may be: what hides behind them would be told to nobody either."""
    rules = [rule.matchers for rule in rulebook.triage.rules if rule.verdict == "digest"]
    rules += [rule.matchers for rule in rulebook.mute]
    return _useless(habit) or any(Matching(matchers).matches(habit.example) for matchers in rules)


def _severity_label(habit: RuleHabit) -> str:
    return next((label for label in SEVERITY_LABELS if habit.example.get(label)), "")


def _firings(name: str, habit: RuleHabit) -> list[str]:
    """The matchers for the most severe firings of a rule: one rule often fires as a warning first, and then as more.

    None at all when no label tells the severity that was seen.
    """
    if not habit.severity:
        return [_equals("alertname", name)]
    label, value = _severity_label(habit), json.dumps(f"(?i:{re.escape(habit.severity)})", ensure_ascii=False)
    return [_equals("alertname", name), f"{label}=~{value}"] if label and writable(habit.severity) else []


def _worst(habit: RuleHabit) -> dict[str, str]:
    """The labels of a firing, as one of the worst severity has them."""
    label = _severity_label(habit)
    return {**habit.example, label: habit.severity} if label else habit.example


def _back(tally: Tally, target: str, source: str) -> bool:
    """Whether the other one never fires without this one either."""
    company, habit = tally.company.get(f"{source}\x00{target}"), tally.rules[source]
    return company is not None and surely(company.together, max(habit.firings, company.together)) >= LEAST_ALWAYS


def _more_telling(hidden: RuleHabit, shown: RuleHabit, target: str, source: str, back: bool) -> bool:
    """Whether of two the one to be hidden is the one to keep: never hide what is more severe; of equals keep one."""
    mine, other = rank(hidden.severity), rank(shown.severity)
    return mine > other or (mine == other and back and target < source)


def _identifying(equal: list[str]) -> list[str]:
    """Labels that were always the same on both; none at all unless one of them names a thing."""
    places = [label for label in equal if label in _PLACES]
    return [*places, *(label for label in equal if label not in _PLACES)][:MOST_EQUAL] if places else []


def _ruled(habit: RuleHabit, rulebook: Rulebook) -> bool:
    """Whether the team has said already what becomes of such alerts."""
    rules = [*(rule.matchers for rule in rulebook.triage.rules), *(rule.matchers for rule in rulebook.mute)]
    return any(Matching(matchers).matches(habit.example) for matchers in rules)


def _inhibited(hidden: RuleHabit, shown: RuleHabit, rulebook: Rulebook) -> bool:
    return any(
        Matching(rule.source).matches(_worst(shown)) and Matching(rule.target).matches(_worst(hidden))
        for rule in rulebook.inhibit
    )


def _equals(label: str, value: str) -> str:
    return f"{label}={json.dumps(value, ensure_ascii=False)}"
