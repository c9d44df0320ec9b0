"""Which fields are missing, new, renamed or of another type: what a schema change looks like from outside."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import SequenceMatcher
from typing import NamedTuple

from quell.core.profiles.cells import cells_of
from quell.core.profiles.statistics import jensen_shannon, kolmogorov_smirnov
from quell.model.distribution import Distribution
from quell.model.drift_report import Trouble
from quell.model.profile import Profile

_ALIKE = 0.8
"""From here on a new field's values count as those of a missing one."""
_NAMED_ALIKE = 0.6
"""Names that are so alike speak for a rename where values say little."""
MOST_PAIRS = 2500
"""Missing by new fields that are compared; of more, only names are."""
_FEW = 30


class Likeness(NamedTuple):
    """Of a missing and a new field, by values and by name, each 0 to 1."""

    values: float
    names: float

    @property
    def both(self) -> float:
        """By which pairs are chosen: values count more than names."""
        return 0.7 * self.values + 0.3 * self.names


def column_troubles(profile: Profile, wanted: set[str], present: Mapping[str, Distribution]) -> list[Trouble]:
    """Of the fields of the profile that are ``wanted``, and of those that are there now."""
    known = {field.name: field.values for field in profile.fields}
    missing = {name: known[name] for name in sorted(known.keys() - present.keys()) if name in wanted}
    new = {name: present[name] for name in sorted(present.keys() - known.keys())}
    renamed = renames(missing, new)
    found = [
        Trouble(
            code="renamed",
            field=then,
            like=now,
            value=round(likeness.values, 3),
            text=f'"{then}" is missing and "{now}" is new: renamed? Their values are {likeness.values:.0%} alike',
        )
        for then, (now, likeness) in sorted(renamed.items())
    ]
    taken = {now for now, _ in renamed.values()}
    found += [
        Trouble(code="missing", field=name, text=f'"{name}" ({missing[name].type or "of no type"}) is missing')
        for name in missing
        if name not in renamed
    ]
    found += [
        Trouble(code="new", field=name, text=f'"{name}" ({new[name].type or "of no type"}) is new')
        for name in new
        if name not in taken
    ]
    for name in sorted(known.keys() & present.keys() & wanted):
        then, now = known[name].type, present[name].type
        if retyped(known[name], present[name]):
            found.append(Trouble(code="retyped", field=name, text=f'"{name}" was {then} and is {now} now'))
    return found


def retyped(then: Distribution, now: Distribution) -> bool:
    """Whether the values are of another type; nobody knows of what has no values."""
    return bool(then.type and now.type and then.type != now.type and then.known and now.known)


def renames(missing: Mapping[str, Distribution], new: Mapping[str, Distribution]) -> dict[str, tuple[str, Likeness]]:
    """By missing field the new one that it seems to be; each new one at most once, the likeliest pairs first."""
    if len(missing) * len(new) > MOST_PAIRS:
        return {}
    pairs = [
        (likeness, then, now)
        for then, before in missing.items()
        for now, after in new.items()
        if (likeness := _likeness(then, before, now, after)) is not None
    ]
    pairs.sort(key=lambda pair: (-pair[0].both, pair[1], pair[2]))
    found: dict[str, tuple[str, Likeness]] = {}
    taken: set[str] = set()
    for likeness, then, now in pairs:
        if then not in found and now not in taken:
            found[then] = (now, likeness)
            taken.add(now)
    return found


def _likeness(then: str, before: Distribution, now: str, after: Distribution) -> Likeness | None:
    """None where nothing speaks for a rename."""
    if before.type != after.type or not before.known or not after.known:
        return None
    cells = cells_of(before, after)
    apart = kolmogorov_smirnov(cells.then, cells.now) if before.numeric else jensen_shannon(cells.then, cells.now)
    values = 1.0 - apart.effect
    names = SequenceMatcher(None, then.lower(), now.lower()).ratio()
    likeness = Likeness(values, names)
    enough = values >= _ALIKE and (names >= _NAMED_ALIKE or min(before.known, after.known) >= _FEW)
    return likeness if enough else None
