"""The picture of a lineage: what a thing is made from above it, what needs it below, and where a version came from."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from quell.core.lineage import Lineage, Node
from quell.core.story import Link
from quell.model.times import format_time
from quell.picture.canvas import Canvas
from quell.picture.cast import Box, Cast, Line
from quell.picture.layout import BOX_WIDTH, MARGIN, WIDTH, Layout, Placed, lay_out
from quell.picture.words import clean, wrap

MOST_BOXES = 40
_PAD, _NAME, _SMALL = 10.0, 12.5, 10.5
_NAME_LINE, _SMALL_LINE = 16.0, 14.5
_ROOM = BOX_WIDTH - 2 * _PAD
_TEXT, _TEXT_LINE = 11.5, 16.0


@dataclass(frozen=True, slots=True)
class _Words:
    """What stands in a box."""

    kind: str
    name: tuple[str, ...]
    lines: tuple[tuple[str, str], ...]

    @property
    def height(self) -> float:
        """How tall the box is."""
        return 13.0 + _SMALL_LINE + len(self.name) * _NAME_LINE + len(self.lines) * _SMALL_LINE


def svg(lineage: Lineage) -> str:
    """A self-contained SVG, 900 pixels wide. The same lineage gives the same bytes."""
    nodes = sorted(lineage.nodes, key=lambda node: (abs(node.step), node.entity))[:MOST_BOXES]
    nodes.sort(key=lambda node: (node.step, node.entity))
    words = {node.entity: _words(node) for node in nodes}
    under, canvas = Canvas(), Canvas()
    under.text((MARGIN, 30), f"Lineage of {lineage.entity}", 17, bold=True, room=WIDTH - 2 * MARGIN)
    layout = lay_out(_cast(lineage, nodes), {name: told.height for name, told in words.items()}, 56)
    fed = _path(lineage)
    _draw_lines(under, layout, fed)
    for placed in layout.boxes:
        _draw_box(under, placed, words[placed.box.key], lineage.entity, fed)
    _name_lines(under, layout)
    y = _legend(under, lineage, len(nodes), layout.bottom + 28)
    for line in lineage.text.splitlines():
        for part in wrap(clean(line), WIDTH - 2 * MARGIN - 20, _TEXT, 3):
            y += _TEXT_LINE
            under.text((MARGIN + (0 if not line.startswith("  ") else 20), y), part, _TEXT, "ink")
    canvas.rect((0.5, 0.5, WIDTH - 1, y + MARGIN), "page", "edge", round_=10)
    canvas.extend(under)
    return canvas.svg(WIDTH, y + MARGIN + 1, f"Lineage of {lineage.entity}")


def dot(lineage: Lineage) -> str:
    """The same for Graphviz; arrows point the way data goes, from what is needed to what needs it."""
    lines = ["digraph lineage {", "  rankdir=LR;", '  node [shape=box, fontname="sans-serif"];']
    for node in lineage.nodes:
        told = _words(node)
        label = "\\n".join(_quoted(text) for text in (node.entity, *(text for text, _ in told.lines)))
        bold = ", penwidth=2.5" if node.entity == lineage.entity else ""
        lines.append(f'  "{_quoted(node.entity)}" [label="{label}"{bold}];')
    for edge in lineage.links:
        said = ", ".join(edge.sources) or "a record without a source"
        lines.append(
            f'  "{_quoted(edge.to)}" -> "{_quoted(edge.from_)}" [label="{_quoted(edge.type)}", '
            f'tooltip="says {_quoted(said)}"];'
        )
    return "\n".join([*lines, "}"]) + "\n"


def _quoted(text: str) -> str:
    return clean(text).replace("\\", "\\\\").replace('"', '\\"')


def _cast(lineage: Lineage, nodes: list[Node]) -> Cast:
    inside = {node.entity for node in nodes}
    boxes = tuple(Box(node.entity, node.step) for node in nodes)
    lines: dict[tuple[str, str], Line] = {}
    for edge in lineage.links:
        ends = (edge.to, edge.from_)
        if ends[0] in inside and ends[1] in inside and ends not in lines:
            lines[ends] = Line(*ends, Link(from_=edge.to, to=edge.from_, type=edge.type))
    return Cast(boxes, tuple(lines.values()))


def _words(node: Node) -> _Words:
    kind, _, name = node.entity.partition("/")
    lines = [(f"owner {node.owner}", "soft")] if node.owner else []
    if node.aliases:
        lines += [(f"{alias} → version {version}", "good") for alias, version in sorted(node.aliases.items())[:3]]
    elif node.version:
        lines.append((f"version {node.version}", "soft"))
    lines += [(f"◆ {one.type} {format_time(one.at)[:16].replace('T', ' ')}", "change") for one in node.changes[:2]]
    return _Words(kind, tuple(wrap(clean(name or node.entity), _ROOM, _NAME, 2, bold=True)), tuple(lines))


def _path(lineage: Lineage) -> set[str]:
    """What the version that is told of was made of, whose versions are known."""
    found: set[str] = set()
    waiting = list(lineage.origin.data) if lineage.origin is not None else []
    while waiting:
        fed = waiting.pop()
        found.add(fed.entity)
        found.update({fed.by} if fed.by else ())
        waiting += fed.inputs
    if lineage.origin is not None:
        found |= {lineage.entity, lineage.origin.made.by}
    return found


def _draw_lines(canvas: Canvas, layout: Layout, fed: set[str]) -> None:
    for route in layout.routes:
        main = route.line.source in fed and route.line.target in fed
        (_, y0), (x1, y1) = route.points[-2:]
        points = [*route.points[:-1], (x1, y1 - (3.0 if y1 > y0 else -3.0))]
        colour = "fault" if main else "rim"
        canvas.curve(points, colour, width=2.2 if main else 1.3, arrow=f"to-{colour}")


def _name_lines(canvas: Canvas, layout: Layout) -> None:
    """Kinds of dependencies where a line arrives alone, or leaves alone; elsewhere names would hide one another."""
    leaving = Counter(route.line.source for route in layout.routes)
    coming = Counter(route.line.target for route in layout.routes)
    for route in layout.routes:
        text = route.line.link.type.replace("_", " ")
        (x0, y0), (x1, y1) = route.points[0], route.points[-1]
        if coming[route.line.target] == 1:
            down = y1 > route.points[-2][1]
            canvas.text((x1 + 8, y1 - 8 if down else y1 + 15), text, 10, "soft", room=BOX_WIDTH / 2 - 10, halo=True)
        elif leaving[route.line.source] == 1:
            down = route.points[1][1] > y0
            canvas.text((x0 + 8, y0 + 15 if down else y0 - 8), text, 10, "soft", room=BOX_WIDTH / 2 - 10, halo=True)


def _draw_box(canvas: Canvas, placed: Placed, words: _Words, entity: str, fed: set[str]) -> None:
    here, name = placed.box.key == entity, placed.box.key
    canvas.begin(name)
    fill, line = ("cause", "fault") if here else ("path", "fault") if name in fed else ("box", "rim")
    canvas.rect((placed.x, placed.y, BOX_WIDTH, placed.height), fill, line, width=2.2 if here else 1.1)
    x, y = placed.x + _PAD, placed.y + 16.5
    canvas.text((x, y), words.kind, _SMALL, "soft", room=_ROOM)
    for part in words.name:
        y += _NAME_LINE
        canvas.text((x, y), part, _NAME, bold=True)
    for text, colour in words.lines:
        y += _SMALL_LINE
        canvas.text((x, y), text, _SMALL, colour, room=_ROOM)
    canvas.end()


def _legend(canvas: Canvas, lineage: Lineage, shown: int, y: float) -> float:
    left = len(lineage.nodes) + lineage.more - shown
    parts = ["Data go down: what stands above is needed by what stands below"]
    if lineage.origin is not None:
        parts.append(f"red: what version {lineage.origin.made.version} was made of")
    if left:
        parts.append(f"{left} more are not shown")
    canvas.text((MARGIN, y), "; ".join(parts), 10, "soft", room=WIDTH - 2 * MARGIN)
    return y + 6
