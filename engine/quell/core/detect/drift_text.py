"""What a comparison with a profile says in an alert: a sentence, and the report in annotations, small."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from quell.core.profiles.bars import spark
from quell.model.drift_report import Bars, DriftReport, FieldReport, Trouble

MOST_NAMED = 3
"""Fields that the sentence names."""
MOST_LISTED = 20
MOST_PICTURES = 5
MOST_AXIS = 6


def drift_text(report: DriftReport) -> str:
    """Which fields drifted, how far, by which test."""
    judged, drifted = report.judged, report.drifted
    against = f"the profile of {report.profile}"
    if not drifted:
        return f"none of {judged} fields drifted against {against}"
    named = "; ".join(_worded(field) for field in drifted[:MOST_NAMED])
    others = f"; and {len(drifted) - MOST_NAMED} more" if len(drifted) > MOST_NAMED else ""
    of_version = f" in version {report.version}" if report.version and report.version != report.profile else ""
    return f"{len(drifted)} of {judged} fields drifted{of_version} against {against}: {named}{others}"


def drift_details(report: DriftReport) -> dict[str, str]:
    """Annotations: the columns, the largest effect and its test, profile and version, samples, histograms as data."""
    drifted = report.drifted
    told = _of(report)
    if not drifted:
        return told
    worst = drifted[0].strongest
    if worst is not None:
        told |= {"effect": f"{worst.effect:.4g}", "test": worst.test, "chance": f"{worst.adjusted:.2g}"}
    told["columns"] = ", ".join(field.field for field in drifted[:MOST_LISTED])
    pictured = [field for field in drifted[:MOST_PICTURES] if field.bars is not None]
    if pictured:
        told["histograms"] = "\n".join(
            f"{field.field}: |{spark(field.bars.before)}| → |{spark(field.bars.after)}|"
            for field in pictured
            if field.bars is not None
        )
        told["drift_report"] = msgspec.json.encode(
            msgspec.structs.replace(report, fields=tuple(pictured), others=len(drifted) - len(pictured), troubles=())
        ).decode()
    samples = [f"{field.field}: {', '.join(field.samples)}" for field in drifted[:MOST_PICTURES] if field.samples]
    if samples:
        told["samples"] = "\n".join(samples)
    return told


def drift_lines(report: DriftReport) -> list[str]:
    """The report as lines of text: what was compared, then each field with its tests, histograms and samples."""
    version = f", data version {report.version}" if report.version else ""
    drifted, fields = len(report.drifted) + report.others, report.drifted
    against = f"against the profile of {report.profile}, {report.hash[:12]}"
    rows = f"{report.rows:,} rows{version}"
    told = [f"{drifted} of {report.judged} fields of {report.entity} drifted ({rows}, {against})"]
    for field in fields:
        tests = ", ".join(
            f"{one.test.upper()} {one.effect:.3g} (counts from {one.least:g})" for one in field.distances if one.drifted
        )
        told.append(f"  {field.field}: {field.said or 'values moved'}{f'; {tests}' if tests else ''}")
        if field.bars is not None:
            told.append(
                f"    before |{_solid(field.bars.before)}|  after |{_solid(field.bars.after)}|{_axis(field.bars)}"
            )
        if field.samples:
            told.append(f"    such as {', '.join(field.samples)}")
    if report.others:
        told.append(f"  and {report.others} more")
    return told


def _solid(shares: tuple[float, ...]) -> str:
    """A histogram of which no place that shows text leaves gaps out."""
    return spark(shares).replace(" ", "·")


def _axis(bars: Bars) -> str:
    """From where to where the histograms go."""
    if bars.names:
        return f"  {', '.join(bars.names[:MOST_AXIS])}{', …' if len(bars.names) > MOST_AXIS else ''}"
    return f"  from {bars.edges[0]:.3g} to {bars.edges[-1]:.3g}" if bars.edges else ""


def trouble_text(report: DriftReport, found: Sequence[Trouble]) -> str:
    """What is not as the profile describes it."""
    if not found:
        return f"{report.entity} is as the profile of {report.profile} describes it"
    named = "; ".join(trouble.text for trouble in found[:MOST_NAMED])
    others = f"; and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""
    return f"{named}{others} (profile of {report.profile})"


def trouble_details(report: DriftReport, found: Sequence[Trouble]) -> dict[str, str]:
    """Annotations: the columns, and every trouble on a line of its own."""
    told = _of(report)
    columns = dict.fromkeys(trouble.field for trouble in found if trouble.field)
    if columns:
        told["columns"] = ", ".join([*columns][:MOST_LISTED])
    if found:
        told["found"] = "\n".join(trouble.text for trouble in found[:MOST_LISTED])
    return told


def _of(report: DriftReport) -> dict[str, str]:
    told = {"profile": f"{report.profile} ({report.hash[:12]})", "rows": str(report.rows)}
    if report.version:
        told["dataset_version"] = report.version
    return told


def _worded(field: FieldReport) -> str:
    best = field.strongest
    said = field.said or "values moved"
    return (
        f"{field.field}: {said}" if best is None else f"{field.field}: {said} ({best.test.upper()} {best.effect:.3g})"
    )
