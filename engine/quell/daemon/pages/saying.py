"""What a form of a page says, as a command of the one grammar: who may do what is asked where it is done."""

from __future__ import annotations

from collections.abc import Mapping

from quell.chatops.words import quoted

VERBS = frozenset(
    {"ack", "resolve", "reopen", "snooze", "noise", "confirm", "doubt", "approve", "reject", "stop"}
)  # fmt: skip


def said_by(form: Mapping[str, str]) -> str:
    """The command that a form stands for; "" where it stands for none."""
    verb, about = form.get("verb", ""), form.get("about", "")
    if verb not in VERBS or not about:
        return ""
    words = [verb, quoted(about)]
    if verb == "snooze":
        words.append(quoted(form.get("for", "")))
    if verb == "approve":
        words.append(quoted(form.get("mark", "")))
        if form.get("version"):
            words += ["version", quoted(form["version"])]
    note = " ".join(form.get("note", "").split())
    return " ".join([*words, "because", note] if note else words)
