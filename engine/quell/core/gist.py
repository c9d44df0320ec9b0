"""What the alerts of a cause say on the whole: enough to tell whether they make an incident."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from quell.model.alert import Alert
from quell.model.state import State


@dataclass(frozen=True, slots=True)
class Gist:
    """Each alert counts once, however many of its firings there are; of those that the state knows no more only that.

    ``marks`` are how many alerts there are, ``rules`` how many of each rule are known; ``ends`` are the one that began
    first and the one that began last; ``alerts`` are all that are known, asked for last.
    """

    marks: int
    rules: Mapping[str, int]
    severities: Collection[str]
    ends: Sequence[Alert]
    alerts: Callable[[], Sequence[Alert]]

    @property
    def known(self) -> int:
        """How many alerts are known."""
        return sum(self.rules.values())


def gist_of(state: State, members: Sequence[tuple[str, int]]) -> Gist:
    """What these firings say, each asked for itself."""
    marks = dict.fromkeys([mark for mark, _ in members])
    alerts = [alert for mark in marks if (alert := state.alerts.get(mark)) is not None]
    began = sorted(alerts, key=lambda alert: alert.starts_at)
    return Gist(
        len(marks),
        Counter([alert.name for alert in alerts]),
        {alert.severity for alert in alerts},
        [*began[:1], *began[-1:]],
        lambda: alerts,
    )
