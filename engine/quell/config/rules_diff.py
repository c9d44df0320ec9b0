"""Suggestions as a unified diff against the files below rules/: what `git apply` takes, once a person has read it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
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
        except (yaml.YAMLError, RecursionError, AttributeError, TypeError, KeyError, ValueError):
            continue
        if after is not None:
            files[name] = after
            return


def _renumbered(text: str, rule: Mapping[str, Any]) -> str | None:
    """The text with other limits in the detector of that name; None when it is not there, or more would change."""
    node, told = yaml.compose(text, Loader=yaml.SafeLoader), yaml.safe_load(text)
    kind = "slos" if "burn" in rule else "detect"
    entries = told.get(kind) if isinstance(told, dict) else None
    at = next((n for n, one in enumerate(entries or ()) if one.get("name") == rule["name"]), None)
    if at is None:
        return None
    if kind == "slos":
        edits = list(_rates(node, told, at, rule["burn"]))
    else:
        ((condition, values),) = rule["when"].items()
        inner = told["detect"][at]["when"][condition]
        if condition == "threshold" and not inner.keys() >= values.keys():
            return None  # it has no such limit
        edits = [_edit(node, inner, ("detect", at, "when", condition), key, value) for key, value in values.items()]
    for begin, end, written in sorted(edits, reverse=True):
        text = text[:begin] + written + text[end:]
    return text if yaml.safe_load(text) == told else None


def _rates(node: Any, told: Any, at: int, rates: Sequence[Mapping[str, Any]]) -> Iterator[tuple[int, int, str]]:
    """Other burn rates of a service level: where they stand, the fastest first, or all of them where none do."""
    level = told["slos"][at]
    if "burn" not in level:
        yield _edit(node, level, ("slos", at), "burn", list(rates))
        return
    order = sorted(range(len(level["burn"])), key=lambda number: -level["burn"][number]["rate"])
    for number, rate in zip(order, rates, strict=True):
        if level["burn"][number]["rate"] != rate["rate"]:
            yield _edit(node, level["burn"][number], ("slos", at, "burn", number), "rate", rate["rate"])


def _edit(node: Any, told: dict[str, Any], path: tuple[str | int, ...], key: str, value: Any) -> tuple[int, int, str]:
    """Where a value is to be written, and how: in the place of the one there is, or before what stands beside it.

    Raises TypeError where that cannot be told.
    """
    known = key in told
    told[key] = value
    if known:
        spot = _inside(node, (*path, key))
        if not isinstance(spot, yaml.ScalarNode):
            raise TypeError
        return spot.start_mark.index, spot.end_mark.index, _scalar(value)
    around = _inside(node, path)
    if not isinstance(around, yaml.MappingNode) or not around.value:
        raise TypeError
    start = around.value[0][0].start_mark
    between = ", " if around.flow_style else "\n" + " " * start.column
    return start.index, start.index, f"{key}: {_scalar(value)}{between}"


def _scalar(value: Any) -> str:
    """A value on one line."""
    if isinstance(value, float):
        return f"{Decimal(repr(value)).normalize():f}"
    if isinstance(value, list):
        return f"[{', '.join(map(_scalar, value))}]"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{name}: {_scalar(one)}' for name, one in value.items())}}}"
    return str(value).lower() if isinstance(value, bool) else str(value)


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
