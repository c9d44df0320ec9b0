"""How service levels stand: their budgets for people, for the conditions of playbooks, and as gates for releases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from quell.core.detect.words import lasting, number, rest
from quell.model.detect import Burn, DetectRule
from quell.model.detecting import Budget, Stand, Watch
from quell.model.rulebook import Rulebook
from quell.model.state import State

Standing = Literal["met", "burning", "burnt", "unknown"]
GONE_S = 7 * 86_400.0
"""An entity that is silent for so long is taken for gone: others are asked, if there are any."""


class BurnView(msgspec.Struct, frozen=True, kw_only=True):
    """How fast a budget is spent over a span and over that until now, and from which rate on that is an alert."""

    rate: float
    over_s: float
    confirm_s: float
    severity: str
    burn: float | None
    confirm_burn: float | None


class SloView(msgspec.Struct, frozen=True, kw_only=True):
    """One service level of one entity ("": nothing was told of any).

    ``left`` is the share of the budget that is left (below 0: more was spent), ``good`` the share that was good over
    the period (None of what is spent); ``bad`` of ``allowed`` was spent. ``starts_at`` is when its alert began (None:
    none fires), ``at`` when it was looked at last. What is silent for long is unknown, whatever was left before;
    ``silent_s`` says for how long nothing was told.
    """

    slo: str
    entity: str
    standing: Standing
    goal: str
    text: str
    left: float | None = None
    good: float | None = None
    bad: float = 0.0
    allowed: float = 0.0
    at: float | None = None
    starts_at: float | None = None
    severity: str = ""
    silent_s: float = 0.0
    burns: tuple[BurnView, ...] = ()


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a release may go on, and why; ``slos`` are those that were asked."""

    slo: str
    open: bool
    reason: str
    slos: tuple[SloView, ...] = ()


def slo_views(
    state: State, rulebook: Rulebook, name: str = "", entity: str = "", now: float | None = None
) -> list[SloView]:
    """All service levels that are on, or those of one name or entity: as rules have them, then by entity.

    ``now`` is what the clock says, where the core may lag behind it.
    """
    found: list[SloView] = []
    now = max(state.now, now or 0.0)
    for rule in rulebook.detect:
        if not rule.on or not isinstance(rule.when, Burn) or name not in {"", rule.name}:
            continue
        watches = state.detecting.watches.get(rule.name, {})
        own = [_view(rule, rule.when, watches[key], now) for key in sorted(watches)]
        own = [one for one in own if entity in {"", one.entity, one.entity.partition("/")[2]}]
        nothing = SloView(
            slo=rule.name, entity=entity, standing="unknown", goal=goal_of(rule.when), text="nothing was told yet"
        )
        found += own or [nothing]
    return found


def budget(state: State, name: str, entity: str = "") -> dict[str, Any] | str:
    """What conditions see of a budget, of the entity of which least is left; where nothing is known, a word on that.

    As for gates: what is gone does not count beside others, and what nobody knows any more is not known.
    """
    found = [
        (watch.memory.stand, watch.memory, watch)
        for _, watch in sorted(state.detecting.watches.get(name, {}).items())
        if isinstance(watch.memory, Budget)
        and watch.memory.stand is not None
        and entity in {"", watch.entity, watch.entity.partition("/")[2]}
    ]
    if not found:
        return f'nothing is known yet of the budget of "{name}"' + (f" of {entity}" if entity else "")
    known = [one for one in found if state.now - one[1].heard_at <= GONE_S] or found
    stand, memory, watch = min(known, key=lambda one: one[0].left)
    unsure = next((one for one in known if one[1].doubted_at < state.now), None)
    if unsure is not None and stand.left > 0.0 and watch.since is None:
        silent = lasting(state.now - unsure[1].heard_at)
        return f'nothing was told of the budget of "{name}" of {unsure[2].entity} for {silent}'
    return {
        "left": stand.left,
        "burnt": stand.left <= 0.0,
        "burning": watch.since is not None,
        "entity": watch.entity,
        "burn": max((long for long, _ in stand.burns if long is not None), default=0.0),
        "silent_s": max(state.now - memory.heard_at, 0.0),
    }


def gate(views: Sequence[SloView], name: str, least: float = 0.0, *, unknown_opens: bool = False) -> Gate:
    """Open where of every budget more than ``least`` is left and none is spent too fast.

    What nothing is known of keeps it shut, unless ``unknown_opens``. What is gone is not asked, but if all are.
    """
    views = [one for one in views if one.silent_s <= GONE_S] or views
    shut = [one for one in views if not _fine(one, least, unknown_opens=unknown_opens)]
    if shut:
        worst = min(shut, key=lambda one: (one.standing == "unknown", one.left if one.left is not None else 1.0))
        why = worst.text
        if worst.standing == "met":
            why += f", and more than {least * 100.0:.6g}% is asked for"
        return Gate(slo=name, open=False, reason=f"{worst.entity or name}: {why}", slos=tuple(views))
    left = min((one.left for one in views if one.left is not None), default=None)
    why = "nothing is known yet" if left is None else f"{rest(left)} of the budget is left"
    return Gate(slo=name, open=True, reason=why, slos=tuple(views))


def _fine(view: SloView, least: float, *, unknown_opens: bool) -> bool:
    if view.left is None:
        return unknown_opens
    return (view.standing == "met" or (unknown_opens and view.standing == "unknown")) and view.left > least


def goal_of(of: Burn) -> str:
    """What is asked for, in words."""
    if of.measured == "amounts":
        return f"at most {number((of.at_most or 0.0) * of.period_s)} in {lasting(of.period_s)}"
    return f"{of.objective * 100:.6g}% over {lasting(of.period_s)}"


def _view(rule: DetectRule, of: Burn, watch: Watch, now: float) -> SloView:
    memory = watch.memory
    stand = memory.stand if isinstance(memory, Budget) else None
    if stand is None or not isinstance(memory, Budget):
        return SloView(
            slo=rule.name,
            entity=watch.entity,
            standing="unknown",
            goal=goal_of(of),
            text="nothing was told yet by which it could be judged",
        )
    firing = watch.since is not None
    standing: Standing = "burnt" if stand.left <= 0.0 else "burning" if firing else "met"
    silent_s = max(now - memory.heard_at, 0.0)
    if now > memory.doubted_at and standing == "met":
        standing = "unknown"
    return SloView(
        slo=rule.name,
        entity=watch.entity,
        standing=standing,
        goal=goal_of(of),
        text=_text(stand, watch, standing, silent_s),
        left=stand.left,
        good=None if of.measured == "amounts" or not stand.total else 1.0 - stand.bad / stand.total,
        bad=stand.bad,
        allowed=stand.allowed,
        at=stand.at,
        starts_at=watch.since,
        severity=watch.shown_as if firing else "",
        silent_s=silent_s,
        burns=tuple(
            BurnView(
                rate=rate.rate,
                over_s=rate.over_s,
                confirm_s=rate.confirm_s,
                severity=rate.severity,
                burn=long,
                confirm_burn=short,
            )
            for rate, (long, short) in zip(of.rates, stand.burns, strict=False)
        ),
    )


def _text(stand: Stand, watch: Watch, standing: Standing, silent_s: float) -> str:
    left = f"{rest(max(stand.left, 0.0))} of the budget is left"
    if standing == "unknown":
        was = left.replace(" is left", " was left")
        return f"nothing was told for {lasting(silent_s)}, so nobody knows how it is now; {was} then"
    if standing == "met":
        return left
    if watch.since is not None and watch.finding is not None:
        return watch.finding.text
    return "the budget is spent" if standing == "burnt" else left
