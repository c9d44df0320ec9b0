"""What can be turned about a detector so that it fires less or more: numbers of its rule, and rules with others.

A number is turned by steps, in which it is easily read. Which of them is right only trying tells, for a condition may
look at intervals, at what is usual or at several spans at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from msgspec.structs import replace

from quell.model.detect import Absence, Anomaly, Behaviour, Burn, Compare, DetectRule, Drift, Forecast, Shift
from quell.model.times import format_duration

STEPS = (1.1, 1.25, 1.5, 2.0, 3.0, 5.0)
"""So many times as much, or as little; the first that tells apart what people told apart is suggested."""
_DAY_S = 86_400.0


class Turned(NamedTuple):
    """A rule with another number: ``part`` of it is what would be otherwise, ``said`` the number in words."""

    rule: DetectRule
    part: dict[str, Any]
    said: str


class Knob(NamedTuple):
    """A number of a rule: what it is called, what it is, and its rules by how often, away from noise first."""

    name: str
    now: str
    stricter: tuple[Turned, ...]
    looser: tuple[Turned, ...]


def knobs(rule: DetectRule) -> tuple[Knob, ...]:
    """What can be turned, the likeliest first; nothing of thresholds, whose limits are read off what was told."""
    return tuple(knob for knob in _knobs(rule) if knob.stricter or knob.looser) if rule.on else ()


def warm_s(rule: DetectRule) -> float:
    """How long a rule must have been told things before it judges as it would have."""
    when, windows_s = rule.when, (rule.of + 2) * rule.every_s
    if isinstance(when, Anomaly):
        return windows_s + max(when.history_s, 7 * _DAY_S) + _DAY_S
    if isinstance(when, Forecast):
        return windows_s + when.over_s
    if isinstance(when, Shift):
        return windows_s + when.against_s
    if isinstance(when, Absence):
        return windows_s + 5 * when.after_s
    if isinstance(when, Behaviour):
        return windows_s + when.over_s + when.against_s
    if isinstance(when, Burn):
        return windows_s + max((one.over_s for one in when.rates), default=0.0)
    return windows_s + (when.over_s if isinstance(when, Compare) else 0.0)


def _knobs(rule: DetectRule) -> Iterator[Knob]:
    when = rule.when
    if isinstance(when, Anomaly):
        yield _number(rule, "anomaly", "deviations", when.deviations, most=1000.0)
        for name in ("share", "effect"):
            if (least := getattr(when, name)) > 0.0:
                yield _number(rule, "anomaly", name, least)
    elif isinstance(when, Shift):
        yield _number(rule, "shift", "factor", when.factor, least=1.0, most=1e6)
    elif isinstance(when, Forecast):
        yield _span(rule, "forecast", "within", "within_s", when.within_s, longer_is_stricter=False)
    elif isinstance(when, Absence):
        yield _span(rule, "absence", "after", "after_s", when.after_s, longer_is_stricter=True, most=when.give_up_s)
    elif isinstance(when, Behaviour):
        for side in ("above", "change", "below"):
            limit = getattr(when, side)
            if limit is not None and limit > 0.0:
                yield _number(rule, "behaviour", side, limit, up_is_stricter=side != "below")
    elif isinstance(when, Compare) and when.margin > 0.0:
        yield _number(rule, "compare", "margin", when.margin)
    elif isinstance(when, Drift):
        yield _effects(rule, when)
    elif isinstance(when, Burn):
        yield from (_rate(rule, when, index) for index in range(len(when.rates)))


def _number(
    rule: DetectRule, condition: str, name: str, now: float, *, least: float = 0.0, most: float = 1e300,
    up_is_stricter: bool = True,
) -> Knob:  # fmt: skip
    def turned(value: float) -> Turned:
        part = {"name": rule.name, "when": {condition: {name: value}}}
        return Turned(replace(rule, when=replace(rule.when, **{name: value})), part, f"{name} {value:g}")

    more = tuple(turned(value) for step in STEPS if now < (value := short(now * step)) <= most)
    less = tuple(turned(value) for step in STEPS if least < (value := short(now / step)) < now)
    return Knob(name, f"{now:g}", *((more, less) if up_is_stricter else (less, more)))


def _span(
    rule: DetectRule, condition: str, name: str, of: str, now: float, *, longer_is_stricter: bool, most: float = 1e300
) -> Knob:
    def turned(value: float) -> Turned:
        text = format_duration(value)
        part = {"name": rule.name, "when": {condition: {name: text}}}
        return Turned(replace(rule, when=replace(rule.when, **{of: value})), part, f"{name} {text}")

    unit = 60.0 if now >= 600.0 else 1.0
    longer = tuple(turned(value) for step in STEPS if now < (value := round(now * step / unit) * unit) < most)
    shorter = tuple(turned(value) for step in STEPS if 0.0 < (value := round(now / step / unit) * unit) < now)
    return Knob(name, format_duration(now), *((longer, shorter) if longer_is_stricter else (shorter, longer)))


def _effects(rule: DetectRule, when: Drift) -> Knob:
    """The least effects of all tests that are made: one of them suffices, so they move together."""
    tests = sorted({*when.limits.numbers, *when.limits.texts})

    def turned(by: float) -> Turned | None:
        effects = {test: short(when.limits.least(test) * by) for test in tests}
        if any(effect >= 1.0 and test != "psi" for test, effect in effects.items()):
            return None  # these are shares
        limits = replace(when.limits, **effects)
        said = ", ".join(f"{test} {effect:g}" for test, effect in effects.items())
        part = {"name": rule.name, "when": {"drift": effects}}
        return Turned(replace(rule, when=replace(when, limits=limits)), part, said)

    now = ", ".join(f"{test} {when.limits.least(test):g}" for test in tests)
    more, less = (_all(turned, steps) for steps in (STEPS, tuple(1 / step for step in STEPS)))
    return Knob("effect", now, more, less)


def _rate(rule: DetectRule, when: Burn, index: int) -> Knob:
    """One of the rates at which a budget burns; beyond the fastest that there can be it would never fire."""
    bad = 1.0 - when.objective if when.objective else 0.0

    def turned(by: float) -> Turned | None:
        value = short(when.rates[index].rate * by)
        if value * bad >= 1.0 - 1e-9 or value == when.rates[index].rate:
            return None
        rates = tuple(replace(one, rate=value) if at == index else one for at, one in enumerate(when.rates))
        part = {"name": rule.name, "burn": [_written(one.rate, one.over_s, one.confirm_s, one.severity, one.pages)
                                           for one in rates]}  # fmt: skip
        return Turned(replace(rule, when=replace(when, rates=rates)), part, f"a burn rate of {value:g}")

    now = when.rates[index]
    more, less = (_all(turned, steps) for steps in (STEPS, tuple(1 / step for step in STEPS)))
    return Knob(f"rate over {format_duration(now.over_s)}", f"{now.rate:g}", more, less)


def _written(rate: float, over_s: float, confirm_s: float, severity: str, pages: bool) -> dict[str, Any]:
    return {"rate": rate, "over": format_duration(over_s), "confirm": format_duration(confirm_s),
            "severity": severity, "page": pages}  # fmt: skip


def _all(turned: Callable[[float], Turned | None], steps: tuple[float, ...]) -> tuple[Turned, ...]:
    return tuple(found for step in steps if (found := turned(step)) is not None)


def short(value: float) -> float:
    """A number that is easily read: two digits of it."""
    return float(f"{value:.2g}")
