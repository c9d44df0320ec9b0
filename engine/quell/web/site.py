"""Values as HTML: templates by Jinja, which escapes all that others wrote, and the files that pages need.

Nothing is loaded from elsewhere, and pages can be read without scripts: the one that there is asks now and then whether
a page has changed.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

from quell.chatops.cards import clock
from quell.model.shares import percent
from quell.model.times import format_duration, format_time

if TYPE_CHECKING:
    from jinja2 import Environment

_MARK = re.compile(r"\*\*(?P<strong>[^\n]+?)\*\*|`(?P<code>[^`\n]+)`")
_TYPES = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}


def render(name: str, /, **values: Any) -> str:
    """The page that a template makes of values."""
    return _environment().get_template(f"{name}.html").render(values)


@cache
def files_of_pages() -> dict[str, tuple[bytes, str]]:
    """The files that pages load, by name: their bytes and media types."""
    folder = files("quell.web").joinpath("static")
    return {
        each.name: (each.read_bytes(), _TYPES[each.name.rpartition(".")[2]])
        for each in folder.iterdir()
        if each.name.rpartition(".")[2] in _TYPES
    }


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415 - 5 MiB, for who looks at pages

    made = Environment(
        loader=PackageLoader("quell.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "moment": moment,
        "marked": marked,
        "percent": percent,
        "duration": format_duration,
        "legible": legible,
    }
    return made


def moment(at: float) -> Markup:
    """A time that a browser's script may tell as an age."""
    return Markup('<time datetime="{}">{} UTC</time>').format(format_time(at), clock(at))


def legible(value: object) -> str:
    """An argument with all that is in it: a line's end, and signs that turn what is read around, as what they are."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in str(value))


def marked(text: str) -> Markup:
    """A line of a card: its two marks as elements, all else literal."""
    made, at = Markup(), 0
    for found in _MARK.finditer(text):
        strong, code = found["strong"], found["code"]
        made += escape(text[at : found.start()])
        made += Markup("<strong>{}</strong>").format(strong) if strong else Markup("<code>{}</code>").format(code)
        at = found.end()
    return made + escape(text[at:])
