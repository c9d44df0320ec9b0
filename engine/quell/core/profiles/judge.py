"""The present against a profile: every field by its tests, effects and chances, and what else is wrong.

A field drifted when a test finds at least the effect that counts, and the chance of that is small after the correction
for all tests that were made. That it must be so in several windows is asked by whoever judges windows.
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import NamedTuple

from msgspec.structs import replace

from quell.core.profiles.bars import bars_of
from quell.core.profiles.cells import Cells, binned, cells_of
from quell.core.profiles.columns import column_troubles, retyped
from quell.core.profiles.shape import step_between
from quell.core.profiles.statistics import (
    Apart,
    adjusted,
    chi_square,
    jensen_shannon,
    kolmogorov_smirnov,
    share_apart,
    stability,
)
from quell.model.distribution import Distribution
from quell.model.drift_report import Distance, DriftReport, FieldReport, Limits, Test, Trouble
from quell.model.profile import PerDay, Profile, ProfiledField
from quell.model.times import format_duration

NO_SAMPLES: Mapping[str, tuple[str, ...]] = {}
DAY_S = 86400.0


class Present(NamedTuple):
    """What there is now: distributions by field, and of when; ``newest`` is until when anything was told.

    ``now`` None: nobody asks how old it is.
    """

    fields: Mapping[str, Distribution]
    version: str = ""
    from_time: float | None = None
    to_time: float | None = None
    now: float | None = None
    newest: float | None = None
    skew_s: float = 0.0
    samples: Mapping[str, tuple[str, ...]] = NO_SAMPLES

    @property
    def rows(self) -> int:
        """Of the field that was told of most often."""
        return max((told.count for told in self.fields.values()), default=0)


def compared(
    profile: Profile, present: Present, limits: Limits, *, pictures: bool = True, most: int | None = None
) -> DriftReport:
    """The whole comparison; ``pictures`` of the fields that did not drift as well.

    Of fields that drifted those ``most`` that did furthest have a picture and words, which cost more than all tests.
    """
    chosen = [field for field in profile.fields if _chosen(field.name, limits)]
    troubles = _of_all(profile, present, limits)
    fields: list[FieldReport] = []
    if present.rows:
        if limits.columns:
            now = {name: told for name, told in present.fields.items() if _chosen(name, limits)}
            troubles += column_troubles(profile, {field.name for field in chosen}, now)
        for field in chosen:
            told = present.fields.get(field.name)
            if told is not None:
                troubles += _of_values(field, told, limits, len(chosen))
                fields.append(_measured(field, told, limits))
        known = {field.name: field.values for field in chosen}
        fields = _corrected(fields, limits)
        shown = {one.field for one in _furthest(fields)[:most]}
        fields = [
            _with_picture(one, known[one.field], present, pictures=pictures)
            if one.field in shown or not one.drifted
            else one
            for one in fields
        ]
        troubles += _of_drift(fields)
    return DriftReport(
        entity=profile.entity, profile=profile.version, hash=profile.hash, version=present.version,
        from_time=present.from_time, to_time=present.to_time, rows=present.rows, fields=tuple(fields),
        judged=sum(1 for field in fields if field.distances), troubles=tuple(troubles),
    )  # fmt: skip


def _chosen(name: str, limits: Limits) -> bool:
    return any(fnmatchcase(name, one) for one in limits.fields) and not any(
        fnmatchcase(name, one) for one in limits.leave
    )


# Of all rows


def _of_all(profile: Profile, present: Present, limits: Limits) -> list[Trouble]:
    found: list[Trouble] = []
    if limits.versions and present.version and present.version != profile.version:
        text = (
            f'the data is version "{present.version}", its profile is of version "{profile.version}": '
            "what differs may be meant; make a profile of the new version"
        )
        found.append(Trouble(code="version", text=text))
    if not present.rows:
        found.append(Trouble(code="no_data", text=f"there are no rows of {profile.entity}", value=0.0))
    elif limits.volume is not None and profile.per_day is not None:
        found += _of_rows(profile.per_day, present, limits.volume)
    ahead_s, field = _ahead(present)
    if ahead_s > limits.skew_s:
        where = f'"{field}" holds times' if field else "its records are"
        text = f"{where} up to {format_duration(round(ahead_s))} ahead of now: a clock is wrong"
        found.append(Trouble(code="skew", field=field, text=text, value=ahead_s, limit=limits.skew_s))
    newest = _newest(profile, present)
    if limits.age_s is not None and present.now is not None and newest is not None:
        age_s = present.now - newest
        if age_s > limits.age_s:
            text = f"the newest row is {format_duration(round(age_s))} old, {format_duration(limits.age_s)} is allowed"
            found.append(Trouble(code="stale", text=text, value=age_s, limit=limits.age_s))
    return found


def _of_rows(per_day: PerDay, present: Present, volume: tuple[float, float]) -> list[Trouble]:
    if present.from_time is None or present.to_time is None or present.to_time <= present.from_time:
        return []
    usual = per_day.mean * (present.to_time - present.from_time) / DAY_S
    least, most = volume[0] * usual, volume[1] * usual
    if least <= present.rows <= most:
        return []
    limit = least if present.rows < least else most
    which = "fewer" if present.rows < least else "more"
    text = f"{present.rows:,} rows, {which} than {round(limit):,}: usual are {round(usual):,} in so much time"
    return [Trouble(code="rows", text=text, value=float(present.rows), limit=limit)]


def _ahead(present: Present) -> tuple[float, str]:
    """How far ahead of now the latest time lies, and of which field ("": of the records themselves)."""
    found = (present.skew_s, "")
    for name, told in sorted(present.fields.items()):
        if present.now is not None and told.type == "time" and told.numbers.high is not None:
            found = max(found, (told.numbers.high - present.now, name), key=lambda one: one[0])
    return found


def _newest(profile: Profile, present: Present) -> float | None:
    told = present.fields.get(profile.time) if profile.time else None
    if told is not None and told.type == "time" and told.numbers.high is not None:
        return told.numbers.high
    return present.newest


# Of one field


def _of_values(field: ProfiledField, told: Distribution, limits: Limits, tests: int) -> list[Trouble]:
    """Whether more values are missing or bad than the profile knows."""
    found = []
    then = field.values
    for code, more, before, after in (
        ("nulls", limits.nulls, then.nulls, told.nulls),
        ("bad", limits.bad, then.bad, told.bad),
    ):
        apart = share_apart((before, then.count), (after, told.count))
        if apart.effect >= more > 0 and apart.p * tests < limits.chance:
            was, is_ = before / max(then.count, 1), after / max(told.count, 1)
            what = "missing" if code == "nulls" else f"no {then.type or 'known'} values, or infinite"
            text = f'"{field.name}": {is_:.1%} of the values are {what}; it was {was:.1%}'
            found.append(Trouble(code=code, field=field.name, text=text, value=is_, limit=was + more))  # type: ignore[arg-type] # one of both
    return found


def _measured(field: ProfiledField, told: Distribution, limits: Limits) -> FieldReport:
    """Every test of one field, not yet corrected for the others."""
    then = field.values
    report = FieldReport(field=field.name, type=then.type, drifted=False, rows=told.known, then_rows=then.known)
    judged = limits.drift and then.type != "time" and not retyped(then, told)
    if not judged or min(told.known, then.known) < max(limits.rows, 1):
        return report
    cells = cells_of(then, told)
    tests = limits.numbers if then.numeric else limits.texts
    distances = []
    for test in tests:
        apart = _apart(test, cells, field, numeric=then.numeric)
        if apart is not None:
            distances.append(
                Distance(test=test, effect=apart.effect, most=apart.most, least=limits.least(test), chance=apart.p)
            )
    return replace(report, distances=tuple(distances))


def _apart(test: Test, cells: Cells, field: ProfiledField, *, numeric: bool) -> Apart | None:
    if test == "ks":
        return kolmogorov_smirnov(cells.then, cells.now) if numeric else None
    if numeric:
        cells = binned(cells, field.bins)
    if test == "chi2":
        return chi_square(cells.then, cells.now)
    return stability(cells.then, cells.now) if test == "psi" else jensen_shannon(cells.then, cells.now)


def _corrected(fields: list[FieldReport], limits: Limits) -> list[FieldReport]:
    """With chances corrected for all tests of all fields, and judged."""
    chances = adjusted([distance.chance for field in fields for distance in field.distances])
    at = 0
    found = []
    for field in fields:
        distances = []
        for distance in field.distances:
            drifted = distance.effect >= distance.least and chances[at] < limits.chance
            distances.append(replace(distance, adjusted=chances[at], drifted=drifted))
            at += 1
        size = max((one.effect / one.least if one.least else one.effect for one in distances), default=0.0)
        drifted = any(one.drifted for one in distances)
        found.append(replace(field, distances=tuple(distances), size=size, drifted=drifted))
    return found


def _with_picture(report: FieldReport, then: Distribution, present: Present, *, pictures: bool) -> FieldReport:
    if not report.drifted and not pictures:
        return report
    told = present.fields[report.field]
    shown = then.type != "time" and (report.drifted or not then.hashed)
    same_type = shown and not retyped(then, told) and then.known and told.known
    bars = bars_of(cells_of(then, told)) if same_type else None
    said = _said(then, told) if report.drifted else ""
    return replace(report, bars=bars, said=said, samples=tuple(present.samples.get(report.field, ())))


def _said(then: Distribution, now: Distribution) -> str:
    """What became of the values, in few words; "" when that is not simple."""
    if not now.numeric:
        return _said_of_texts(then, now)
    low, high = now.numbers.low, now.numbers.high
    if low is not None and low == high and then.numbers.low != then.numbers.high:
        return f"all values are {low:.6g}"
    return step_between(then.numbers, now.numbers)


def _said_of_texts(then: Distribution, now: Distribution) -> str:
    if then.hashed or now.hashed:
        return "other texts than before" if then.hashed == now.hashed else "many different texts" if now.hashed else ""
    fresh = {name: count for name, count in now.categories.items() if name not in then.categories}
    gone = [name for name in then.categories if name not in now.categories]
    if not fresh or sum(fresh.values()) < 0.01 * max(now.known, 1):
        return _shares_moved(then, now)
    most = sorted(fresh, key=lambda name: (-fresh[name], name))[:3]
    text = "new: " + ", ".join(f'"{name}" ({fresh[name] / now.known:.0%})' for name in most)
    lost = sorted(gone, key=lambda name: (-then.categories[name], name))[:3]
    return f"{text}; gone: " + ", ".join(f'"{name}"' for name in lost) if lost else text


def _shares_moved(then: Distribution, now: Distribution) -> str:
    """Which texts are more or less frequent, the two that changed most."""
    before = {name: count / max(then.known, 1) for name, count in then.categories.items()}
    after = {name: count / max(now.known, 1) for name, count in now.categories.items()}
    moved = sorted(
        before.keys() | after.keys(), key=lambda name: (-abs(after.get(name, 0.0) - before.get(name, 0.0)), name)
    )
    return ", ".join(f'"{name}" {before.get(name, 0.0):.0%} → {after.get(name, 0.0):.0%}' for name in moved[:2])


def _furthest(fields: list[FieldReport]) -> list[FieldReport]:
    return sorted((one for one in fields if one.drifted), key=lambda one: (-one.size, one.field))


def _of_drift(fields: list[FieldReport]) -> list[Trouble]:
    found = []
    for field in _furthest(fields):
        best = field.strongest
        if best is not None:
            text = f'"{field.field}": {field.said or "values moved"} ({best.test.upper()} {best.effect:.3g})'
            found.append(Trouble(code="drifted", field=field.field, text=text, value=best.effect, limit=best.least))
    return found
