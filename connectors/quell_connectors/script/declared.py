"""What the options say of each script."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from quell.errors import Misconfigured, Problem
from quell.model.playbook import Effect, Repeat

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_KEYS = ("effect", "repeat", "timeout", "dry_run", "before", "undo", "dashes")
_LENGTH = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)(ms|s|m|h)?")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True, slots=True)
class Declared:
    """One script. ``dashes``: arguments that begin with - are meant; ``dry_run``: it knows --dry-run."""

    name: str
    effect: Effect = "change"
    repeat: Repeat = "never"
    timeout_s: float = 60.0
    dry_run: bool = False
    before: str = ""
    undo: str = ""
    dashes: bool = False

    def fits(self, action: str) -> bool:
        """Whether an action may run it: none may promise more than the script keeps."""
        match action:
            case "read":
                return self.effect == "read"
            case "tell":
                return self.effect in ("read", "tell")
            case "ensure":
                return self.effect == "read" or self.repeat != "never"
        return True


def declared_scripts(given: Mapping[str, Any]) -> dict[str, Declared]:
    """Raises `Misconfigured` with everything that is wrong."""
    problems: list[str] = []
    scripts = {str(name): _script(str(name), raw, problems) for name, raw in given.items()}
    for script in scripts.values():
        problems += _dangling(script, scripts)
    if problems:
        raise Misconfigured([Problem("", 0, 0, problem) for problem in problems])
    return scripts


def _script(name: str, raw: Any, problems: list[str]) -> Declared:
    place = f'scripts: "{name}"'
    if not NAME.fullmatch(name):
        problems.append(f"{place} is no name of a file: letters, digits, dot, dash and underscore")
    if raw is None:
        raw = {}
    if not isinstance(raw, Mapping):
        problems.append(f"{place}: write a mapping such as {{effect: read}}")
        return Declared(name)
    unknown = [str(key) for key in raw if key not in _KEYS]
    problems += [f'{place}: unknown key "{key}"; there are {", ".join(_KEYS)}' for key in unknown]
    values: dict[str, Any] = {}
    for key, choices in (("effect", get_args(Effect)), ("repeat", get_args(Repeat))):
        if key in raw and raw[key] not in choices:
            problems.append(f'{place}: {key}: "{raw[key]}" is not one of {", ".join(choices)}')
        elif key in raw:
            values[key] = raw[key]
    for key in ("dry_run", "dashes"):
        if not isinstance(raw.get(key, False), bool):
            problems.append(f"{place}: {key}: write true or false")
    for key in ("before", "undo"):
        if not isinstance(raw.get(key, ""), str):
            problems.append(f"{place}: {key}: write the name of a script")
    length = _seconds(raw.get("timeout", 60))
    if length is None:
        problems.append(f'{place}: timeout: "{raw["timeout"]}" is no length of time such as 30s or 5m')
    return Declared(
        name,
        timeout_s=length or 60.0,
        dry_run=raw.get("dry_run") is True,
        dashes=raw.get("dashes") is True,
        before=str(raw.get("before") or ""),
        undo=str(raw.get("undo") or ""),
        **values,
    )


def _dangling(script: Declared, scripts: Mapping[str, Declared]) -> Iterator[str]:
    """What is wrong with the other scripts that one names."""
    before, undo = scripts.get(script.before), scripts.get(script.undo)
    place = f'scripts: "{script.name}"'
    if script.before and (before is None or before.effect != "read"):
        yield f'{place}: before: "{script.before}" is not declared here with effect: read'
    if script.undo and (undo is None or undo.repeat == "never"):
        yield f'{place}: undo: "{script.undo}" is not declared here with repeat: state, keyed or lookup'


def _seconds(given: Any) -> float | None:
    """Seconds of a number or a text with a unit; None for what is neither, or nothing."""
    if isinstance(given, bool):
        return None
    found = _LENGTH.fullmatch(str(given))
    length = float(found[1]) * _UNITS[found[2] or "s"] if found else 0.0
    return length or None
