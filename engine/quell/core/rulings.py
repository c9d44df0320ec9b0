"""People's word on which alerts belong together: it stands above what is concluded, while its incident is open.

Who merged two incidents has said that their alerts share a cause: the causes that explain most of them are one story,
and whatever joins these comes along. Who split an alert off has said that it stands apart, whatever explains it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from quell.core.continuity import Cluster, Member
from quell.model.alert import Alert
from quell.model.state import Ruling, State


class Rulings:
    """Works on ``state.rulings``, which are by fingerprint."""

    def __init__(self, state: State) -> None:
        self._state = state

    def rule(self, marks: Iterable[str], incident: str, *, apart: bool) -> None:
        """Keeps a person's word on these alerts; it takes the place of what was said of them before."""
        for mark in marks:
            self._state.rulings[mark] = Ruling(incident, apart)

    def absorb(self, gone: str, incident: str) -> None:
        """What was said of alerts in one incident holds for another, into which it was merged."""
        for mark, ruling in self._state.rulings.items():
            if ruling.incident == gone:
                self._state.rulings[mark] = Ruling(incident, ruling.apart)

    def sorted_out(
        self, clusters: Sequence[Cluster]
    ) -> tuple[list[Cluster], dict[str, Cluster], dict[str, list[Member]]]:
        """Clusters nobody spoke of, those that belong to an incident as most of them do, and who stands apart where."""
        if not self._state.rulings:
            return list(clusters), {}, {}
        free: list[Cluster] = []
        held: dict[str, Cluster] = {}
        apart: dict[str, list[Member]] = {}
        for cluster in clusters:
            spoken = {member: ruling for member in cluster.members if (ruling := self._of(member)) is not None}
            homes = Counter(ruling.incident for ruling in spoken.values() if not ruling.apart)
            home = min(homes, key=lambda name: (-homes[name], name), default=None)
            most = sum(1 for ruling in spoken.values() if not ruling.apart)
            if home is not None and 2 * homes[home] < len(cluster.members) - (len(spoken) - most):
                home = None
            for member, ruling in spoken.items():
                if ruling.apart or ruling.incident != home:
                    apart.setdefault(ruling.incident, []).append(member)
            rest = tuple(
                member
                for member in cluster.members
                if member not in spoken or (not spoken[member].apart and spoken[member].incident == home)
            )
            if rest and home is not None:
                held[home] = self.joined(held.get(home), cluster.of(rest))
            elif rest:
                free.append(cluster.of(rest))
        return free, held, apart

    def joined(self, one: Cluster | None, other: Cluster) -> Cluster:
        """Two clusters as one, in order of onset; the cause is that of the larger."""
        if one is None:
            return other
        larger = one if len(one.members) >= len(other.members) else other
        return Cluster(larger.cause, self._in_order((*one.members, *other.members)))

    def _in_order(self, members: Iterable[Member]) -> tuple[Member, ...]:
        alerts, some = self._state.alerts, dict.fromkeys(members)
        known = map(alerts.get, [mark for mark, _ in some])
        began = [0.0 if alert is None else alert.starts_at for alert in known]
        return tuple([member for _, member in sorted(zip(began, some, strict=True))])

    def with_apart(self, cluster: Cluster, members: Sequence[Member]) -> Cluster:
        """A cluster with those who stand with it by a person's word."""
        return cluster.of(self._in_order((*cluster.members, *members)))

    def elsewhere(self, name: str, here: Collection[Member]) -> list[Alert]:
        """Alerts of an incident that somebody spoke of, of which the group at hand knows nothing."""
        known = self._state.incidents.get(name)
        if known is None or all(ruling.incident != name for ruling in self._state.rulings.values()):
            return []
        alerts = (self._state.alerts.get(mark) for mark in known.alerts)
        return [
            alert
            for alert in alerts
            if alert is not None and alert.incident == name and (alert.fingerprint, alert.episode) not in here
        ]

    def _of(self, member: Member) -> Ruling | None:
        """What was said of an alert's present firing, if that still stands."""
        ruling = self._state.rulings.get(member[0])
        alert = self._state.alerts.get(member[0])
        if ruling is None or alert is None or alert.episode != member[1]:
            return None
        incident = self._state.incidents.get(ruling.incident)
        return ruling if incident is not None and incident.is_open else None


def stale(state: State) -> list[str]:
    """Alerts of which what was said does not stand any more."""
    return [
        mark
        for mark, ruling in state.rulings.items()
        if (incident := state.incidents.get(ruling.incident)) is None or not incident.is_open
    ]
