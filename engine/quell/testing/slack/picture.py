"""Block Kit as a page of HTML that looks much like Slack, to see how a message reads before people get it."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

Blocks = Sequence[Mapping[str, Any]]

_STYLE = """
body{margin:0;padding:18px 20px;background:#fff;color:#1d1c1d;font:15px/1.46 Lato,"DejaVu Sans",sans-serif;
width:680px}
.channel{font-weight:900;border-bottom:1px solid #ddd;margin:-18px -20px 14px;padding:10px 20px}
.message{display:flex;gap:9px;margin-bottom:14px}.message.reply{margin-left:45px}
.face{width:36px;height:36px;border-radius:6px;background:#2b4c5c;color:#fff;font:700 17px/36px Lato,sans-serif;
 text-align:center;flex:none}
.who{font-weight:900}
.app{background:#eee;color:#616061;font-size:10px;border-radius:2px; padding:1px 3px;margin:0 4px;font-weight:700}
.when{color:#616061;font-size:12px}.body{flex:1;min-width:0}.only{color:#616061;font-size:13px}
h3{font-size:18px;line-height:1.33;margin:4px 0;font-weight:900}.block{margin:4px 0 8px}
.context{color:#616061;font-size:13px;display:flex;gap:8px;flex-wrap:wrap}
.fields{display:grid; grid-template-columns:1fr 1fr;gap:4px 16px}
pre{background:#f8f8f8;border:1px solid #ddd;border-radius:4px;padding:8px; margin:4px 0;
font:12px/1.5 "DejaVu Sans Mono",monospace;white-space:pre-wrap;word-break:break-word}
code{background:#f8f8f8;border:1px solid #ddd;border-radius:3px;color:#c01343;padding:1px 3px;
 font:12px "DejaVu Sans Mono",monospace}
a{color:#1264a3;text-decoration:none}img{max-width:480px;border-radius:6px; border:1px solid #ddd}
.actions{display:flex;gap:8px;flex-wrap:wrap}
.button{border:1px solid #bbb;border-radius:4px; padding:4px 12px;font-weight:700;font-size:13px;background:#fff}
.primary{background:#007a5a;color:#fff;border-color:#007a5a}.danger{color:#e01e5a;border-color:#e01e5a}
.danger.filled{background:#e01e5a;color:#fff}.menu{color:#616061;font-weight:400}
.view{border:1px solid #bbb;border-radius:8px;box-shadow:0 2px 12px #0002;width:520px}
.bar{font-weight:900;font-size:20px; padding:14px 20px;border-bottom:1px solid #ddd}.inner{padding:12px 20px}
.foot{border-top:1px solid #ddd;padding:12px 20px; display:flex;justify-content:flex-end;gap:8px}
.input{border:1px solid #bbb;border-radius:4px;padding:8px;min-height:20px; margin-top:4px;color:#616061}
.label{font-weight:700}
"""
_TOKEN = re.compile(
    r"```(?P<pre>.+?)```|`(?P<code>[^`\n]+)`|<(?P<link>[^<>]+)>|(?<!\w)\*(?P<bold>[^*\n]+)\*(?!\w)", re.DOTALL
)


def page(
    messages: Sequence[Mapping[str, Any]], channel: str = "incidents", files: Mapping[str, bytes] | None = None
) -> str:
    """A channel. A message has ``blocks`` or ``text``, and may have ``who``, ``when``, ``reply`` and ``only_for``.

    ``files`` are pictures by the id of their file.
    """
    told = "".join(_message(message, files or {}) for message in messages)
    return _html(f'<div class="channel"># {escape(channel)}</div>{told}')


def dialog(view: Mapping[str, Any]) -> str:
    """A dialog."""
    inner = "".join(_block(block, {}) for block in view["blocks"])
    buttons = "".join(
        f'<span class="button {look}">{escape(view[name]["text"])}</span>'
        for name, look in (("close", ""), ("submit", "primary"))
    )
    bar = escape(view["title"]["text"])
    parts = (("bar", bar), ("inner", inner), ("foot", buttons))
    return _html(f'<div class="view">{"".join(f"""<div class="{name}">{part}</div>""" for name, part in parts)}</div>')


def _html(body: str) -> str:
    return f'<!doctype html><html lang="en"><meta charset="utf-8"><style>{_STYLE}</style><body>{body}</body></html>'


def _message(message: Mapping[str, Any], files: Mapping[str, bytes]) -> str:
    who, when = str(message.get("who") or "quell"), str(message.get("when") or "03:12")
    app = '<span class="app">APP</span>' if who == "quell" else ""
    only = '<div class="only">Only visible to you</div>' if message.get("only_for") else ""
    blocks: Blocks = message.get("blocks") or []
    inner = "".join(_block(block, files) for block in blocks)
    inner = inner or f'<div class="block">{inline(str(message.get("text") or ""))}</div>'
    reply = " reply" if message.get("reply") else ""
    return (
        f'<div class="message{reply}"><div class="face">{escape(who[:1].lower())}</div><div class="body">{only}'
        f'<span class="who">{escape(who)}</span>{app} <span class="when">{escape(when)}</span>{inner}</div></div>'
    )


def _block(block: Mapping[str, Any], files: Mapping[str, bytes]) -> str:
    match block["type"]:
        case "header":
            return f"<h3>{escape(block['text']['text'])}</h3>"
        case "section":
            fields = "".join(f"<div>{_text(one)}</div>" for one in block.get("fields", ()))
            own = _text(block["text"]) if "text" in block else ""
            return f'<div class="block">{own}{f"""<div class="fields">{fields}</div>""" if fields else ""}</div>'
        case "context":
            return (
                f'<div class="block context">{"".join(f"<span>{_text(one)}</span>" for one in block["elements"])}</div>'
            )
        case "image":
            return f'<div class="block"><img alt="{escape(block["alt_text"])}" src="{_source(block, files)}"></div>'
        case "actions":
            return f'<div class="block actions">{"".join(map(_element, block["elements"]))}</div>'
        case "input":
            element = block["element"]
            chosen = element.get("initial_option")
            shown = chosen["text"]["text"] if chosen else str(element.get("initial_value") or "")
            more = " (optional)" if block.get("optional") else ""
            label = escape(block["label"]["text"])
            field = f'<div class="input">{escape(shown)}</div>'
            return f'<div class="block"><span class="label">{label}</span>{more}{field}</div>'
    return "<hr>"


def _source(block: Mapping[str, Any], files: Mapping[str, bytes]) -> str:
    if "slack_file" not in block:
        return escape(str(block["image_url"]))
    content = files.get(block["slack_file"]["id"], b"")
    sort = "image/svg+xml" if content.lstrip()[:1] == b"<" else "image/png"
    return f"data:{sort};base64,{b64encode(content).decode()}"


def _element(element: Mapping[str, Any]) -> str:
    if element["type"] == "button":
        return f'<span class="button {element.get("style", "")}">{escape(element["text"]["text"])}</span>'
    return f'<span class="button menu">{escape(element["placeholder"]["text"])} ▾</span>'


def _text(text: Mapping[str, Any]) -> str:
    return inline(text["text"]) if text["type"] == "mrkdwn" else escape(text["text"])


def inline(text: str) -> str:
    """Slack's own marks as HTML; text comes escaped already, as Slack wants it."""
    parts, at = [], 0
    for found in _TOKEN.finditer(text):
        parts.append(_literal(text[at : found.start()]))
        if found["pre"] is not None:
            parts.append(f"<pre>{_safe(found['pre'].strip(chr(10)))}</pre>")
        elif found["code"] is not None:
            parts.append(f"<code>{_safe(found['code'])}</code>")
        elif found["link"] is not None:
            url, _, label = found["link"].partition("|")
            parts.append(f'<a href="{_safe(url)}">{_safe(label or url)}</a>')
        else:
            parts.append(f"<b>{inline(found['bold'])}</b>")
        at = found.end()
    return "".join([*parts, _literal(text[at:])])


def _literal(text: str) -> str:
    return _safe(text).replace("\n", "<br>")


def _safe(text: str) -> str:
    return escape(text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
