"""What a step waits for, in words for people: the playbook's own, or those of conditions that are written often."""

from __future__ import annotations

import re
from functools import lru_cache

from quell.model.playbook import Wait

_EXISTS = re.compile(r"\s*(!?)\s*alerts\.exists\(\s*(\w+)\s*,(.+)\)\s*")
_PART = re.compile(r"""\s*(\w+)\.(name|kind|entity|severity|status)\s*==\s*(?:"([^"\\]*)"|'([^'\\]*)')\s*""")
_STATUS = re.compile(r"""\s*(incident|alert)\.status\s*(==|!=)\s*(?:"(\w+)"|'(\w+)')\s*""")
_STANDS = {"firing": "fires", "resolved": "is over", "open": "is open"}


def words_of(wait: Wait) -> str:
    """What is waited for as a clause, such as "no alert of kind drift fires"; "" where there are no words for it."""
    return wait.says or _read(wait.until)


def wanted(wait: Wait) -> str:
    """It for a sentence that says more: the words, and what they stand for."""
    words = words_of(wait)
    return f"{words} ({wait.until})" if words else wait.until


@lru_cache(maxsize=1024)
def _read(condition: str) -> str:
    status = _STATUS.fullmatch(condition)
    if status is not None:
        what, how, *value = status.groups()
        word = value[0] or value[1]
        stands = _STANDS.get(word, f"is {word}")
        if how == "==":
            return f"the {what} {stands}"
        return f"the {what} does not fire" if word == "firing" else f"the {what} is not {word}"
    exists = _EXISTS.fullmatch(condition)
    return _alerts(*exists.groups()) if exists is not None else ""


def _alerts(negated: str, variable: str, parts: str) -> str:
    """``alerts.exists(a, a.kind == "drift" && a.status == "firing")``; "" for anything else between the brackets."""
    told: dict[str, str] = {}
    for part in parts.split("&&"):
        found = _PART.fullmatch(part)
        if found is None or found[1] != variable or found[2] in told:
            return ""
        told[found[2]] = found[3] or found[4] or ""
    stands = _STANDS.get(told.pop("status", "firing" if not told else ""), "is there")
    which = [f"of kind {told['kind']}"] if "kind" in told else []
    which += [f"at {told['entity']}"] if "entity" in told else []
    which += [f"that is {told['severity']}"] if "severity" in told else []
    name = f" {told['name']}" if "name" in told else ""
    some = "no alert" if negated else "an alert"
    return " ".join([f"{some}{name}", *which, stands])
