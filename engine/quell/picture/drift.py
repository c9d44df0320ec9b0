"""The picture of a drift report: each field before and after, as two histograms over the same bars."""

from __future__ import annotations

from html import escape

from quell.model.drift_report import Bars, DriftReport, FieldReport
from quell.picture.canvas import Canvas, style
from quell.picture.words import clean, wrap

WIDTH = 900.0
MARGIN = 24.0
_GAP = 20.0
_CARD = (WIDTH - 2 * MARGIN - _GAP) / 2
_TALL = 222.0
_PAD = 14.0
_SIZE = 11.5
_MOST_NAME = 14
NAMES = {"ks": "KS", "psi": "PSI", "chi2": "Cramér's V", "js": "JS"}
"""How tests are called in reports."""
MOST_CARDS = 40
_LEAST_CHANCE = 1e-99


def svg(report: DriftReport, *, every: bool = False) -> str:
    """A self-contained SVG, 900 pixels wide: fields that drifted, the furthest first; ``every`` field if so wanted."""
    canvas, under = Canvas(), Canvas()
    fields = [field for field in report.drifted if field.bars is not None]
    if every:
        others = [field for field in report.fields if not field.drifted and field.bars is not None]
        fields += sorted(others, key=lambda field: (-field.size, field.field))
    y = _header(under, report)
    for at, field in enumerate(fields[:MOST_CARDS]):
        left = MARGIN + (at % 2) * (_CARD + _GAP)
        _card(under, field, left, y + (at // 2) * (_TALL + _GAP))
    shown = min(len(fields), MOST_CARDS)
    y += (shown + 1) // 2 * (_TALL + _GAP)
    if len(fields) > shown or report.others:
        under.text((MARGIN, y + 6), f"and {len(fields) - shown + report.others} more", _SIZE, "soft")
        y += 20
    tall = y + MARGIN - (_GAP if shown else 0)
    canvas.rect((0.5, 0.5, WIDTH - 1, tall - 1), "page", "edge", round_=10)
    canvas.extend(under)
    return canvas.svg(WIDTH, tall, f"Drift of {report.entity}")


def page(report: DriftReport) -> str:
    """The report as one HTML file that needs nothing else: the picture, what is wrong, and every field's numbers."""
    title = escape(f"Drift of {report.entity} against {report.profile}")
    troubles = "".join(f"<li>{escape(clean(one.text))}</li>" for one in report.troubles if one.code != "drifted")
    rows = "".join(_row(field) for field in sorted(report.fields, key=lambda one: (-one.size, one.field)))
    head = "".join(f"<th>{name}</th>" for name in ("field", "type", "rows", "tests", "chance", "verdict"))
    wrong = f"<h2>Beside drift</h2><ul>{troubles}</ul>" if troubles else ""
    return "\n".join([
        "<!DOCTYPE html>",
        f'<html lang="en"><head><meta charset="utf-8"><title>{title}</title>',
        style(),
        _SHEET,
        "</head><body>",
        svg(report, every=len(report.fields) <= MOST_CARDS),
        wrong,
        f"<h2>Fields</h2><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>",
        "</body></html>\n",
    ])  # fmt: skip


_SHEET = (
    "<style>body{font:14px/1.5 'Segoe UI',Roboto,'Helvetica Neue',Arial,'DejaVu Sans',sans-serif;margin:24px;max-width:"
    "900px;color:#1c2733;background:#fff}table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:4px "
    "10px 4px 0;border-bottom:1px solid #d5dce4;vertical-align:top}tr.drifted td{color:#c8372d}"
    "@media (prefers-color-scheme: dark){body{color:#e7edf3;background:#11171e}th,td{border-color:#2b3743}"
    "tr.drifted td{color:#ff7a70}}</style>"
)


def _header(canvas: Canvas, report: DriftReport) -> float:
    drifted, judged = len(report.drifted) + report.others, report.judged
    marks = f"{report.entity} · {report.rows:,} rows · against profile {report.profile} ({report.hash[:12]})"
    if report.version:
        marks += f" · data version {report.version}"
    canvas.text((MARGIN, 30), marks, 12, "soft", room=WIDTH - 2 * MARGIN)
    what = f"{drifted} of {judged} fields drifted" if drifted else f"None of {judged} fields drifted"
    canvas.text((MARGIN, 54), what, 17, bold=True)
    y = 66.0
    for trouble in [one for one in report.troubles if one.code != "drifted"][:6]:
        for line in wrap(clean(trouble.text), WIDTH - 2 * MARGIN - 14, _SIZE, 2):
            canvas.text((MARGIN, y + 12), line, _SIZE, "bad")
            y += 16
    canvas.rect((MARGIN, y + 10, 10, 10), "rim", round_=2)
    canvas.text((MARGIN + 16, y + 19), "before (profile)", _SIZE, "soft")
    canvas.rect((MARGIN + 130, y + 10, 10, 10), "fault", round_=2)
    canvas.text((MARGIN + 146, y + 19), "after, where a field drifted", _SIZE, "soft")
    canvas.rect((MARGIN + 330, y + 10, 10, 10), "good", round_=2)
    canvas.text((MARGIN + 346, y + 19), "after, where it did not", _SIZE, "soft")
    return y + 36


def _card(canvas: Canvas, field: FieldReport, x: float, y: float) -> None:
    room = _CARD - 2 * _PAD
    canvas.begin(f"{field.field}: {field.said or told_of(field)}")
    canvas.rect((x, y, _CARD, _TALL), "box", "fault" if field.drifted else "rim", width=1.0)
    canvas.text((x + _PAD, y + 22), field.field, 13, room=room, bold=True)
    said = field.said or ("values moved" if field.drifted else "as before")
    canvas.text((x + _PAD, y + 40), said, _SIZE, "fault" if field.drifted else "soft", room=room)
    canvas.text((x + _PAD, y + 57), told_of(field), 10.5, "soft", room=room)
    if field.bars is not None:
        _bars(canvas, field.bars, (x + _PAD, y + 70, room, _TALL - 70 - 30), drifted=field.drifted)
    canvas.end()


def _bars(canvas: Canvas, bars: Bars, place: tuple[float, float, float, float], *, drifted: bool) -> None:
    x, y, wide, tall = place
    top = max((*bars.before, *bars.after), default=0.0) or 1.0
    each = wide / max(len(bars.before), 1)
    colour = "fault" if drifted else "good"
    for at, (before, after) in enumerate(zip(bars.before, bars.after, strict=True)):
        half = min(each * 0.46, 22.0)
        middle = x + (at + 0.5) * each
        for share, left, fill in ((before, middle - half, "rim"), (after, middle, colour)):
            if share > 0.0:
                height = max(share / top * tall, 1.0)
                canvas.rect((left, y + tall - height, max(half - 0.4, 0.8), height), fill, round_=0)
    canvas.rect((x, y + tall, wide, 1), "rim", round_=0)
    _labels(canvas, bars, x, y + tall + 14, wide)


def _labels(canvas: Canvas, bars: Bars, x: float, y: float, wide: float) -> None:
    if bars.names:
        each = wide / len(bars.names)
        for at, name in enumerate(bars.names):
            if each < 28.0 and at % 2:
                continue
            room = each * (2 if each < 28.0 else 1) - 3
            canvas.text((x + (at + 0.5) * each, y), name[:_MOST_NAME], 9.5, "soft", room=room, anchor="middle")
        return
    edges = bars.edges
    middle = len(edges) // 2
    for at, anchor in ((0, "start"), (middle, "middle"), (len(edges) - 1, "end")):
        canvas.text((x + at / (len(edges) - 1) * wide, y), short(edges[at]), 9.5, "soft", anchor=anchor)


def told_of(field: FieldReport) -> str:
    """Every test of a field in one line: how far, and what counts."""
    if not field.distances:
        return unjudged(field)
    return " · ".join(f"{NAMES[one.test]} {one.effect:.3g} (from {one.least:g})" for one in field.distances)


def unjudged(field: FieldReport) -> str:
    """Why nothing was judged."""
    if field.type == "time":
        return "not judged: times go on"
    return f"not judged: {field.rows:,} values now, {field.then_rows:,} before"


def chance_text(chance: float) -> str:
    """A chance for people."""
    return "< 1e-99" if chance < _LEAST_CHANCE else f"{chance:.2g}"


def short(value: float) -> str:
    """A number for an axis."""
    return f"{value:.3g}" if abs(value) < 1e3 or abs(value) >= 1e6 else f"{value:,.0f}"


def _row(field: FieldReport) -> str:
    chance = min((one.adjusted for one in field.distances), default=None)
    cells = (
        field.field,
        field.type or "-",
        f"{field.rows:,}",
        told_of(field) if field.distances else "-",
        "-" if chance is None else chance_text(chance),
        (field.said or "drifted") if field.drifted else "as before" if field.distances else "not judged",
    )
    mark = ' class="drifted"' if field.drifted else ""
    return f"<tr{mark}>" + "".join(f"<td>{escape(clean(cell))}</td>" for cell in cells) + "</tr>"
