"""An SVG as PNG, by a wheel that brings its own renderer (`pip install "quell[png]"`)."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any

from quell.errors import PictureError
from quell.picture.canvas import FONT

ZOOM = 2
"""Pixels a unit: text stays sharp on good screens and in chats."""
_PROBE = '<svg xmlns="http://www.w3.org/2000/svg" width="20" height="20">{}</svg>'
_LETTER = f'<text x="2" y="16" font-size="16" font-family="{FONT}">M</text>'


def png(svg: str) -> bytes:
    """The picture as PNG. Raises `PictureError` when the renderer is not installed or finds no font."""
    try:
        renderer: Any = import_module("resvg_py")
    except ModuleNotFoundError as error:
        raise PictureError(
            'PNG needs the renderer resvg-py, which is not installed; run: pip install "quell[png]", or take the SVG'
        ) from error
    if not _has_font(renderer.svg_to_bytes):
        raise PictureError(
            "PNG needs a font, and this machine has none; install one (such as the package fonts-dejavu-core), "
            "or take the SVG"
        )
    return bytes(renderer.svg_to_bytes(svg_string=svg, zoom=ZOOM))


@cache
def _has_font(render: Callable[..., bytes]) -> bool:
    """Whether a letter leaves a trace: without fonts the renderer leaves text out and says nothing."""
    with_letter, without = (bytes(render(svg_string=_PROBE.format(drawn))) for drawn in (_LETTER, ""))
    return with_letter != without
