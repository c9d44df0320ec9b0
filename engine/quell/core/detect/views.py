"""How detectors stand, for people: what each reads, what it found, and which read nothing."""

from __future__ import annotations

import msgspec

from quell.core.detect.blindness import read_since, what_is_wrong
from quell.core.detect.series import TOO_LONG
from quell.core.detect.words import lasting
from quell.model.rulebook import Rulebook
from quell.model.state import State

SILENT_S = 3600.0
"""A detector that read nothing for so long (or ten windows, or as long as it says itself) is worth a word."""


class DetectorView(msgspec.Struct, frozen=True, kw_only=True):
    """One detector. ``read_at`` is when it last read something (None: never); ``warning`` says what is odd about it."""

    series: int
    firing: int
    read_at: float | None = None
    warning: str = ""


def detector_views(state: State, rulebook: Rulebook) -> dict[str, DetectorView]:
    """All detectors that are on, by name."""
    known, found = state.detecting, {}
    for rule in rulebook.detect:
        if not rule.on:
            continue
        watches = known.watches.get(rule.name, {}).values()
        silent_s = state.now - read_since(known, rule.name)
        warning = ""
        if rule.name in known.began and silent_s > (rule.blind_s or max(SILENT_S, 10.0 * rule.every_s)):
            warning = f"has read nothing for {lasting(silent_s)}: {what_is_wrong(known, rule, watches)}"
        elif broke := known.failed.get(rule.name):
            warning = f"broke on {broke[:200]}; that series began anew"
        elif known.refused.get(rule.name) == TOO_LONG:
            warning = "is told of series whose names are too long to be watched"
        elif rule.name in known.refused:
            warning = f"has no room for more than {len(watches):,} series: narrow its metric or where"
        found[rule.name] = DetectorView(
            series=len(watches),
            firing=sum(watch.since is not None for watch in watches),
            read_at=known.read_at.get(rule.name),
            warning=warning,
        )
    return found
