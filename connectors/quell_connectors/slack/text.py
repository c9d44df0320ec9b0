"""Plain text with our two marks, as Slack writes it: nothing that somebody sent becomes a mention, a link or bold."""

from __future__ import annotations

import re

_MARK = re.compile(
    r"\*\*(?P<strong>[^\n]+?)\*\*|`(?P<code>[^`\n]+)`|(?P<url>https?://[^\s<>\"'|`]+[^\s<>\"'|`.,;:!?)\]}*])"
)
_FORMATTING = re.compile(r"(?<![\w*_~`])([*_~`])(?=\S)([^\n]*?\S)\1(?![\w*_~`])")
_QUOTE = re.compile(r"^(\s*)&gt;", re.MULTILINE)
_APART = "\u200b"
"""Of no width: keeps signs from being read as formatting."""
_UNSEEN = dict.fromkeys((*range(9), 11, 12, *range(14, 32), 127, 0x202A, 0x202B, 0x202D, 0x202E, 0xFEFF))
"""Control characters, and those that turn the direction of what follows."""
_SENT = re.compile(r"<([^<>]*)>")


def mrkdwn(text: str, most: int) -> str:
    """The text for a ``mrkdwn`` field of at most so many characters; what is left out is counted at its end."""
    text = text.translate(_UNSEEN)
    written = _written(text)
    if len(written) <= most:
        return written
    keep = min(len(text), most)
    while True:
        short = cut(text, keep)
        written = _written(short)
        if len(written) <= most or keep < 24:
            return written[:most]
        keep -= max(1, (len(written) - most) // 2)


def plain(text: str, most: int) -> str:
    """The text for a ``plain_text`` field, where nothing is formatted: our marks go, lines become one."""
    bare = re.sub(r"\*\*(.+?)\*\*", r"\1", text.translate(_UNSEEN)).replace("`", "")
    return cut(" ".join(bare.split()), most)


def preformatted(text: str, most: int) -> str:
    """The text between the fences of a code block, at most so many characters with them."""
    text = text.translate(_UNSEEN).replace("```", "'''")
    keep = most
    while len(inner := _escaped(cut(text, keep))) + 8 > most:
        keep -= max(1, (len(inner) + 8 - most) // 2)
    return f"```\n{inner}\n```"


def cut(text: str, most: int) -> str:
    """At most so many characters; what is missing is counted."""
    if len(text) <= most:
        return text
    tail = f"… (+{len(text) - most + 16} characters)"
    if most < 3 * len(tail):
        return text[: max(0, most - 1)].rstrip() + "…"
    kept = text[: most - len(tail)].rstrip()
    return f"{kept}… (+{len(text) - len(kept)} characters)"


def typed(text: str) -> str:
    """What somebody typed, as they saw it: mentions as ``@U…``, channels by name, links by their address."""
    shown = _SENT.sub(_seen, text)
    return shown.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&").strip()


def _seen(found: re.Match[str]) -> str:
    body, _, label = found[1].partition("|")
    if body.startswith("@"):
        return body
    if body.startswith("#"):
        return f"#{label}" if label else body
    if body.startswith("!"):
        return label or body[1:]
    # Slack makes links of what looks like an address ("checkout.example"): the label is what was typed.
    return label or body.removeprefix("mailto:")


def _written(text: str) -> str:
    parts, at = [], 0
    for found in _MARK.finditer(text):
        parts.append(_literal(text[at : found.start()]))
        parts.append(_marked(found, text))
        at = found.end()
    return "".join([*parts, _literal(text[at:])])


def _marked(found: re.Match[str], text: str) -> str:
    if found["url"]:
        return f"<{_escaped(found['url'])}>"
    sign, inner = ("*", _literal(found["strong"].strip())) if found["strong"] else ("`", _escaped(found["code"]))
    if not inner:
        return _literal(found[0])
    before = _APART if found.start() and text[found.start() - 1].isalnum() else ""
    after = _APART if found.end() < len(text) and text[found.end()].isalnum() else ""
    return f"{before}{sign}{inner}{sign}{after}"


def _literal(text: str) -> str:
    apart = _FORMATTING.sub(lambda found: f"{found[1]}{_APART}{found[2]}{_APART}{found[1]}", text)
    return _QUOTE.sub(rf"\1{_APART}&gt;", _escaped(apart))


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
