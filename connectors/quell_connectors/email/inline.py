"""Pictures within a mail, for programs that show HTML; the others show what is said of them in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from html import escape
from typing import Any

from quell.sdk.pictures import pngs_of

_PAGE = (
    '<!DOCTYPE html><html><body style="color:#1c2733">'
    '<pre style="font:13px/1.45 Consolas,Menlo,monospace;white-space:pre-wrap">{}</pre>{}</body></html>'
)
_PICTURE = '<p><img src="cid:{}" alt="{}" width="720" style="max-width:100%;height:auto;border:0"></p>'


@dataclass(frozen=True, slots=True)
class Inline:
    """A picture: ``cid`` is how the page names it, ``text`` says the same in words."""

    name: str
    alt: str
    text: str
    png: bytes
    cid: str


def pictures_of(params: Mapping[str, Any]) -> list[Inline]:
    """The pictures of a mail; what is none is left out, for the words matter more."""
    return [
        Inline(one.name, one.alt, one.text, one.png, f"{blake2b(one.png, digest_size=8).hexdigest()}@quell")
        for one in pngs_of(params.get("pictures"))
    ]


def page_of(text: str, pictures: Sequence[Inline]) -> str:
    """The text of a mail with its pictures below."""
    shown = "".join(_PICTURE.format(one.cid, escape(one.alt, quote=True)) for one in pictures)
    return _PAGE.format(escape(text), shown)
