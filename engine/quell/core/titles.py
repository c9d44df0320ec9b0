"""The title of an incident: what a person reads first, where it comes from and what shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from quell.model.alert import Alert
from quell.model.incident import Suspect


def title(suspects: Sequence[Suspect], alerts: Sequence[Alert]) -> str:
    """Names the first suspect, the two most frequent alerts and how far they spread."""
    names = Counter(alert.name for alert in alerts if alert.name)
    shown = ", ".join(name for name, _ in sorted(names.items(), key=lambda item: (-item[1], item[0]))[:2])
    more = f" and {len(names) - 2} more" if len(names) > 2 else ""
    where = suspects[0].entity if suspects else "unknown place"
    count = len({alert.entity for alert in alerts})
    spread = f" at {count} entities" if count > 1 else ""
    return f"{where}: {shown or 'alerts'}{more}{spread}"
