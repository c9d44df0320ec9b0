"""What is posted, in each chat's own form. No label can mention people, set marks or hide where a link leads."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from quell.errors import Refused
from quell.sdk.ticket_text import clean, cut, one_line, said

MAX_TITLE = 200
_MAX_EMBED_TITLE = 120
"""Discord takes 256 characters, and each may be written as two."""
_MAX_LINK = 1000
_MAX_LINES = 40
"""Of a card of Teams: each line is a part of its own, and a message may have 28 kB."""
_WORST = frozenset({"critical", "crit", "page", "emergency", "fatal", "disaster", "blocker", "p1", "sev1"})
_BAD = frozenset({"high", "error", "err", "major", "p2", "sev2"})
_MILD = frozenset({"info", "informational", "none", "debug", "notice", "low", "p4", "p5"})
_MARKUP = re.compile(r"([\\`*_~|\[\]<>#])")
_ADDRESS = re.compile(r"https?://[^\s<>\[\]()*`|\\]+")


@dataclass(frozen=True, slots=True)
class Post:
    """What a step or a page says, as plain text; ``text`` stands in lines."""

    title: str
    text: str
    severity: str = ""
    incident: str = ""
    link: str = ""

    @property
    def headline(self) -> str:
        """Severity and title, as far as there are any."""
        return f"{self.severity.upper()}: {self.title}" if self.severity and self.title else self.title


def post_of(params: Mapping[str, Any], most: int, size: str = "characters") -> Post:
    """Raises `Refused` when it would say nothing. ``most`` is how many characters (or bytes) of text the chat takes."""
    text, title = cut(said(params, "text"), most, size).strip(), one_line(said(params, "title"), MAX_TITLE)
    incident = one_line(said(params, "incident"), 80)
    head, _, rest = text.partition("\n")
    if title and incident and head.startswith(f"{incident} ") and rest.strip():
        text = rest.strip()  # the headline of a page says it already: the cause comes first
    if not text and not title:
        raise Refused('chat_webhook.send needs a "text"; nothing was posted')
    link = clean(said(params, "link")).strip()
    severity = one_line(said(params, "severity"), 20)
    return Post(title, text, severity, incident, link if len(link) <= _MAX_LINK else "")


def teams(post: Post) -> dict[str, Any]:
    """An Adaptive Card, as Teams' workflows take it. Runs of text show what they are given; text blocks have markup."""
    weight = {"weight": "Bolder", "size": "Medium", "color": _mood(post.severity)}
    body = [_runs(post.headline, **weight)] if post.headline else []
    lines = [line for line in post.text.splitlines() if line.strip()]
    body += [_runs(line) for line in lines[:_MAX_LINES]] + ([_runs("… (cut)")] if len(lines) > _MAX_LINES else [])
    body += [_runs(f"Incident {post.incident}", isSubtle=True, size="Small")] if post.incident else []
    card: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "body": body,
    }
    if post.link:
        card["actions"] = [{"type": "Action.OpenUrl", "title": "Open", "url": post.link}]
    content = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [content]}


def mattermost(post: Post) -> dict[str, Any]:
    """A message with an attachment, whose colour tells how bad it is."""
    attachment: dict[str, Any] = {
        "fallback": _unheard(post.headline or one_line(post.text, MAX_TITLE)),
        "color": f"#{_colour(post.severity):06X}",
        "text": _unheard(_unmarked(post.text)),
    }
    if post.headline:
        attachment["title"] = _unheard(post.headline)
        attachment |= {"title_link": post.link} if post.link else {}
    elif post.link:
        attachment["text"] += f"\n{post.link}"
    if post.incident:
        attachment["footer"] = _unheard(post.incident)
    return {"attachments": [attachment]}


def discord(post: Post) -> dict[str, Any]:
    """A message with an embed. Nobody is mentioned, whatever it says."""
    embed: dict[str, Any] = {"description": _unmarked(post.text), "color": _colour(post.severity)}
    if post.headline:
        embed["title"] = _unmarked(one_line(post.headline, _MAX_EMBED_TITLE))
    if post.link:
        embed |= {"url": post.link} if post.headline else {"description": f"{embed['description']}\n{post.link}"}
    if post.incident:
        embed["footer"] = {"text": post.incident}
    return {"embeds": [embed], "allowed_mentions": {"parse": []}}


def webex(post: Post) -> dict[str, Any]:
    """Plain text: Webex reads no markup in it, and mentions nobody."""
    foot = "\n".join(one for one in (post.link, f"Incident {post.incident}" if post.incident else "") if one)
    return {"text": "\n\n".join(part for part in (post.headline, post.text, foot) if part)}


@dataclass(frozen=True, slots=True)
class Chat:
    """One kind. ``most``: characters of text, or bytes if ``size`` says so, so that the whole fits.

    ``answers``: whether a GET of the webhook tells of it and posts nothing. ``query`` asks for an answer that comes
    only after the message was kept.
    """

    name: str
    most: int
    write: Callable[[Post], dict[str, Any]]
    answers: bool = False
    query: Mapping[str, str] | None = None
    size: str = "characters"


CHATS: Mapping[str, Chat] = {
    "teams": Chat("Microsoft Teams", 7_000, teams, size="bytes"),  # 28 kB as JSON, where a byte may become three
    "mattermost": Chat("Mattermost", 7_000, mattermost),  # 16,383 characters, where one may be written as two
    "discord": Chat("Discord", 1_500, discord, answers=True, query={"wait": "true"}),  # 4,096, the same
    "webex": Chat("Webex", 5_000, webex, size="bytes"),  # 7,439 bytes
}


def _runs(text: str, **look: Any) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": text, **look}]}


def _unmarked(text: str) -> str:
    """Markdown that shows ``text`` as it is; addresses stay as they are, and lead where they say."""
    parts, at = [], 0
    for found in _ADDRESS.finditer(text):
        parts += [_MARKUP.sub(r"\\\1", text[at : found.start()]), found[0]]
        at = found.end()
    return "".join([*parts, _MARKUP.sub(r"\\\1", text[at:])])


def _unheard(text: str) -> str:
    """Text in which "@all" calls nobody: a mark without width stands behind the sign."""
    return text.replace("@", "@\u200b")


def _mood(severity: str) -> str:
    word = severity.lower()
    return "Attention" if word in _WORST | _BAD else "Default" if word in _MILD or not word else "Warning"


def _colour(severity: str) -> int:
    word = severity.lower()
    if word in _WORST:
        return 0xB3261E
    if word in _BAD:
        return 0xD9730D
    return 0x5F6B7A if word in _MILD or not word else 0xC99A06
