"""The picture of an explanation: the cause on top, trouble travelling down, below it why, and why not the others."""

from __future__ import annotations

from datetime import UTC, datetime

from quell.core.explain import Explanation
from quell.core.trial import Candidate, Point
from quell.model.shares import percent
from quell.picture import boxes
from quell.picture.canvas import Canvas
from quell.picture.cast import NOWHERE, Cast, cast
from quell.picture.layout import BOX_WIDTH, MARGIN, WIDTH, Layout, Route, lay_out
from quell.picture.words import clean, width, wrap

INNER = WIDTH - 2 * MARGIN
_MOST_POINTS = 4
_MOST_IMPACT = 6
_SIZE, _LINE = 11.5, 16.0
_HEAD = 16.0


def svg(explanation: Explanation) -> str:
    """A self-contained SVG, 900 pixels wide. The same explanation gives the same bytes."""
    canvas, under = Canvas(), Canvas()
    y = _header(under, explanation)
    story = explanation.story
    if story.actors:
        told = cast(story)
        look = boxes.Look(story.started_at, clear=not explanation.no_clear_cause)
        heights = {box.key: boxes.height(box, look) for box in told.boxes}
        layout = lay_out(told, heights, y + 24)
        _graph(under, layout, explanation)
        y = _legend(under, told, layout.bottom + 30)
    y = _why(under, explanation, y + 8)
    y = _rejected(under, explanation, y)
    if explanation.impact:
        names = [clean(name) for name in explanation.impact[:_MOST_IMPACT]]
        more = len(explanation.impact) - len(names)
        told_of = ", ".join(names) + (f" and {more} more" if more > 0 else "")
        for part in wrap(f"Needed by users and reached: {told_of}", INNER, _SIZE, 3):
            under.text((MARGIN, y + 12), part, _SIZE, "soft")
            y += _LINE
    tall = y + MARGIN
    canvas.rect((0.5, 0.5, WIDTH - 1, tall - 1), "page", "edge", round_=10)
    canvas.extend(under)
    return canvas.svg(WIDTH, tall, f"{explanation.incident}: {explanation.title}")


def _header(canvas: Canvas, explanation: Explanation) -> float:
    scope = _shared_scope(explanation)
    told = (explanation.incident, explanation.status, explanation.severity, f"all in {scope}" if scope else "")
    marks = " · ".join(filter(None, told))
    canvas.text((MARGIN, 30), marks, 12, "soft", room=INNER)
    y = 34.0
    for part in wrap(clean(explanation.title), INNER, 17, 2, bold=True):
        y += 20
        canvas.text((MARGIN, y), part, 17, bold=True)
    y += 20
    canvas.text((MARGIN, y), _summary(explanation), 12, "soft", room=INNER)
    return y


def _summary(explanation: Explanation) -> str:
    """The cause, how sure, and how much it explains, in one line."""
    story, cause = explanation.story, explanation.cause
    alerting = [actor for actor in story.actors if actor.alerts]
    alerts = sum(len(actor.alerts) for actor in alerting)
    parts = [f"{alerts} alert{'s' * (alerts != 1)} at {len(alerting)} entit{'y' if len(alerting) == 1 else 'ies'}"]
    if story.started_at is not None:
        began = datetime.fromtimestamp(round(story.started_at), UTC)
        parts.append(f"first alert {began:%Y-%m-%d %H:%M:%S} UTC")
    if cause is None and any(actor.alerts for actor in story.actors):
        return " · ".join(["no cause: nothing is known that the alerts have in common", *parts])
    if cause is None:
        return " · ".join(["no cause: none of the alerts names an entity", *parts])
    if cause.confidence <= 0:
        return " · ".join([f"no clear cause: only {cause.entity} alerts", *parts])
    sure = "no clear cause; the best candidate is" if explanation.no_clear_cause else "first cause"
    return " · ".join([f"{sure} {cause.entity}, {percent(cause.confidence)} sure", *parts])


def _shared_scope(explanation: Explanation) -> str:
    """The namespace that everything in the picture is in; "" when there are several."""
    scopes = {actor.scope for actor in explanation.story.actors}
    return scopes.pop() if len(scopes) == 1 else ""


def _graph(canvas: Canvas, layout: Layout, explanation: Explanation) -> None:
    on_path = {end for link in explanation.story.links if link.main for end in (link.from_, link.to)}
    for route in sorted(layout.routes, key=lambda one: (one.line.link.main, not one.line.link.rival)):
        link = route.line.link
        colour = "fault" if link.main else "faint" if link.rival else "rim"
        dash = "2 4" if link.against else "5 4" if link.rival else ""
        canvas.curve(_short(route), colour, width=2.6 if link.main else 1.3, dash=dash, arrow=f"to-{colour}")
    clear, scoped = not explanation.no_clear_cause, not _shared_scope(explanation)
    for placed in layout.boxes:
        look = boxes.Look(explanation.story.started_at, clear=clear, scoped=scoped, on_path=placed.box.key in on_path)
        boxes.draw(canvas, placed, look)
    for route in layout.routes:
        _name(canvas, route)
    loose = [placed for placed in layout.boxes if placed.box.step == NOWHERE]
    if loose:
        top = min(placed.y for placed in loose) - 12
        text = "Joined by namespace and time, or to entities that nobody told of: no known way leads there"
        canvas.text((WIDTH / 2, top), text, boxes.SMALL, "soft", anchor="middle", halo=True)


def _short(route: Route) -> list[tuple[float, float]]:
    """The way with its end a little before the box, for the arrow."""
    (_, y0), (x1, y1) = route.points[-2:]
    back = 3.0 if y1 > y0 else -3.0
    return [*route.points[:-1], (x1, y1 - back)]


def _name(canvas: Canvas, route: Route) -> None:
    """The kind of dependency, beside the arrow's head."""
    link = route.line.link
    text = f"{link.type.replace('_', ' ')} {'↓' if link.against else '↑'}" if link.type else ""
    if link.rival:
        text = f"{link.skips} between" if link.skips > 0 else text
    if not text or route.line.merged > 1:
        return
    (x0, y0), (x1, y1) = route.points[-2:]
    left = x0 > x1 + 1.0  # the line comes from the right
    at = (x1 - 8 if left else x1 + 8, y1 - 8 if y1 > y0 else y1 + 15)
    if link.rival:
        (x0, y0), left = route.points[0], False
        at = (x0 + 8, y0 + 15)
    colour, anchor = "faint" if link.rival else "soft", "end" if left else "start"
    canvas.text(at, text, 10, colour, room=BOX_WIDTH / 2 - 10, anchor=anchor, halo=True)


def _legend(canvas: Canvas, told: Cast, y: float) -> float:
    """What lines and boxes mean; only what is in the picture. Returns where the next part may begin."""
    links = [line.link for line in told.lines]
    actors = [box.actor for box in told.boxes if box.actor is not None]
    entries = [
        ("fault", "", "path from the cause", any(link.main for link in links)),
        (
            "rim",
            "",
            "trouble travelled; calls ↑: the lower one calls the upper one",
            any(not one.rival for one in links),
        ),
        ("rim", "2 4", "against the dependency", any(link.against for link in links)),
        ("faint", "5 4", "rejected candidate", any(link.rival for link in links)),
    ]
    x = MARGIN
    for colour, dash, text, there in entries:
        if there:
            canvas.curve(((x, y - 4), (x + 26, y - 4)), colour, width=2.6 if colour == "fault" else 1.4, dash=dash)
            canvas.text((x + 32, y), text, 10, "soft")
            x += 32 + width(text, 10) + 16
    if any(not actor.alerts for actor in actors):
        if x + 220 > WIDTH:
            x, y = MARGIN, y + 16
        canvas.rect((x, y - 11, 26, 13), "page", "rim", dash="4 3", round_=3)
        canvas.text((x + 32, y), "silent: no alert of its own", 10, "soft")
    return y + 14


def _why(canvas: Canvas, explanation: Explanation, y: float) -> float:
    """For and against the first suspect, in two columns."""
    if not explanation.candidates:
        return y
    first = explanation.candidates[0]
    half = INNER / 2 - 12
    canvas.curve(((MARGIN, y), (WIDTH - MARGIN, y)), "edge", width=1)
    bottoms = []
    for x, head, sign, colour, points in (
        (MARGIN, f"For {first.entity}", "+", "good", first.points_for),
        (MARGIN + half + 24, "Against", "−", "bad", first.points_against),
    ):
        canvas.text((x, y + 22), head, 12.5, room=half, bold=True)
        bottoms.append(_points(canvas, points, (x, y + 24), half, (sign, colour)))
    return max(bottoms) + 8


def _points(
    canvas: Canvas, points: tuple[Point, ...], at: tuple[float, float], room: float, look: tuple[str, str]
) -> float:
    x, y = at
    sign, colour = look
    for point in points[:_MOST_POINTS]:
        canvas.text((x, y + _LINE), sign, _SIZE, colour, bold=True)
        for part in wrap(clean(point.text), room - 16, _SIZE, 3):
            y += _LINE
            canvas.text((x + 16, y), part, _SIZE)
        y += 2
    if not points:
        y += _LINE
        canvas.text((x, y), "nothing", _SIZE, "soft")
    if len(points) > _MOST_POINTS:
        y += _LINE
        canvas.text((x + 16, y), f"and {len(points) - _MOST_POINTS} more", _SIZE, "soft")
    return y


def _rejected(canvas: Canvas, explanation: Explanation, y: float) -> float:
    """Each rejected candidate with a bar for its share and the reason why it lost."""
    rejected = explanation.candidates[1:]
    if not rejected:
        return y + 4
    canvas.curve(((MARGIN, y + 4), (WIDTH - MARGIN, y + 4)), "edge", width=1)
    canvas.text((MARGIN, y + 26), "Rejected", 12.5, bold=True)
    y += 30
    for candidate in rejected:
        y = _candidate(canvas, candidate, y)
    return y + 6


def _candidate(canvas: Canvas, candidate: Candidate, y: float) -> float:
    bar = 70.0
    canvas.rect((MARGIN, y + 7, bar, 8), "bar", round_=3)
    if candidate.confidence > 0.01:
        canvas.rect((MARGIN, y + 7, max(3.0, bar * min(1.0, candidate.confidence)), 8), "faint", round_=3)
    canvas.text((MARGIN + bar + 36, y + _HEAD), percent(candidate.confidence), _SIZE, "soft", anchor="end")
    x = MARGIN + bar + 46
    canvas.text((x, y + _HEAD), candidate.entity, _SIZE, room=WIDTH - MARGIN - x, bold=True)
    y += _HEAD
    also = [one.text for one in candidate.points_against if one.code in {"order", "quiet"}]
    reasons = "; ".join(filter(None, [candidate.lost_because, *also]))
    for part in filter(None, wrap(clean(reasons), WIDTH - MARGIN - x, _SIZE, 2)):
        y += _LINE
        canvas.text((x, y), part, _SIZE, "soft")
    return y + 6
