"""The title of an incident: what a person reads first, where it comes from and what shows."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from quell.model.alert import Alert
from quell.model.incident import Suspect

MOST_LISTED = 6


def title(suspects: Sequence[Suspect], alerts: Sequence[Alert]) -> str:
    """Names the first suspect, the two most frequent alerts and how far they spread."""
    return titled(
        suspects,
        Counter([alert.labels.get("alertname", "") for alert in alerts]),
        len({alert.entity for alert in alerts}),
    )


def titled(suspects: Sequence[Suspect], rules: Mapping[str, int], places: int) -> str:
    """The same of so many alerts of each rule, at so many places."""
    names = {name: count for name, count in rules.items() if name}
    shown = ", ".join(name for name, _ in sorted(names.items(), key=lambda item: (-item[1], item[0]))[:2])
    more = f" and {len(names) - 2} more" if len(names) > 2 else ""
    where = suspects[0].entity if suspects else "unknown place"
    spread = f" at {places} entities" if places > 1 else ""
    return f"{where}: {shown or 'alerts'}{more}{spread}"


def crowd_title(alerts: Sequence[Alert]) -> str:
    """Says of alerts that came at one time how many there are and which are most frequent."""
    names = Counter(alert.name or "alert" for alert in alerts)
    shown = [f"{count} {name}" if count > 1 else name for name, count in _most(names)]
    more = f" and {len(names) - 2} more" if len(names) > 2 else ""
    severities = {alert.severity for alert in alerts}
    what = f"{severities.pop()} alerts" if len(severities) == 1 else "alerts"
    return f"{len(alerts)} {what} without known relation: {', '.join(shown[:2])}{more}"


def listed(alerts: Sequence[Alert]) -> list[str]:
    """A line for each rule that fires, most frequent first, with where it does; what is too much is counted."""
    places: defaultdict[str, list[str]] = defaultdict(list)
    for alert in alerts:
        places[alert.name or "alert"].append(alert.entity or alert.fingerprint)
    lines = []
    for name, _ in _most(Counter({name: len(where) for name, where in places.items()}))[:MOST_LISTED]:
        where = places[name]
        more = f" and {len(where) - MOST_LISTED} more" if len(where) > MOST_LISTED else ""
        lines.append(f"{name}: {', '.join(where[:MOST_LISTED])}{more}")
    if len(places) > MOST_LISTED:
        lines.append(f"and {len(places) - MOST_LISTED} more rules")
    return lines


def _most(names: Counter[str]) -> list[tuple[str, int]]:
    return sorted(names.items(), key=lambda item: (-item[1], item[0]))
