"""What is written into a ticket: the marks it is found by, and text cut to what a tracker takes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Literal

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
_CUT = "\n… (cut)"


def key_mark(key: str) -> str:
    """Stands for a key in a ticket, as a word that any search and any label takes: ``quell-`` and 16 digits."""
    return f"quell-{_digest(key)}"


def step_mark(token: str) -> str:
    """Stands for one act, so that its repeat finds what it wrote: ``quell-step-`` and 16 digits."""
    return f"quell-step-{_digest(token)}"


def _digest(text: str) -> str:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def clean(text: str) -> str:
    """Without control characters and halves of characters, which many trackers answer with an error."""
    return _CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def one_line(text: str, most: int) -> str:
    """``text`` as a title of ``most`` characters."""
    title = " ".join(clean(text).split())
    return title if len(title) <= most else title[: most - 1].rstrip() + "…"


def cut(text: str, most: int, size: str = "characters") -> str:
    """At most ``most`` characters (or UTF-8 bytes, with ``size`` "bytes"); what is missing is told at the end."""
    text = clean(text)
    room = most - measured(_CUT, size)
    if measured(text, size) <= most:
        return text
    if room <= 0:
        return ""
    if size == "bytes":
        return text.encode()[:room].decode("utf-8", "ignore") + _CUT
    return text[:room] + _CUT


def measured(text: str, size: str) -> int:
    """Length in characters or UTF-8 bytes."""
    return len(text.encode()) if size == "bytes" else len(text)


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What a tracker takes at most: ``title`` and ``text`` in characters, ``text`` in bytes if ``size`` says so.

    ``marks`` are "shown" below the text, "hidden" in an HTML comment (not shown where there is Markdown), or kept
    "aside", where the connector puts them.
    """

    title: int
    text: int
    size: str = "characters"
    marks: Literal["shown", "hidden", "aside"] = "shown"

    def written(self, text: str, said: str, marks: Iterable[str]) -> str:
        """``text`` with its marks behind it, which stay whatever has to be cut. ``said`` explains them to people."""
        if self.marks == "aside":
            return cut(text, self.text, self.size)
        if self.marks == "hidden":
            foot = f"<!-- {' '.join(marks)} -->"
        else:
            foot = " ".join([clean(said)[:200], *(f"[{mark}]" for mark in marks)]).strip()
        whole = cut(text, self.text - measured(foot, self.size) - 2, self.size)
        return f"{whole}\n\n{foot}" if whole else foot


@dataclass(frozen=True, kw_only=True, slots=True)
class Draft:
    """A ticket as it is to be: ``title`` and ``body`` are cut and marked, ``labels`` are clean lines.

    ``mark`` is that of the key, ``step`` that of the act.
    """

    key: str
    mark: str
    step: str
    title: str
    body: str
    severity: str = ""
    priority: str = ""
    labels: tuple[str, ...] = ()
    assign: str = ""


def draft_of(params: Mapping[str, Any], token: str, limits: Limits) -> Draft:
    """What the parameters of a ``ticket`` action ask for; pages name it by incident and say it in ``text``."""
    text = said(params, "body") or said(params, "text")
    key = key_of(params, token)
    marks = (key_mark(key), step_mark(token))
    return Draft(
        key=key,
        mark=marks[0],
        step=marks[1],
        title=one_line(said(params, "title") or text.partition("\n")[0] or key, limits.title),
        body=limits.written(text, f"quell, for {key}", marks),
        severity=said(params, "severity").lower(),
        priority=said(params, "priority"),
        labels=tuple(one_line(str(label), 255) for label in params.get("labels") or () if str(label).strip()),
        assign=said(params, "assign"),
    )


def key_of(params: Mapping[str, Any], token: str = "") -> str:
    """What a ticket is about: its key, else the incident, else the act itself."""
    return said(params, "key") or said(params, "incident") or token


def said(params: Mapping[str, Any], name: str) -> str:
    """A parameter as text; "" for one that was not given."""
    value = params.get(name)
    return "" if value is None else str(value)
