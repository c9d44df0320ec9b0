"""Where quell answers otherwise than Alertmanager 0.25 on purpose: each with its reason. All else must be equal."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from alertmanager.compare import Said

WORDS = {
    "bad filter: no operator": "quell's matcher grammar is the newer one and says what it expected",
    "bad filter: no name": "the same",
    "bad filter: groups": "the same",
    "bad silence: filter": "the same",
    "bad filter: broken regex": "another regular expression library words it",
    "bad filter: broken receiver": "the same",
    "bad silence: broken regex": "the same",
    "bad silence: a list": "another JSON library words it, and names the field",
    "bad silence: number for a comment": "the same",
    "bad silence: time that is none": "the form that is expected is named, not Go's reference time",
    "bad alert: garbage": "another JSON library words it, and names the field",
    "bad alert: cut off": "the same",
    "bad alert: an object": "the same",
    "bad alert: number as value": "the same",
    "bad alert: list as labels": "the same",
    "bad alert: time that is none": "the form that is expected is named, not Go's reference time",
}
"""Same status and same shape, other words. Where the old words name the failed part, ours begin alike."""

STATUSES = {
    "bad silence: delete unknown": (500, 404, "newer Alertmanagers answer 404"),
    "bad alert: a null": (0, 400, "0.25 crashes on it and closes the connection"),
    "bad alert: name of old": (400, 200, "any UTF-8 name is legal since 0.27"),
    "v1: alerts": (200, 410, "v1 is gone since 0.27"),
}
"""Another status: theirs, ours, reason. The bodies are then not compared."""

ADDED = {
    "mutedBy": "required by newer clients, ignored by older ones",
    "routeLabels": "required by newer clients, ignored by older ones",
}
"""Fields that only quell answers, with nothing in them here."""

OWN = {
    "config": "the configuration is each one's own",
    "versionInfo": "quell names itself, and the version whose API it serves",
}
"""Fields with the same names inside, and other content."""

FUTURE_START = "only an end, ahead: shown"
"""A start in the future is taken as now by the core: a fast clock must not make an alert that cannot be resolved."""


def comparable(name: str, said: Said, *, ours: bool) -> Said:
    """The answer without what is known to differ."""
    status, content = said.status, said.content
    if name in STATUSES:
        assert status == STATUSES[name][ours], f"{name}: {STATUSES[name][2]}"
        return Said(0, "", "")
    if name in WORDS:
        return replace(said, content=_first_words(content))
    content = _plain(content)
    if name == FUTURE_START:
        assert (content[0].pop("startsAt") == "<now>") == ours
    return replace(said, content=content)


def _plain(content: Any) -> Any:
    if isinstance(content, list):
        return [_plain(value) for value in content]
    if not isinstance(content, dict):
        return content
    assert all(not content[name] for name in ADDED if name in content), content
    return {
        name: sorted(value) if name == "versionInfo" else sorted(value)[:1] if name in OWN else _plain(value)
        for name, value in content.items()
        if name not in ADDED
    }


def _first_words(content: Any) -> Any:
    if isinstance(content, dict):
        return {"code": content["code"], "message": content["message"].partition("failed, because")[0]}
    assert isinstance(content, str)
    return content.partition("matcher 0: invalid regular expression")[0] if content.startswith("silence") else ""
