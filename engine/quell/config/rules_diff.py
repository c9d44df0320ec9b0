"""Suggestions as a unified diff against the files below rules/: what `git apply` takes, once a person has read it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from difflib import unified_diff
from typing import Any

import yaml

from quell.config.suggested import PLACES, entries, rules_file
from quell.model.habits import Suggestion

NEW_FILE = "rules/suggested.yaml"
_HEAD = "Suggested by quell. Review it; quell check says whether it fits."


def rules_diff(suggestions: Sequence[Suggestion], files: Mapping[str, str]) -> str:
    """The change of ``files`` (text by name, such as ``rules/triage.yaml``) that takes all suggestions in.

    A rule goes to the end of the first list of its kind, or into a file of its own when there is none that it could be
    added to without touching what stands there. A limit is changed where it stands. "" without suggestions.
    """
    changed = dict(files)
    for one in suggestions:
        if one.kind == "threshold":
            _limit(changed, one.rule)
    left = [one for one in suggestions if one.kind != "threshold"]
    for place in dict.fromkeys(PLACES[one.kind] for one in left):
        found = [one for one in left if PLACES[one.kind] == place]
        for name in sorted(files):
            text = _with(changed[name], place, found)
            if text is not None:
                changed[name] = text
                left = [one for one in left if one not in found]
                break
    if left:
        changed[_free(files)] = rules_file(left, _HEAD)
    return "".join(_diff(name, files.get(name), text) for name, text in sorted(changed.items()))


def _diff(name: str, before: str | None, after: str) -> str:
    old = [] if before is None else before.splitlines(keepends=True)
    lines = unified_diff(old, after.splitlines(keepends=True), f"a/{name}" if old else "/dev/null", f"b/{name}")
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def _limit(files: dict[str, str], rule: Mapping[str, Any]) -> None:
    """Changes the numbers of a detector in the file that has it; nothing where they do not stand as plain numbers."""
    for name, text in sorted(files.items()):
        try:
            after = _renumbered(text, rule)
        except (yaml.YAMLError, RecursionError, AttributeError, TypeError):
            continue
        if after is not None:
            files[name] = after
            return


def _renumbered(text: str, rule: Mapping[str, Any]) -> str | None:
    """The text with other limits in the detector of that name; None when it is not there, or more would change."""
    node, told = yaml.compose(text, Loader=yaml.SafeLoader), yaml.safe_load(text)
    entries = told.get("detect") if isinstance(told, dict) else None
    at = next((n for n, one in enumerate(entries or ()) if one.get("name") == rule["name"]), None)
    if at is None:
        return None
    spots = []
    for key, value in rule["when"]["threshold"].items():
        told["detect"][at]["when"]["threshold"][key] = value
        spot = _inside(node, ("detect", at, "when", "threshold", key))
        if not isinstance(spot, yaml.ScalarNode):
            return None
        spots.append((spot.start_mark.index, spot.end_mark.index, f"{Decimal(repr(value)).normalize():f}"))
    for begin, end, written in sorted(spots, reverse=True):
        text = text[:begin] + written + text[end:]
    return text if yaml.safe_load(text) == told else None


def _inside(node: Any, path: Iterable[str | int]) -> Any:
    for step in path:
        if isinstance(step, int):
            node = node.value[step]
        else:
            node = next((value for name, value in node.value if name.value == step), None)
    return node


def _free(files: Mapping[str, str]) -> str:
    """A name that no file has."""
    name, number = NEW_FILE, 1
    while name in files:
        number += 1
        name = NEW_FILE.replace(".yaml", f"-{number}.yaml")
    return name


def _with(text: str, place: tuple[str, ...], found: Sequence[Suggestion]) -> str | None:
    """The text with the rules at the end of the list at ``place``; None when it has no such list to add to."""
    try:
        node: Any = yaml.compose(text, Loader=yaml.SafeLoader)
        for key in place:
            pairs = node.value if isinstance(node, yaml.MappingNode) else ()
            node = next((value for name, value in pairs if name.value == key), None)
        if not isinstance(node, yaml.SequenceNode) or node.flow_style or not node.value:
            return None
        lines = text.splitlines(keepends=True)
        at = _last_line(node, lines) + 1
        added = [f"{line}\n" for line in entries(found, " " * node.start_mark.column)]
        if not lines[at - 1].endswith("\n"):
            lines[at - 1] += "\n"
        whole = "".join([*lines[:at], *added, *lines[at:]])
        return whole if _holds(whole, text, place, [dict(one.rule) for one in found]) else None
    except (yaml.YAMLError, RecursionError, AttributeError):
        return None


def _last_line(node: Any, lines: Sequence[str]) -> int:
    """The number of the last line, from 0, of what stands in a node."""
    if isinstance(node, yaml.ScalarNode) and node.style in {"|", ">"}:
        line = int(node.end_mark.line) - (node.end_mark.column == 0)
        while line > node.start_mark.line and not lines[line].strip():
            line -= 1
        return line
    if isinstance(node, yaml.ScalarNode) or node.flow_style or not node.value:
        return int(node.end_mark.line)
    last = node.value[-1]
    return max(_last_line(part, lines) for part in (last if isinstance(last, tuple) else (last,)))


def _holds(after: str, before: str, place: Iterable[str], rules: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the new text says what the old one said, and the rules."""
    was, now = yaml.safe_load(before), yaml.safe_load(after)
    inner = was
    *above, last = place
    for key in above:
        inner = inner[key]
    inner[last] = [*inner[last], *rules]
    return bool(was == now)
