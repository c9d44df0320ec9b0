"""The order of severities, whatever words a tool uses for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

_RANKS = {
    **dict.fromkeys(("emergency", "fatal", "page", "critical", "crit", "p1", "sev1", "disaster", "blocker"), 5),
    **dict.fromkeys(("high", "error", "err", "major", "p2", "sev2"), 4),
    **dict.fromkeys(("warning", "warn", "average", "medium", "moderate", "p3", "sev3"), 3),
    **dict.fromkeys(("minor", "low", "notice", "p4", "sev4"), 2),
    **dict.fromkeys(("info", "informational", "information", "none", "debug", "ok", "p5", "sev5"), 1),
}
UNKNOWN = 3
_WORDS = {word: word for word in _RANKS}
SEVERITY_LABELS = ("severity", "priority", "level")


def severity_of(labels: Mapping[str, str]) -> str:
    """The lower-cased value of the first of the labels severity, priority and level; "" without one."""
    for name in SEVERITY_LABELS:
        value = labels.get(name)
        if value:
            return _WORDS.get(value) or value.strip().lower()
    return ""


def rank(severity: str) -> int:
    """5 worst to 1 least; words nobody knows count as a warning."""
    return _RANKS.get(severity, UNKNOWN)


def worst(severities: Iterable[str]) -> str:
    """The worst of them, "" when there are none."""
    return max(set(severities), key=lambda severity: (rank(severity), severity), default="")
