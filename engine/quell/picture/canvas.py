"""Elements of an SVG, written so that the same picture is the same bytes."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import pairwise

from quell.picture.words import clean, fit

FONT = (
    "'Segoe UI', Roboto, 'Helvetica Neue', Arial, 'Liberation Sans', 'Noto Sans', 'Open Sans', 'DejaVu Sans', Verdana, "
    "sans-serif"
)
_LIGHT = {
    "page": "#ffffff", "edge": "#d5dce4", "ink": "#1c2733", "soft": "#576675", "box": "#f6f8fa", "rim": "#aab7c4",
    "cause": "#fdeceb", "fault": "#c8372d", "path": "#fff6f3", "faint": "#8b97a4", "change": "#6b3fb8",
    "good": "#1a7a4a", "bad": "#ad5213", "bar": "#e7ecf1",
}  # fmt: skip
_DARK = {
    "page": "#11171e", "edge": "#2b3743", "ink": "#e7edf3", "soft": "#a3b1bf", "box": "#1a232d", "rim": "#4c5c6c",
    "cause": "#3b1c1c", "fault": "#ff7a70", "path": "#2a1f1e", "faint": "#74828f", "change": "#b99af2",
    "good": "#5cc48d", "bad": "#e9985c", "bar": "#27323d",
}  # fmt: skip


def number(value: float) -> str:
    """A coordinate with at most one decimal."""
    return f"{value:.1f}".removesuffix(".0")


def style() -> str:
    """Colours by class: ``f-`` fills, ``s-`` draws a line. Dark where the reader's system is."""
    light = _rules(_LIGHT)
    dark = _rules(_DARK)
    return f"<style>{light}\n@media (prefers-color-scheme: dark) {{{dark}}}</style>"


def _rules(colours: dict[str, str]) -> str:
    fills = "".join(f".f-{name}{{fill:{colour}}}" for name, colour in colours.items())
    return fills + "".join(f".s-{name}{{stroke:{colour}}}" for name, colour in colours.items())


class Canvas:
    """Collects elements from back to front."""

    def __init__(self) -> None:
        self._parts: list[str] = []

    def rect(
        self, place: tuple[float, float, float, float], fill: str, line: str = "", *, width: float = 1.0,
        dash: str = "", round_: float = 8.0,
    ) -> None:  # fmt: skip
        """A rectangle at (x, y, width, height)."""
        x, y, wide, tall = (number(value) for value in place)
        classes = f"f-{fill}" + (f" s-{line}" if line else "")
        drawn = (f' stroke-width="{number(width)}"' if line else "") + (f' stroke-dasharray="{dash}"' if dash else "")
        self._parts.append(
            f'<rect x="{x}" y="{y}" width="{wide}" height="{tall}" rx="{number(round_)}" class="{classes}"{drawn}/>'
        )

    def text(
        self, at: tuple[float, float], words: str, size: float, fill: str = "ink", *, room: float = 0.0,
        bold: bool = False, anchor: str = "start", halo: bool = False,
    ) -> None:  # fmt: skip
        """One line of text with its baseline at a point; made to fit into ``room`` when that is given."""
        shown = clean(words)
        if room:
            shown = fit(shown, room, size, bold=bold)
        weight = ' font-weight="600"' if bold else ""
        end = f' text-anchor="{anchor}"' if anchor != "start" else ""
        behind = ' stroke-width="4" stroke-linejoin="round"' if halo else ""
        x, y = number(at[0]), number(at[1])
        head = f'x="{x}" y="{y}" font-size="{number(size)}"{weight}{end}'
        told = escape(shown, quote=False)
        if halo:
            self._parts.append(f'<text {head} class="f-page s-page"{behind}>{told}</text>')
        self._parts.append(f'<text {head} class="f-{fill}">{told}</text>')

    def curve(
        self, points: Sequence[tuple[float, float]], line: str, *, width: float = 1.4, dash: str = "", arrow: str = ""
    ) -> None:
        """A line through points, leaving and arriving upright; ``arrow`` names the marker at its end."""
        drawn = f' stroke-dasharray="{dash}"' if dash else ""
        head = f' marker-end="url(#{arrow})"' if arrow else ""
        self._parts.append(
            f'<path d="{_curve(points)}" fill="none" class="s-{line}" stroke-width="{number(width)}"{drawn}{head}/>'
        )

    def begin(self, title: str) -> None:
        """Begins a group that shows ``title`` under the pointer."""
        self._parts.append(f"<g><title>{escape(clean(title), quote=False)}</title>")

    def end(self) -> None:
        """Ends the group."""
        self._parts.append("</g>")

    def extend(self, other: Canvas) -> None:
        """Puts all of another canvas on top."""
        self._parts += other._parts

    def svg(self, width: float, height: float, title: str) -> str:
        """The whole picture."""
        wide, tall = number(width), number(height)
        markers = "".join(_marker(name) for name in ("fault", "rim", "faint"))
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" height="{tall}" viewBox="0 0 {wide} {tall}" '
            f'role="img" font-family="{escape(FONT)}">'
        )
        return "\n".join([
            head,
            f"<title>{escape(clean(title), quote=False)}</title>",
            style(),
            f"<defs>{markers}</defs>",
            *self._parts,
            "</svg>\n",
        ])  # fmt: skip


def _marker(colour: str) -> str:
    return (
        f'<marker id="to-{colour}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        f'markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0.5 8 4 0 7.5z" class="f-{colour}"/></marker>'
    )


def _curve(points: Sequence[tuple[float, float]]) -> str:
    parts = [f"M{number(points[0][0])} {number(points[0][1])}"]
    for (x0, y0), (x1, y1) in pairwise(points):
        if abs(x0 - x1) < 0.05 or abs(y0 - y1) < 0.05:
            parts.append(f"L{number(x1)} {number(y1)}")
        else:
            half = (y0 + y1) / 2
            ends = (x0, half, x1, half, x1, y1)
            parts.append("C" + " ".join(number(value) for value in ends))
    return "".join(parts)
