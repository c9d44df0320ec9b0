"""Draws docs/pictures/walk.svg: one incident of the recorded storm, from its first cause along the graph to its alerts.

    python docs/draw_walk.py [--out FILE]

Nothing is drawn that the core did not say: the storm is replayed, and the explanation of the incident that blames a
change is put on paper. Arrows go the way trouble travels, from what is needed to what depends on it.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from html import escape
from itertools import groupby
from pathlib import Path

from quell.core.engine import Engine
from quell.core.explain import Explanation
from quell.model.alert import Alert
from quell.model.rulebook import Rulebook
from quell.model.times import format_duration
from quell.replay.deliveries import deliveries_for
from quell.replay.reader import Reader
from quell.replay.run import Replay
from quell.sdk.registry import load_connectors

HERE = Path(__file__).parent
STORM = HERE.parent / "examples" / "storm" / "stream.jsonl.gz"
WIDTH, BOX, GAP, TOP, STEP = 960, 214, 74, 128, 84
STYLE = """
    text { font: 13px system-ui, sans-serif; fill: #1f2328; }
    .bold { font-weight: 600; } .small { font-size: 12px; fill: #59636e; } .title { font-size: 16px; font-weight: 600; }
    .sheet { fill: #ffffff; stroke: #d1d9e0; } .box { fill: #f6f8fa; stroke: #818b98; }
    .cause { fill: #ffebe9; stroke: #cf222e; stroke-width: 2; } .alerting { fill: #fff8c5; stroke: #9a6700; }
    .silent { stroke-dasharray: 4 3; } .change { fill: #ddf4ff; stroke: #0969da; }
    .edge { stroke: #818b98; fill: none; } .way { stroke: #cf222e; stroke-width: 2.5; fill: none; }
    .head { fill: #818b98; } .wayhead { fill: #cf222e; }
    @media (prefers-color-scheme: dark) {
      text { fill: #f0f6fc; } .small { fill: #9198a1; }
      .sheet { fill: #0d1117; stroke: #3d444d; } .box { fill: #151b23; stroke: #656c76; }
      .cause { fill: #3c1618; stroke: #f85149; } .alerting { fill: #2e2411; stroke: #d29922; }
      .change { fill: #121d2f; stroke: #4493f8; } .edge { stroke: #656c76; } .way { stroke: #f85149; }
      .head { fill: #656c76; } .wayhead { fill: #f85149; }
    }
"""


def main() -> None:
    """Replays, picks the incident that blames a change, draws it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--out", type=Path, default=HERE / "pictures" / "walk.svg")
    out: Path = parser.parse_args().out
    engine = replayed()
    told = [found for name in engine.state.incidents if (found := engine.explain(name)) and found.change]
    explanation = max(told, key=lambda one: one.cause.confidence if one.cause else 0.0)
    out.write_text(drawn(engine, explanation), encoding="utf-8")
    print(f"{out}: {explanation.title}")


def replayed() -> Engine:
    """The core after the recorded storm."""
    run = Replay(Rulebook())
    reader = Reader(deliveries_for((), load_connectors()), strict=True)
    for seen, records in groupby(reader.read(STORM), key=lambda record: record.seen or record.at):
        run.turn(list(records), seen)
    run.settle(15.0)
    return run.engine


def ways(engine: Engine, cause: str, ends: Sequence[str]) -> dict[str, str]:
    """For the entities on shortest ways from the cause to the ends: the one before, nearer to the cause."""
    needed_by: dict[str, list[str]] = {}
    for edge in engine.state.dependencies.values():
        needed_by.setdefault(edge.to, []).append(edge.from_)
    before: dict[str, str] = {cause: ""}
    ring = [cause]
    while ring:
        reached = []
        for entity in ring:
            for other in sorted(needed_by.get(entity, ())):
                if other not in before:
                    before[other] = entity
                    reached.append(other)
        ring = reached
    kept: dict[str, str] = {}
    for end in ends:
        at = end
        while at and at not in kept and at in before:
            kept[at] = before[at]
            at = before[at]
    return kept


def places(before: Mapping[str, str], path: Sequence[str]) -> dict[str, tuple[float, float]]:
    """Left upper corners: a column for each hop from the cause, the way to the furthest symptom on top."""
    columns: dict[int, list[str]] = {}
    for entity in before:
        hops, at = 0, entity
        while before[at]:
            hops, at = hops + 1, before[at]
        columns.setdefault(hops, []).append(entity)
    found: dict[str, tuple[float, float]] = {}
    for hops, entities in columns.items():
        for row, entity in enumerate(sorted(entities, key=lambda one: (one not in path, one))):
            found[entity] = (28.0 + hops * (BOX + GAP), TOP + row * STEP)
    return found


def drawn(engine: Engine, told: Explanation) -> str:
    """The picture as SVG text."""
    cause, change = told.cause, told.change
    assert cause is not None
    assert change is not None
    incident = engine.state.incidents[told.incident]
    alerts: dict[str, list[Alert]] = {}
    for mark in incident.alerts:
        alert = engine.state.alerts[mark]
        alerts.setdefault(alert.entity or "", []).append(alert)
    before = ways(engine, cause.entity, [*cause.path, *alerts])
    for nearer, further in zip(cause.path, cause.path[1:], strict=False):
        before[further] = nearer
    at = places(before, cause.path)
    bottom = max(y for _, y in at.values()) + STEP + 4
    lines = [f'<text x="28" y="40" class="title">{escape(head(told))}</text>']
    onset = cause.onset or incident.opened_at
    lines.append(box(28, 64, "change", f"{change.type} {change.id}", when(change.at, onset)))
    lines.append(arrow((28 + BOX / 2, 104), (28 + BOX / 2, TOP - 2), way=True))
    on_way = set(zip(cause.path, cause.path[1:], strict=False))
    for entity, nearer in before.items():
        if nearer:
            (x1, y1), (x2, y2) = at[nearer], at[entity]
            lines.append(arrow((x1 + BOX, y1 + 24), (x2 - 2, y2 + 24), way=(nearer, entity) in on_way))
    for entity, (x, y) in at.items():
        here = alerts.get(entity, [])
        kind = "cause" if entity == cause.entity else "alerting" if here else "box silent"
        lines.append(box(x, y, kind, entity.rpartition("/")[2], said(here, onset)))
    lines.append(f'<text x="28" y="{bottom}" class="bold">runners-up, and why they lost</text>')
    for row, suspect in enumerate(told.runners_up[:3], 1):
        text = f"{suspect.confidence:.0%}  {suspect.entity}: {suspect.lost_because}"
        lines.append(f'<text x="28" y="{bottom + 21 * row}" class="small">{escape(text)}</text>')
    height = bottom + 21 * 3 + 24
    body = "\n  ".join(lines)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height:.0f}" '
        f'viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{escape(told.text, quote=True)}">\n'
        f"  <style>{STYLE}  </style>\n"
        '  <defs><marker id="head" markerWidth="9" markerHeight="8" refX="8" refY="4" orient="auto">'
        '<path class="head" d="M0,0 L9,4 L0,8 z"/></marker>\n'
        '  <marker id="wayhead" markerUnits="userSpaceOnUse" markerWidth="12" markerHeight="10" refX="11" refY="5" '
        'orient="auto"><path class="wayhead" d="M0,0 L12,5 L0,10 z"/></marker></defs>\n'
        f'  <rect class="sheet" x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1:.0f}" rx="8"/>\n'
        f"  {body}\n</svg>\n"
    )


def head(told: Explanation) -> str:
    """The incident in one line."""
    assert told.cause is not None
    name = told.cause.entity.rpartition("/")[2]
    return f"first cause: {told.cause.kind} {told.cause.change} of {name}, confidence {told.cause.confidence:.0%}"


def when(at: float, onset: float) -> str:
    """A time beside the one at which trouble began."""
    return f"{format_duration(round(abs(onset - at)))} {'before' if at <= onset else 'after'} trouble began"


def said(alerts: Sequence[Alert], onset: float) -> str:
    """The alerts of an entity and when the first began."""
    if not alerts:
        return "no alert of its own"
    names = list(dict.fromkeys(alert.name for alert in alerts))
    shown = names[0] + (f" and {len(names) - 1} more" if len(names) > 1 else "")
    first = min(alert.starts_at for alert in alerts)
    return f"{shown}|first {format_duration(round(abs(first - onset)))} {'after' if first >= onset else 'before'}"


def box(x: float, y: float, kind: str, title: str, text: str) -> str:
    """A box with a bold line and one or two small ones below."""
    lines = text.split("|")
    height = 30 + 16 * len(lines) - (6 if len(lines) == 1 else 0)
    parts = [
        f'<rect class="box {kind}" x="{x:.0f}" y="{y:.0f}" width="{BOX}" height="{height}" rx="6"/>',
        f'<text class="bold" x="{x + 10:.0f}" y="{y + 18:.0f}">{escape(shortened(title, 28))}</text>',
    ]
    for row, line in enumerate(lines):
        words = escape(shortened(line, 32))
        parts.append(f'<text class="small" x="{x + 10:.0f}" y="{y + 34 + 16 * row:.0f}">{words}</text>')
    return "\n  ".join(parts)


def arrow(start: tuple[float, float], end: tuple[float, float], *, way: bool) -> str:
    """An arrow; those of the way from the cause to the furthest symptom stand out."""
    (x1, y1), (x2, y2) = start, end
    bend = (x2 - x1) / 2
    curve = f"M{x1:.0f},{y1:.0f} C{x1 + bend:.0f},{y1:.0f} {x2 - bend:.0f},{y2:.0f} {x2:.0f},{y2:.0f}"
    kind, mark = ("way", "wayhead") if way else ("edge", "head")
    return f'<path class="{kind}" d="{curve}" marker-end="url(#{mark})"/>'


def shortened(text: str, most: int) -> str:
    """Text that fits."""
    return text if len(text) <= most else text[: most - 1] + "…"


if __name__ == "__main__":
    main()
