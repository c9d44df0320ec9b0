"""Doubts whether an alert needs a person, each from another source; one alone decides nothing.

A label that says "staging" may be wrong, and so may every other sign here. That is why one sign only makes an alert
wait longer, and it takes two to send it to the digest; none of them ever drops it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from quell.model.alert import Alert
from quell.model.rulebook import Triage
from quell.model.state import Custom, Triaged
from quell.model.times import format_duration, parse_duration

UNHEEDED = 3
"""Pages in a row that nobody acted on."""

HEED_LEAST = 5
HEED_SHARE = 0.2
"""Nobody acting says something only where people do: on so many pages, and on such a share of them."""

SLOW_WINDOW_S = 6 * 3600.0
"""A budget that burns over a window at least so long leaves time until the morning."""

DIRECTION_LEAST = 3
DIRECTION_SHARE = 0.8

PLACES = frozenset(
    (
        "env", "environment", "stage", "deployment_environment", "deployment_environment_name", "namespace",
        "kubernetes_namespace", "exported_namespace", "k8s_namespace_name", "cluster", "project", "tenant",
    )
)  # fmt: skip
LIVE = frozenset({"prod", "production", "prd", "live"})
_BUDGET = frozenset({"budget", "burn", "burnrate", "burning", "slo"})
_PAGES_WORD = re.compile(r"un ?ack(?:nowledged|ed)?\b|not ?ack(?:nowledged|ed)?\b|missed ?ack|nobody ack|no ?one ack")
_TOKENS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[^A-Za-z0-9]+")


@dataclass(frozen=True, slots=True)
class Doubt:
    """One sign, in a code and in words that go on after "it" or stand alone. ``weight`` 2 is enough by itself."""

    code: str
    text: str
    weight: int = 1


def doubts(alert: Alert, behaviour: Triaged, custom: Custom, everyone: Custom, triage: Triage) -> tuple[Doubt, ...]:
    """All that speaks against waking somebody for this alert, in a fixed order."""
    found = [_dismissed(behaviour), _unsupported(alert, custom), *_places(alert, triage), _budget(alert), _about(alert)]
    if triage.learn:
        found.append(_unheeded(behaviour, everyone))
    return tuple(doubt for doubt in found if doubt is not None)


def _dismissed(behaviour: Triaged) -> Doubt | None:
    if behaviour.dismissed_at is None:
        return None
    return Doubt("not_actionable", "a person said of it that there is nothing to do", 2)


def _unheeded(behaviour: Triaged, everyone: Custom) -> Doubt | None:
    pages = everyone.heeded + everyone.ignored
    if behaviour.unheeded < UNHEEDED or everyone.heeded < HEED_LEAST or everyone.heeded < HEED_SHARE * pages:
        return None
    return Doubt("unheeded", f"its last {behaviour.unheeded} pages ended with nobody having done anything")


def _unsupported(alert: Alert, custom: Custom) -> Doubt | None:
    """Its own value lies on the side of the threshold on which this rule does not usually fire."""
    value, threshold, seen = alert.value, alert.threshold, custom.above + custom.below
    if value is None or threshold is None or value == threshold or seen < DIRECTION_LEAST:
        return None
    if value < threshold and custom.above >= DIRECTION_SHARE * seen:
        return Doubt("unsupported", f"its own value {value:g} does not exceed its threshold {threshold:g}")
    if value > threshold and custom.below >= DIRECTION_SHARE * seen:
        return Doubt("unsupported", f"its own value {value:g} does not fall below its threshold {threshold:g}")
    return None


def _places(alert: Alert, triage: Triage) -> list[Doubt]:
    """Labels of place that speak of an environment where nobody is woken; none if one speaks of production."""
    quiet = frozenset(word.lower() for word in triage.quiet_places)
    said: list[str] = []
    for name, value in sorted(alert.labels.items()):
        if name.lower().replace(".", "_") in PLACES:
            words = frozenset(words_of(value))
            if words & LIVE:
                return []
            if words & quiet:
                said.append(f'label {name} says "{value}"')
    return [Doubt("environment", text) for text in said[:2]]


def _budget(alert: Alert) -> Doubt | None:
    """A budget of errors that burns slowly: the words of its name, and the long window that its labels tell."""
    if not _BUDGET & frozenset(words_of(alert.name)):
        return None
    windows = [
        seconds
        for name, value in alert.labels.items()
        if "window" in name.lower() or name.lower() == "long"
        if (seconds := _seconds(value)) is not None
    ]
    if not windows or max(windows) < SLOW_WINDOW_S:
        return None
    return Doubt("slow_budget", f"it is about a budget that burns slowly, over {format_duration(max(windows))}")


def _about(alert: Alert) -> Doubt | None:
    """An alert about an alert: what it speaks of has paged on its own."""
    if _PAGES_WORD.search(" ".join(words_of(alert.name))):
        return Doubt("about_pages", "it says that nobody acknowledged another alert")
    return None


def words_of(text: str) -> list[str]:
    """The words of a name or label in lower case: ``shop-stagingEU`` has three."""
    return [word.lower() for word in _TOKENS.split(text) if word]


def _seconds(text: str) -> float | None:
    try:
        return parse_duration(text)
    except ValueError:
        return None
