"""Two courses of one history become a difference.

Alerts are the same under both versions if the same records speak of them. Incidents are matched by the alerts they
share: the two that share most are one incident, and so on down; what is left over then went into another, came out of
another, or stands for itself. Ids differ as soon as an incident opens a little earlier, so they say nothing.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from quell.backtest.course import Case, Course, Firing

Atom = tuple[int | None, int | None]
"""A firing under either version, by index; None: that version did not see its records."""


@dataclass(frozen=True, slots=True)
class Pairing:
    """Which incident under one version is which under the other, by index into the cases.

    ``into`` of those that are left: where most of the former one's alerts went; ``out_of``: where the latter one's
    came from.
    """

    pairs: Mapping[int, int]
    into: Mapping[int, int]
    out_of: Mapping[int, int]

    @property
    def back(self) -> Mapping[int, int]:
        """The pairs the other way round."""
        return {now: was for was, now in self.pairs.items()}


@dataclass(slots=True)
class Twins:
    """The firings of two courses beside each other; indices point into either course."""

    was: Course
    now: Course
    atoms: list[Atom] = field(init=False)
    of_was: dict[int, list[int]] = field(init=False)
    of_now: dict[int, list[int]] = field(init=False)
    case_was: dict[str, int] = field(init=False)
    case_now: dict[str, int] = field(init=False)
    pairing: Pairing = field(init=False)

    def __post_init__(self) -> None:
        self.atoms = _atoms(self.was, self.now)
        self.of_was, self.of_now = _by_side(self.atoms, 0), _by_side(self.atoms, 1)
        self.case_was = {case.id: index for index, case in enumerate(self.was.cases)}
        self.case_now = {case.id: index for index, case in enumerate(self.now.cases)}
        self.pairing = _paired(
            [_atoms_of(case, self.of_was) for case in self.was.cases],
            [_atoms_of(case, self.of_now) for case in self.now.cases],
        )

    def twins_of(self, firing: int) -> list[int]:
        """The firings under the new version that the same records speak of as of one under the old, in order."""
        found = (self.atoms[atom][1] for atom in self.of_was.get(firing, ()))
        return sorted({index for index in found if index is not None})

    def twins_before(self, firing: int) -> list[int]:
        """The same the other way round."""
        found = (self.atoms[atom][0] for atom in self.of_now.get(firing, ()))
        return sorted({index for index in found if index is not None})

    def atoms_was(self, case: Case) -> set[int]:
        """The alerts of an incident under the old version."""
        return _atoms_of(case, self.of_was)

    def atoms_now(self, case: Case) -> set[int]:
        """The alerts of an incident under the new version."""
        return _atoms_of(case, self.of_now)

    def firing(self, atom: int) -> Firing:
        """An alert, as the new version sees it if it does."""
        was, now = self.atoms[atom]
        if now is not None:
            return self.now.firings[now]
        assert was is not None
        return self.was.firings[was]


def _atoms(was: Course, now: Course) -> list[Atom]:
    """Firings that share records, in order of those."""
    there: dict[tuple[str, float], int] = {(mark, at): index for mark, at, index in now.heard}
    found: dict[Atom, None] = {}
    met: set[tuple[str, float]] = set()
    for mark, at, index in was.heard:
        key = (mark, at)
        met.add(key)
        found[index, there.get(key)] = None
    for mark, at, index in now.heard:
        if (mark, at) not in met:
            found[None, index] = None
    return _without_gaps(list(found))


def _without_gaps(atoms: Sequence[Atom]) -> list[Atom]:
    """A firing that has a twin at all is not also counted without one."""
    whole_was = {was for was, now in atoms if now is not None}
    whole_now = {now for was, now in atoms if was is not None}
    return [
        (was, now)
        for was, now in atoms
        if not (now is None and was in whole_was) and not (was is None and now in whole_now)
    ]


def _by_side(atoms: Sequence[Atom], side: int) -> dict[int, list[int]]:
    found: dict[int, list[int]] = defaultdict(list)
    for number, atom in enumerate(atoms):
        index = atom[side]
        if index is not None:
            found[index].append(number)
    return found


def _atoms_of(case: Case, of: Mapping[int, Sequence[int]]) -> set[int]:
    return {atom for firing in case.firings for atom in of.get(firing, ())}


def _paired(was: Sequence[set[int]], now: Sequence[set[int]]) -> Pairing:
    """Greedy, the largest overlap first; at a tie the more alike, then the older."""
    holder: dict[int, list[int]] = defaultdict(list)
    for index, atoms in enumerate(now):
        for atom in atoms:
            holder[atom].append(index)
    shared = Counter(
        (left, right) for left, atoms in enumerate(was) for atom in sorted(atoms) for right in holder.get(atom, ())
    )
    ranked = sorted(shared, key=lambda pair: (-shared[pair], len(was[pair[0]] | now[pair[1]]), pair))
    pairs: dict[int, int] = {}
    taken: set[int] = set()
    for left, right in ranked:
        if left not in pairs and right not in taken:
            pairs[left] = right
            taken.add(right)
    into: dict[int, int] = {}
    out_of: dict[int, int] = {}
    for left, right in ranked:
        if left not in pairs:
            into.setdefault(left, right)
        if right not in taken:
            out_of.setdefault(right, left)
    return Pairing(pairs, into, out_of)


def rules_of(firings: Iterable[Firing]) -> tuple[str, ...]:
    """Rules that fired, each with how often if more than once, the most frequent first."""
    counted = Counter(firing.name or "(no name)" for firing in firings)
    return tuple(
        f"{name} ×{count}" if count > 1 else name
        for name, count in sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    )
