"""Service levels as rules files have them become detectors with the condition "burn"."""

from __future__ import annotations

from collections.abc import Iterator

from quell.config.detect_file import GLOB_SIGNS, SUMMARY
from quell.config.fields import joined
from quell.config.nodes import Document, Path
from quell.config.references import check_templates
from quell.config.slo_shapes import SloShape
from quell.errors import Problem
from quell.model.detect import Burn, BurnRate, DetectRule, Measured

HOUR_S, DAY_S = 3600.0, 86_400.0
MONTH_S = 30 * DAY_S
WORKBOOK = (
    (14.4, HOUR_S, 300.0, "critical", True),
    (6.0, 6 * HOUR_S, 1800.0, "critical", True),
    (1.0, 3 * DAY_S, 6 * HOUR_S, "warning", False),
)
"""Rate, over, confirm, severity and whether it pages, for 30 days: 2% of the budget in an hour, 5% in six, 10% in three
days (Site Reliability Workbook, chapter 5). The spans grow and shrink with the period."""
HOLDS = 5
"""Windows, or as many as the shortest span has by which it is confirmed that it goes on."""
MOST_BAD = 0.8
"""A rate that more than this share of all would have to be bad for is lowered to it."""


def service_level(document: Document, index: int, shape: SloShape, problems: list[Problem]) -> DetectRule:
    """One service level; everything that is wrong with it is added to ``problems``."""
    path: Path = ("slos", index)
    check_templates(document, (*path, "summary"), shape.summary, SUMMARY, problems)
    for at, message, hint in _misfits(shape):
        problems.append(document.problem((*path, *at), message, hint))
    rates = _rates(shape)
    of = _measured(shape)
    limit = {"gaps": shape.gap, "ages": shape.age, "amounts": (shape.spend or 0.0) / shape.per}.get(of, shape.at_most)
    return DetectRule(
        name=shape.name,
        on=shape.mode == "on",
        metric=shape.bad or shape.good or shape.metric or "",
        distribution=shape.distribution or "",
        where=joined(shape.where),
        when=Burn(
            measured=of,
            objective=shape.objective or 0.0,
            period_s=shape.over,
            rates=rates,
            by=shape.total or "",
            reads_good=shape.good is not None,
            counter=shape.counter,
            at_most=limit,
            at_least=shape.at_least,
            among=tuple(shape.among),
            share_above=shape.share_above,
            across=shape.across or "",
            aggregate=shape.aggregate or "mean",
            volume=shape.volume,
        ),
        of=_holds(rates, shape.every),
        every_s=shape.every,
        delay_s=shape.delay,
        blind_s=shape.blind or 0.0,
        series=shape.series,
        severity=rates[0].severity if rates else "warning",
        impact=shape.impact or "",
        labels={"slo": shape.name} | shape.labels,
        summary=shape.summary,
        runbook=shape.runbook,
        place=document.place(path),
    )


def _measured(shape: SloShape) -> Measured:
    if shape.bad is not None or shape.good is not None:
        return "events"
    if shape.spend is not None:
        return "amounts"
    if shape.age is not None:
        return "ages"
    if shape.distribution is not None:
        return "values" if shape.gap is None else "gaps"
    return "points" if shape.each == "point" else "windows"


def _rates(shape: SloShape) -> tuple[BurnRate, ...]:
    if shape.burn is not None:
        written = sorted(shape.burn, key=lambda one: -one.rate)
        return tuple(
            BurnRate(rate=one.rate, over_s=one.over, confirm_s=one.confirm, severity=one.severity, pages=one.page)
            for one in written
        )
    scale, every_s = shape.over / MONTH_S, shape.every
    most = MOST_BAD / (1.0 - shape.objective) if shape.objective is not None else WORKBOOK[0][0]
    return tuple(
        BurnRate(
            rate=min(rate, most),
            over_s=_whole(over_s * scale, every_s),
            confirm_s=_whole(confirm_s * scale, every_s),
            severity=severity,
            pages=pages,
        )
        for rate, over_s, confirm_s, severity, pages in WORKBOOK
    )


def _holds(rates: tuple[BurnRate, ...], every_s: float) -> int:
    """For so many windows it must not burn, or its alert goes on: what fails by fits and starts is one alert."""
    return min([HOLDS, *(max(round(one.confirm_s / every_s), 1) for one in rates)]) if rates else 1


def _whole(span_s: float, every_s: float) -> float:
    """So many whole windows."""
    return max(round(span_s / every_s), 1) * every_s


def _misfits(shape: SloShape) -> Iterator[tuple[Path, str, str]]:
    """Parts of a service level that do not go together, and where they stand."""
    of = _measured(shape)
    for name in ("bad", "good", "metric", "distribution", "total"):
        if GLOB_SIGNS & {*str(getattr(shape, name) or "")}:
            yield (name,), "a service level reads one metric or field, by its name", "write it without *"
    if (shape.objective is None) != (of == "amounts"):
        if of == "amounts":
            yield ("objective",), '"spend" says itself how much is good', 'leave "objective" out'
        else:
            yield (), 'a service level needs "objective"', "write such as objective: 99.5%"
    if (of == "events") != (shape.total is not None):
        if of == "events":
            yield (), '"bad" and "good" need "total"', "write the metric that counts all"
        else:
            yield ("total",), '"total" goes with "bad" and "good"', ""
    if shape.total is not None and shape.total == (shape.bad or shape.good):
        yield (
            ("total",),
            f'"{shape.total}" counts all and also what is {"bad" if shape.bad else "good"}',
            "name two metrics",
        )
    if shape.blind is not None and shape.blind < shape.every:
        yield ("blind",), '"blind" is shorter than a window', ""
    yield from _unfit(shape, of)
    yield from _limits(shape, of)
    for index, one in enumerate(shape.burn or ()):
        if one.confirm >= one.over:
            yield ("burn", index, "confirm"), '"confirm" is no shorter than "over"', "write a twelfth of it"
        elif one.over > shape.over:
            yield ("burn", index, "over"), "this is longer than the period of the objective", ""
        elif one.confirm < shape.every:
            yield ("burn", index, "confirm"), '"confirm" is shorter than a window', f"write {shape.every:g}s"
        elif shape.objective is not None and one.rate * (1.0 - shape.objective) > 1.0 + 1e-9:
            most = 1.0 / (1.0 - shape.objective)
            yield ("burn", index, "rate"), f"nothing burns so fast: if all is bad, the rate is {most:.4g}", ""


_FITS: dict[str, frozenset[Measured]] = {
    "aggregate": frozenset({"windows"}),
    "among": frozenset({"values", "gaps"}),
    "share_above": frozenset({"gaps"}),
    "gap": frozenset({"gaps"}),
    "across": frozenset({"gaps"}),
    "age": frozenset({"ages"}),
    "spend": frozenset({"amounts"}),
    "at_most": frozenset({"windows", "points", "values"}),
    "at_least": frozenset({"windows", "points", "values"}),
}
"""With what the parts of an indicator go."""


def _unfit(shape: SloShape, of: Measured) -> Iterator[tuple[Path, str, str]]:
    for name, fits in _FITS.items():
        if getattr(shape, name) not in (None, []) and of not in fits:
            yield (name,), f'"{name}" does not go with what this counts ({of})', "leave it out"
    if shape.counter and of not in {"events", "amounts"}:
        yield ("counter",), '"counter" goes with "bad", "good" and "spend"', "leave it out"
    if shape.volume and of in {"ages", "amounts"}:
        yield ("volume",), f'"volume" does not go with what this counts ({of})', "leave it out"
    if shape.each == "point" and of != "points":
        yield ("each",), '"each: point" goes with a metric and a limit', "leave it out"


def _limits(shape: SloShape, of: Measured) -> Iterator[tuple[Path, str, str]]:
    limited = shape.at_most is not None or shape.at_least is not None
    if of in {"windows", "points"} and not limited:
        yield (), "it is not said what is good", "write at_most, at_least, age or spend"
    if of == "values" and limited == bool(shape.among):
        yield (), "it is not said what is good", "write at_most or at_least, or else among"
    if of == "gaps" and (shape.share_above is None) == (not shape.among):
        yield ("gap",), "it is not said of what the shares are compared", "write share_above, or else among"
    if shape.at_most is not None and shape.at_least is not None and shape.at_least > shape.at_most:
        yield ("at_least",), '"at_least" lies above "at_most": nothing would be good', ""
