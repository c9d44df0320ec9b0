"""Simple workflows of Keep as playbooks: one trigger, steps in a row, values put in by name.

What a workflow computes in templates (functions, loops, conditions pasted together from text) is not guessed at: such
a step is left out, said in the report and in the file, and the playbook is off until somebody has looked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from quell.config.nodes import Document, Path
from quell.importing.keep_steps import Untold, action_of, holds_secret, template
from quell.importing.report import Report
from quell.model.mute import Matcher

_UNFIT = re.compile(r"[^a-z0-9]+")
_EVENTS = {"created": "opened", "updated": "suspects_changed"}
_SEVERITIES = {"critical", "high", "warning", "info", "low"}
_EVERY_SOURCE = "alerts of every source begin it: where an alert came from is no label here"
_SOURCE = re.compile(r"(^|&&)\s*source\s*[=!]=")
_FILTER_LABELS = {"name": "alertname"}
_KNOWN = {
    "id", "name", "description", "triggers", "steps", "actions", "consts", "disabled", "on-failure", "owners",
    "services", "debug", "state",
}  # fmt: skip
_LEAST_EVERY_S = 60
_LONGEST_NAME = 60


@dataclass(slots=True)
class Workflow:
    """A playbook as plain values, whether all of it is here, and the sources that it needs."""

    name: str
    playbook: dict[str, Any] = field(default_factory=dict)
    whole: bool = True
    sources: dict[str, dict[str, Any]] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)


def is_keep(value: Any) -> bool:
    """Whether a document looks like a workflow of Keep."""
    return isinstance(value, dict) and isinstance(value.get("workflow", value.get("alert")), dict)


def workflows_from(document: Document, report: Report) -> list[Workflow]:
    """One playbook per trigger, since a playbook here begins in one way."""
    root = "workflow" if "workflow" in document.value else "alert"
    raw: Mapping[str, Any] = document.value[root]
    triggers = [each for each in raw.get("triggers") or [{"type": "manual"}] if isinstance(each, dict)]
    for name in raw.keys() - _KNOWN:
        report.left_out((root, name), name, "quell has nothing like it")
    base = _UNFIT.sub("-", str(raw.get("id") or raw.get("name") or "workflow").lower()).strip("-") or "workflow"
    base = base[:_LONGEST_NAME]
    found: list[Workflow] = []
    for index, trigger in enumerate(triggers):
        kind = _UNFIT.sub("-", str(trigger.get("type") or "manual").lower()).strip("-")[:_LONGEST_NAME]
        one = Workflow(base if len(triggers) == 1 else _free(f"{base}-{kind}", found))
        when = _when(trigger, (root, "triggers", index), one, report)
        steps = _steps(raw, root, one, report, index == 0)
        if not steps:
            report.left_out((root,), f"workflow for trigger {kind}", "none of its steps can be said here")
            continue
        consts = _consts(raw, root, one, report, index == 0)
        one.playbook = {
            "playbook": one.name,
            "version": 1,
            "summary": " ".join(str(raw.get("description") or raw.get("name") or "").split())[:300],
            "when": when,
            "mode": "shadow" if one.whole and not raw.get("disabled") else "off",
            **({"vars": consts} if consts else {}),
            "steps": steps,
        }
        mode = one.playbook["mode"]
        report.carried((root,), f"workflow for trigger {kind}", f'playbook "{one.name}", mode {mode}')
        found.append(one)
    return found


def _free(name: str, taken: Sequence[Workflow]) -> str:
    """A name of its own: it is the name of a file, too."""
    used, free, number = {one.name for one in taken}, name, 1
    while free in used:
        number += 1
        free = f"{name}-{number}"
    return free


def _consts(raw: Mapping[str, Any], root: str, one: Workflow, report: Report, tell: bool) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in _mapping(raw.get("consts")).items():
        why = "it seems to be a secret, which may not stand in a file that goes to git"
        try:
            if not holds_secret(value, str(name)):
                found[str(name)] = template(value)
                continue
        except Untold as error:
            why = str(error)
        one.whole = False
        if tell:
            report.left_out((root, "consts", name), f'constant "{name}"', why)
    return found


def _when(trigger: Mapping[str, Any], path: Path, one: Workflow, report: Report) -> dict[str, Any]:
    kind = str(trigger.get("type") or "manual")
    if kind == "interval":
        value = str(trigger.get("value"))
        seconds = int(value) if value.isdecimal() else 0
        if seconds < _LEAST_EVERY_S:
            report.changed(path, "trigger interval", f'"{value}" seconds: a minute is the shortest here')
        return {"every": f"{max(seconds, _LEAST_EVERY_S)}s"}
    if kind == "incident":
        wanted = [str(event) for event in trigger.get("events") or ["created"]]
        events = list(dict.fromkeys(_EVENTS[event] for event in wanted if event in _EVENTS))
        for event in wanted:
            if event != "created":
                why = "runs when there is another first suspect" if event in _EVENTS else "has no event here"
                (report.changed if event in _EVENTS else report.left_out)(path, f'incident event "{event}"', why)
        return {"incident": events or ["opened"]}
    if kind == "alert":
        return _alert(trigger, path, one, report)
    if kind != "manual":
        one.whole = False
        report.left_out(path, f'trigger "{kind}"', "quell has no such trigger; only a person starts the playbook")
    return {"by_hand": True}


def _alert(trigger: Mapping[str, Any], path: Path, one: Workflow, report: Report) -> dict[str, Any]:
    """Filters become matchers. A CEL text of Keep means other fields, so only plain comparisons are read."""
    matchers: list[Matcher] = []
    for each in trigger.get("filters") or []:
        matcher = _filter(each) if isinstance(each, dict) else None
        if matcher is None:
            one.whole = False
            report.left_out((*path, "filters"), "filter", f"{each} is not a comparison of a label")
        elif not matcher:
            report.changed((*path, "filters"), f'filter source "{each.get("value")}"', _EVERY_SOURCE)
        else:
            matchers += matcher
    cel = trigger.get("cel")
    if isinstance(cel, str) and cel.strip():
        read = _comparisons(cel)
        if read is None:
            one.whole = False
            report.left_out((*path, "cel"), "cel", f'write it as matchers, or as "if" over alert: {cel.strip()}')
        else:
            matchers += read
            if _SOURCE.search(cel):
                report.changed((*path, "cel"), f"cel {cel.strip()}", _EVERY_SOURCE)
    for name in ("only_on_change", "severity_changed"):
        if trigger.get(name):
            report.changed((*path, name), name, "a playbook here runs once for each firing of an alert")
    if not matchers:
        matchers.append(Matcher(name="alertname", value="", is_equal=False))
    return {"alert": ", ".join(map(str, matchers))}


def _filter(each: Mapping[str, Any]) -> list[Matcher] | None:
    key, value = str(each.get("key") or ""), each.get("value")
    exclude = bool(each.get("exclude"))
    if key == "source":
        return []  # where an alert came from is no label here
    label = _FILTER_LABELS.get(key, key.removeprefix("labels."))
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", label) or not isinstance(value, str):
        return None
    pattern = re.fullmatch(r'r"(.*)"', value)
    if pattern:
        return [Matcher(name=label, value=pattern[1], is_regex=True, is_equal=not exclude)]
    return [Matcher(name=label, value=value, is_equal=not exclude)]


_COMPARISON = re.compile(r"""\s*([A-Za-z_][\w.]*)\s*(==|!=)\s*(?:'([^'\\]*)'|"([^"\\]*)")\s*""")


def _comparisons(cel: str) -> list[Matcher] | None:
    """``name == "x" && severity != 'info'`` as matchers; None for anything else."""
    found: list[Matcher] = []
    for part in cel.split("&&"):
        read = _COMPARISON.fullmatch(part)
        matcher = None
        if read is not None:
            value = read[3] if read[3] is not None else read[4]
            matcher = _filter({"key": read[1], "value": value, "exclude": read[2] == "!="})
        if matcher is None:
            return None
        found += matcher
    return found


def _steps(raw: Mapping[str, Any], root: str, one: Workflow, report: Report, tell: bool) -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = []
    for key in ("steps", "actions"):
        for index, each in enumerate(raw.get(key) or []):
            path: Path = (root, key, index)
            given = _mapping(each)
            part = f'{key[:-1]} "{given.get("name") or index + 1}"'
            try:
                action = action_of(given, [step["id"] for step in steps])
            except Untold as error:
                one.whole = False
                if tell:
                    report.left_out(path, part, str(error))
                continue
            one.sources |= action.sources
            one.secrets |= action.secrets
            steps.append(action.step)
            if tell:
                report.carried(path, part, f"step {action.step['id']}: {action.step['do']}")
    if raw.get("on-failure") and tell:
        report.left_out((root, "on-failure"), "on-failure", "write it under on_failure: by hand")
    return steps


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
