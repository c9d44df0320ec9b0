"""A file of another system as files of ours, by name, with a report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from quell.config.nodes import read_document
from quell.config.written import as_yaml, comment
from quell.errors import Misconfigured, Problem
from quell.importing.alertmanager import is_alertmanager, taken_from
from quell.importing.keep import is_keep, workflows_from
from quell.importing.report import Report


@dataclass(frozen=True, slots=True)
class Imported:
    """``files`` by their path below the directory; ``secrets`` are variables to be set, and what each is."""

    what: str
    files: Mapping[str, str]
    report: Report
    secrets: Mapping[str, str]


def imported(name: str, data: bytes) -> Imported:
    """Reads a configuration of Alertmanager or a workflow of Keep. Raises `Misconfigured` when it is neither."""
    document, problems = read_document(name, data, private=True)
    if document is None or problems:
        raise Misconfigured(problems)
    report = Report(document)
    if is_alertmanager(document.value):
        return _alertmanager(name, document, report)
    if is_keep(document.value):
        return _keep(name, document, report)
    hint = 'a configuration of Alertmanager has "route" and "receivers", a workflow of Keep has "workflow"'
    raise Misconfigured(
        [Problem(name, 1, 1, "this is neither Alertmanager's configuration nor a workflow of Keep", hint)]
    )


def _alertmanager(name: str, document: Any, report: Report) -> Imported:
    taken = taken_from(document, report)
    settings: dict[str, Any] = {"sources": taken.sources, "pages": taken.pages}
    if taken.resolve_timeout:
        settings["resolve_timeout"] = taken.resolve_timeout
    files = {"quell.yaml": _file(f"Pages and sources, from {name}.", settings)}
    if taken.inhibit:
        text = "While an alert that matches source fires, those that match target are muted; "
        files["rules/inhibit.yaml"] = _file(f"{text}from {name}.", {"inhibit": taken.inhibit})
    if taken.windows:
        files["rules/windows.yaml"] = _file(
            f"Times in which alerts are muted, from {name}.", {"windows": taken.windows}
        )
    return Imported("Alertmanager's configuration", files, report, taken.secrets)


def _keep(name: str, document: Any, report: Report) -> Imported:
    files: dict[str, str] = {}
    secrets: dict[str, str] = {}
    sources: dict[str, Any] = {"alertmanager": {"use": "alertmanager"}, "console": {"use": "console"}}
    for one in workflows_from(document, report):
        head = f"From the workflow in {name}."
        if not one.whole:
            head += " Parts of it could not be said here, so it is off: look at the report, write them, set its mode."
        files[f"playbooks/{one.name}.yaml"] = _file(head, one.playbook)
        sources |= one.sources
        secrets |= one.secrets
    files["quell.yaml"] = _file(f"Sources that the playbooks need, from {name}.", {"sources": sources})
    return Imported("a workflow of Keep", files, report, secrets)


def _file(head: str, value: Mapping[str, Any]) -> str:
    return "\n".join(comment(head)) + "\n" + as_yaml(value)
