"""Cards as HTML for mail: one column, styles inline, nothing that is loaded from anywhere, no script."""

from __future__ import annotations

import re
from html import escape
from itertools import groupby

from quell.sdk.chat import Card, Line

_FONT = "font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif"
_MONO = "font-family:ui-monospace,Menlo,Consolas,monospace"
_BODY = f"margin:0;padding:16px;background:#ffffff;color:#1d1c1d;font-size:15px;line-height:1.45;{_FONT}"
_SHORT_FACT = 48
_MARK = re.compile(r"\*\*(?P<strong>[^\n]+?)\*\*|`(?P<code>[^`\n]+)`")
_LOOKS = {
    "lead": "margin:0 0 8px;font-size:18px;font-weight:600",
    "cause": "margin:14px 0 4px",
    "fact": "margin:0 0 2px",
    "note": "margin:6px 0;color:#616061;font-size:13px",
}


def html_card(card: Card) -> str:
    """A whole document. Buttons are left out: a mail cannot act as anybody."""
    about = " · ".join(escape(part) for part in (card.severity, card.status) if part)
    parts = [f'<h1 style="margin:0 0 6px;font-size:21px">{_inline(card.title)}</h1>']
    parts += [f'<p style="{_LOOKS["note"]}">{about}</p>'] if about else []
    for kind, group in groupby(card.lines, key=lambda line: line.kind):
        parts.append(_block(kind, list(group)))
    if card.link.startswith(("https://", "http://")):
        parts.append(f'<p style="margin:14px 0 0"><a href="{escape(card.link)}">open in quell</a></p>')
    inner = "\n".join(parts)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>{escape(card.title)}</title></head>\n"
        f'<body style="{_BODY}"><div style="max-width:680px">\n{inner}\n</div></body></html>\n'
    )


def _block(kind: str, lines: list[Line]) -> str:
    if kind == "quote":
        rows = "\n".join(_diffed(line.text) for line in lines)
        style = f"margin:6px 0;padding:8px;background:#f8f8f8;border:1px solid #dddddd;font-size:12px;{_MONO}"
        return f'<pre style="{style};white-space:pre-wrap">{rows}</pre>'
    if kind == "item":
        rows = "".join(f"<li>{_inline(line.text)}</li>" for line in lines)
        return f'<ul style="margin:0 0 4px;padding-left:20px">{rows}</ul>'
    if kind == "fact" and len(lines) > 1 and all(len(line.text) <= _SHORT_FACT for line in lines):
        return _table(lines)
    return "\n".join(f'<p style="{_LOOKS[kind]}">{_labelled(line.text)}</p>' for line in lines)


def _table(lines: list[Line]) -> str:
    """Two columns, as a table: what mail programs know."""
    cells = [f'<td style="padding:0 24px 3px 0">{_labelled(line.text)}</td>' for line in lines]
    rows = "".join(f"<tr>{''.join(cells[at : at + 2])}</tr>" for at in range(0, len(cells), 2))
    return f'<table role="presentation" cellspacing="0" cellpadding="0" style="font-size:15px">{rows}</table>'


def _labelled(text: str) -> str:
    label, colon, rest = text.partition(": ")
    return (
        f"<b>{escape(label)}:</b> {_inline(rest)}" if colon and len(label) <= 28 and "*" not in label else _inline(text)
    )


def _diffed(line: str) -> str:
    colour = {"+": "#1a7f37", "-": "#b3261e"}.get(line[:1])
    return f'<span style="color:{colour}">{escape(line)}</span>' if colour else escape(line)


def _inline(text: str) -> str:
    """Our two marks; everything else is literal."""
    parts, at = [], 0
    for found in _MARK.finditer(text):
        parts.append(escape(text[at : found.start()]))
        strong = found["strong"]
        parts.append(f"<b>{escape(strong)}</b>" if strong else f'<code style="{_MONO}">{escape(found["code"])}</code>')
        at = found.end()
    return "".join([*parts, escape(text[at:])])
