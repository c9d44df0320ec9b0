"""A look at where the firings of a group stand and where they are to stand, for few of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from quell.core.conclude import Cause
from quell.core.continuity import Cluster, Member, absorber, place_of
from quell.core.listed import Listed, OfAlerts
from quell.core.rosters import Rosters
from quell.core.steps import Steps
from quell.model.alert import Alert

Story = Sequence[tuple[Cluster, str]]


@dataclass(frozen=True, slots=True)
class Moves:
    """Firings that move, where each of them stands from now on and where it stood; and all in what is told no more.

    ``places`` are what they are kept under, ``between`` every two incidents from one of which any moves to the other,
    and ``joined`` those into which something moves that fires. ``after`` says at least of all that are ``lost`` where
    they stand from now on, if anywhere.
    """

    members: Sequence[Member]
    places: Sequence[str]
    to: Sequence[str | None]
    was: Sequence[str | None]
    between: Collection[tuple[str | None, str | None]]
    joined: Collection[str]
    lost: Mapping[str, Sequence[Member]]
    after: Mapping[Member, str]

    def __iter__(self) -> Iterator[tuple[Member, str | None, str | None]]:
        return zip(self.members, self.to, self.was, strict=True)


class Placed(Protocol):
    """Where all stand once a story is told; ``told`` are the incidents in which any does."""

    @property
    def told(self) -> Collection[str]: ...
    @property
    def after(self) -> Mapping[Member, str]: ...
    def left(self) -> Iterator[tuple[Member, str]]:
        """What stood somewhere and would stand nowhere."""

    def heir(self, name: str) -> str | None:
        """Where most of what stood in an incident would stand."""

    def moves(self, over: Collection[str]) -> Steps[Moves]:
        """What moves, but out of what is ``over``."""


class Look(Protocol):
    """The firings of a group as they are now."""

    @property
    def stood(self) -> Collection[str]: ...
    @property
    def before(self) -> Mapping[Member, str | None]: ...
    def clusters(self, causes: Sequence[Cause]) -> Steps[list[Cluster]]: ...
    def placed(self, story: Story, apart: Mapping[str, Sequence[Member]]) -> Steps[Placed]: ...
    def listed(self, cluster: Cluster) -> Steps[Listed | None]: ...


class Few:
    """A look at so few that each is asked for itself."""

    def __init__(self, rosters: Rosters, before: dict[Member, str | None]) -> None:
        self._rosters = rosters
        self.before = before
        self.stood = {name for name in before.values() if name is not None}

    def clusters(self, causes: Sequence[Cause]) -> Steps[list[Cluster]]:
        """Those of these causes of which people may hear, each with its firings in order of onset."""
        yield from ()  # there is little of it, here and below
        rosters = ((cause, self._rosters.of(cause.units)) for cause in causes)
        return [Cluster(cause, roster.members) for cause, roster in rosters if roster.heard]

    def placed(self, story: Story, apart: Mapping[str, Sequence[Member]]) -> Steps[Placed]:
        """Where all stand once this is told."""
        yield from ()
        return PlacedFew(self._rosters.alerts, self.before, story, apart)

    def listed(self, cluster: Cluster) -> Steps[Listed | None]:
        """What an incident says of the alerts of one of `clusters`; None for others."""
        yield from ()
        roster = self._rosters.same(cluster.cause.units, cluster.members)
        return None if roster is None else OfAlerts(roster.present, roster.marks, roster.severity)


class PlacedFew:
    """Where each of few firings is to stand."""

    def __init__(
        self,
        alerts: Mapping[str, Alert],
        before: Mapping[Member, str | None],
        story: Story,
        apart: Mapping[str, Sequence[Member]],
    ) -> None:
        self._alerts = alerts
        self._before = before
        self.after = {member: name for cluster, name in story for member in cluster.members}
        self.after |= {member: name for name, members in apart.items() for member in members}
        self.told = set(self.after.values())

    def left(self) -> Iterator[tuple[Member, str]]:
        """What stood somewhere and would stand nowhere."""
        return (
            (member, name) for member, name in self._before.items() if name is not None and member not in self.after
        )

    def heir(self, name: str) -> str | None:
        """Where most of what stood in an incident would stand."""
        return absorber([member for member, stood in self._before.items() if stood == name], self.after)

    def moves(self, over: Collection[str]) -> Steps[Moves]:
        """What moves, but out of what is ``over``."""
        yield from ()
        lost: dict[str, list[Member]] = {}
        members: list[Member] = []
        to: list[str | None] = []
        for member, name in self._before.items():
            if name is not None and name not in self.told:
                lost.setdefault(name, []).append(member)
            now_at = self.after.get(member) or (name if name in over else None)
            if now_at != name:
                members.append(member)
                to.append(now_at)
        was = [self._before[member] for member in members]
        fire = {name for member, name in zip(members, to, strict=True) if name is not None and self._fires(member)}
        places = list(map(place_of, members))
        return Moves(members, places, to, was, set(zip(was, to, strict=True)), fire, lost, self.after)

    def _fires(self, member: Member) -> bool:
        alert = self._alerts.get(member[0])
        return alert is not None and alert.firing and alert.episode == member[1]
