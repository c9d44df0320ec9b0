"""Which incident a cluster of alerts goes on with, so that people see one story and not every change of mind.

The largest overlap wins, the older incident at a tie. An incident that was merged away comes back under its own id
when its alerts stand apart again. What was resolved keeps its alerts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

from quell.core.both_ends import PAIR, at_both_ends
from quell.core.chance import Begun, by_chance
from quell.core.conclude import Cause
from quell.core.customs import aloofness
from quell.core.gist import Gist, gist_of
from quell.core.outbreaks import Outbreaks
from quell.core.severity import rank
from quell.core.steps import Steps
from quell.model.incident import Incident
from quell.model.rulebook import Correlate
from quell.model.state import State

ONE_RULE = 0.8
"""What fires of one rule by this share is that rule."""
HOUR_BEFORE_S = 30.0
HOUR_AFTER_S = 120.0
TELLS_APART = 2_000
"""By so many of its alerts, the first of all, an incident is told from others."""
TOLD_TOGETHER = 2_000
"""Causes with so many alerts are named, or asked whether people are shown them, in one piece."""
INFORMS = 2
"""The highest rank of a severity that merely informs."""
Member = tuple[str, int]
"""One firing of an alert: fingerprint and episode."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cause with its alerts, in order of onset.

    ``stood`` tells how many of them stood in each incident, and ``gist`` what they say on the whole, if whoever made it
    has that at hand.
    """

    cause: Cause
    members: tuple[Member, ...]
    stood: Mapping[str | None, int] | None = None
    gist: Callable[[], Gist] | None = field(default=None, compare=False)

    def of(self, members: Iterable[Member]) -> Cluster:
        """The same cause with other alerts."""
        return Cluster(self.cause, tuple(members))

    def counted(self, before: Mapping[Member, str | None]) -> Mapping[str | None, int]:
        """How many of its alerts stood in each incident."""
        return Counter(map(before.__getitem__, self.members)) if self.stood is None else self.stood


def place_of(member: Member) -> str:
    """The key under which the state keeps where an episode of an alert stands.

    The first firing of an alert, which most never go beyond, is called by the fingerprint alone.
    """
    return member[0] if member[1] == 1 else f"{member[0]}/{member[1]}"


def continued(
    state: State,
    clusters: Sequence[Cluster],
    before: Mapping[Member, str | None],
    *,
    settings: Correlate,
    now: float,
    merged: Sequence[Incident],
    stood: bool | None = None,
) -> Steps[list[tuple[Cluster, str]]]:
    """The clusters that people are shown, each with the incident it goes on with.

    ``before`` says where each member stood; ``settings`` what makes an incident that nobody has seen yet;
    ``merged`` are those that were merged into where members stood, and ``stood`` whether any did, if that is known.
    """
    stood = any(before.values()) if stood is None else stood
    names = (yield from _named(state, clusters, before, merged)) if stood or merged else {}
    story: list[tuple[Cluster, str]] = []
    outbreaks, begun, read = Outbreaks(state), Begun(state), 0
    for at, whole in enumerate(clusters):
        read += len(whole.members)
        if read >= TOLD_TOGETHER:
            yield
            read = 0
        name = names.get(at)
        cluster = _without_settled(state, whole, name, before) if stood else whole
        if cluster.members and (name is not None or _enough(state, cluster, settings, outbreaks, begun)):
            story.append((cluster, name or new_name(state, cluster.members, now)))
    return story


def _enough(state: State, cluster: Cluster, settings: Correlate, outbreaks: Outbreaks, begun: Begun) -> bool:
    """Whether these alerts and this much evidence make an incident that nobody has been shown yet.

    One rule that fires in many places at once may be the rule, or, if it began on the hour and elsewhere as well, a job
    that runs then: it takes more evidence. So do rules on the hour that are known to fire for themselves.
    """
    said = gist_of(state, cluster.members) if cluster.gist is None else cluster.gist()
    prices, least_net = settings.weights.prices, settings.weights.prices.least_net
    rule, most = max(said.rules.items(), key=lambda one: one[1], default=("", 0))
    known = said.known
    one_rule = known > 0 and most >= ONE_RULE * known
    grave = said.marks == PAIR == settings.least_alerts - 1 and at_both_ends(said.alerts())
    if one_rule and not grave:
        least_net += prices.one_name_net
    a_job = 0.0
    if known and _on_the_hour(said.ends[0].starts_at):
        alone = sum([count * aloofness(state.customs.get(name)) for name, count in sorted(said.rules.items())]) / known
        least_net += prices.on_the_hour_net * alone
        a_job = prices.on_the_hour_net * one_rule
    if all(rank(severity) <= INFORMS for severity in said.severities):
        least_net += prices.informative_net
    cause = cluster.cause
    if (said.marks < settings.least_alerts and not grave) or cause.net < least_net:
        return False
    spare = min(cause.net, cause.beside_noise - by_chance(state, cause, said.ends, begun)) - least_net
    if spare < 0.0 or not a_job:
        return spare >= 0.0
    return spare >= a_job or not outbreaks.elsewhere(rule, said.alerts())  # asked last: it reads all alerts


def _on_the_hour(onset: float) -> bool:
    """Whether something began when jobs do that run every hour: with it, or as soon as rules tell."""
    return (onset + HOUR_BEFORE_S) % 3600.0 <= HOUR_BEFORE_S + HOUR_AFTER_S


def new_name(state: State, members: Sequence[Member], now: float) -> str:
    """An id that depends on nothing but the alerts, of very many the first in their order, and the time."""
    text = f"{now:.3f}|" + "|".join(sorted([f"{mark}/{episode}" for mark, episode in members[:TELLS_APART]]))
    digest = blake2b(text.encode(), digest_size=16).hexdigest()
    length = 6
    while f"INC-{digest[:length]}" in state.incidents:
        length += 1
    return f"INC-{digest[:length]}"


def kept(
    state: State, left: Iterable[tuple[Member, str]], told: Collection[str], heir: Callable[[str], str | None]
) -> dict[str, list[Member]]:
    """Firings that nothing explains any more and that people know of there: by the incident that they stay in.

    Those that people were paged by page no more, so whoever was called for one must find it in an incident for as long
    as it fires. What became part of another incident takes them along. And who put alerts apart has been called for
    them: they are not news because nothing explains them.

    ``left`` are the firings that would stand nowhere, with where each stood; ``told`` the incidents that go on, and
    ``heir`` says of another one where most of its firings went.
    """
    found: dict[str, list[Member]] = {}
    homes: dict[str, str | None] = {}
    for member, name in left:
        if not (_put_apart(state, member, name) or _paged(state, member)):
            continue
        incident = state.incidents.get(name)
        if incident is None or not incident.is_open or incident.crowd:
            continue  # a crowd keeps whoever finds no company
        if name not in homes:
            homes[name] = name if name in told else heir(name)
        home = homes[name]
        if home is not None:
            found.setdefault(home, []).append(member)
    return found


def _put_apart(state: State, member: Member, name: str) -> bool:
    """Whether a person has said of this firing that it stands in an incident of its own, which is this one."""
    ruling, alert = state.rulings.get(member[0]), state.alerts.get(member[0])
    stands = ruling is not None and ruling.apart and ruling.incident == name
    return stands and alert is not None and alert.episode == member[1]


def _paged(state: State, member: Member) -> bool:
    """Whether it fires, and people were paged by it."""
    alert, behaviour = state.alerts.get(member[0]), state.behaviour.get(member[0])
    if alert is None or behaviour is None or not alert.firing or alert.episode != member[1]:
        return False
    return behaviour.paged_at is not None and behaviour.paged_at >= alert.starts_at


def absorber(members: Sequence[Member], after: Mapping[Member, str]) -> str | None:
    """Where most of these firings went; None when none went anywhere."""
    return most_of(Counter(after[member] for member in members if member in after))


def most_of(went: Mapping[str, int]) -> str | None:
    """Where most went, the first by name of those where as many did; None when none went anywhere."""
    return min(went, key=lambda other: (-went[other], other), default=None)


def _named(
    state: State, clusters: Sequence[Cluster], before: Mapping[Member, str | None], merged: Sequence[Incident]
) -> Steps[dict[int, str]]:
    votes: list[tuple[float, float, str, int]] = []
    read = 0
    for at, cluster in enumerate(clusters):
        read += len(cluster.members)
        if read >= TOLD_TOGETHER:
            yield
            read = 0
        for name, count in cluster.counted(before).items():
            incident = state.incidents.get(name) if name is not None else None
            if incident is not None and incident.status != "merged" and not incident.crowd:
                votes.append((-count, incident.opened_at, incident.id, at))
        marks = {mark for mark, _ in cluster.members} if merged else set()
        for incident in merged:
            overlap = 0 if incident.crowd else len(marks.intersection(incident.alerts))
            if 2 * overlap > len(incident.alerts):
                # Just behind an equal overlap with an incident that still stands.
                votes.append((-overlap + 0.5, incident.opened_at, incident.id, at))
    names: dict[int, str] = {}
    taken: set[str] = set()
    for _, _, name, at in sorted(votes):
        if at not in names and name not in taken:
            names[at] = name
            taken.add(name)
    return names


def _without_settled(state: State, cluster: Cluster, name: str | None, before: Mapping[Member, str | None]) -> Cluster:
    """Leaves out what belongs to a resolved incident that the cluster does not go on with."""
    stood = cluster.counted(before).keys() - {name, None}
    settled = {other for other in stood if (known := state.incidents.get(other or "")) and known.status == "resolved"}
    if not settled:
        return cluster
    return cluster.of(member for member in cluster.members if before[member] not in settled)
