"""The numbers of the last days in a few lines: how quiet, how fast, how well."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import median

from quell.model.incident import Incident
from quell.model.state import State
from quell.model.times import format_duration


def stats_text(state: State, now: float, over_s: float) -> str:
    """What became of the incidents that opened within the last ``over_s`` seconds, as far as the state remembers."""
    since = now - over_s
    found = [one for one in state.incidents.values() if one.opened_at >= since and one.status != "withdrawn"]
    alerts = {mark for one in found for mark in one.alerts}
    pages = sum(one.paged_at is not None for one in found if one.status != "merged")
    merged = sum(one.status == "merged" for one in found)
    lines = [
        f"Last {format_duration(over_s)}: {len(alerts)} alerts in {len(found) - merged} incidents, {pages} paged",
        f"Time to acknowledge: {_middle(_taken(found))}; to resolve: {_middle(_ended(found))} (medians)",
    ]
    runs = Counter(run.state for run in state.runs.values() if run.started_at >= since and not run.dry)
    told = ", ".join(f"{count} {name}" for name, count in sorted(runs.items(), key=lambda item: (-item[1], item[0])))
    lines.append(f"Playbooks: {told or 'none ran'}")
    return "\n".join(lines)


def _taken(incidents: Sequence[Incident]) -> list[float]:
    found = []
    for one in incidents:
        first = next((entry.at for entry in one.timeline if entry.what in {"acknowledged", "snoozed"}), None)
        if first is not None:
            found.append(first - one.opened_at)
    return found


def _ended(incidents: Sequence[Incident]) -> list[float]:
    return [
        one.resolved_at - one.opened_at for one in incidents if one.status == "resolved" and one.resolved_at is not None
    ]


def _middle(spans: Sequence[float]) -> str:
    return f"{format_duration(median(spans))} over {len(spans)}" if spans else "none yet"
