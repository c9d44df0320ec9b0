"""The triage settings as the judge wants them: made ready once, and not for every alert."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from quell.core.patience import longest_s
from quell.expressions.matchers import Matching
from quell.model.rulebook import Triage, TriageRule
from quell.model.times import format_duration


@dataclass(frozen=True, slots=True)
class Court:
    """The triage settings, made ready once."""

    triage: Triage
    rules: tuple[tuple[Matching, TriageRule], ...]
    page_severities: frozenset[str]
    digest_severities: frozenset[str]
    lone_text: str
    lone_s: float
    most_s: float


class _Same:
    """Settings known by identity: to hash a long list of rules for every alert would cost more than to judge it."""

    __slots__ = ("triage",)

    def __init__(self, triage: Triage) -> None:
        self.triage = triage

    def __hash__(self) -> int:
        return id(self.triage)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.triage is other.triage


@lru_cache(maxsize=4)
def _court(same: _Same) -> Court:
    triage = same.triage
    return Court(
        triage,
        tuple((Matching(rule.matchers), rule) for rule in triage.rules),
        frozenset(severity.lower() for severity in triage.page_severities),
        frozenset(severity.lower() for severity in triage.digest_severities),
        format_duration(triage.lone_page_after_s),
        triage.lone_page_after_s,
        longest_s(triage),
    )


_last: list[Court] = []
"""The one that was asked for last: there is mostly but one."""


def court_of(triage: Triage) -> Court:
    """The settings made ready; the same object for the same settings."""
    if _last and _last[0].triage is triage:
        return _last[0]
    _last[:] = [_court(_Same(triage))]
    return _last[0]
