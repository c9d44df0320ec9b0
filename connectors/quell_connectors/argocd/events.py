"""Argo CD's notifications as changes. Their body is a template; it sends the application as it is, or fields of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from quell.errors import BadPayload
from quell.model.records import ChangeRecord
from quell.sdk.change_events import Places, commit_of, parts, short_text, when
from quell.sdk.parts import mapping_of, text_of
from quell.sdk.vocabulary import scalar_text

_ENDED = {"Succeeded": "synced", "Failed": "failed to sync", "Error": "failed to sync"}


def changes(body: Mapping[str, Any], places: Places, source: str, now: float) -> Iterator[ChangeRecord]:
    """The change of a sync that has ended. Raises `BadPayload`."""
    application = body.get("app")
    told = _application(application) if isinstance(application, dict) else _fields(body)
    if told["phase"] not in _ENDED:
        if told["phase"] in {"Running", "Terminating", ""}:
            return
        raise BadPayload(f'phase: "{told["phase"][:40]}" is none of Argo CD\'s', field="phase")
    name, revision = told["name"], told["revision"]
    at = when(told["finished"], now)
    fields = {"app": name, "project": told["project"], "env": told["namespace"]}
    yield ChangeRecord(
        at=at,
        seen=now,
        source=source,
        id=f"argocd/{name}/{told['finished'] or f'{at:.0f}'}/{revision}"[:400],
        type="deploy",
        entity=places.of(name, fields),
        labels={label: value[:256] for label, value in {
            "app": name, "project": told["project"], "namespace": told["namespace"], "outcome": told["phase"],
        }.items() if value},
        revision=revision,
        previous=told["previous"],
        commit=commit_of(revision) if len(revision) >= 40 else "",
        author=told["by"][:256],
        summary=f"{_ENDED[told['phase']]} {name} to {revision[:12] or 'another state'}"
        + (f": {short_text(told['message'])}" if told["message"] and told["phase"] != "Succeeded" else ""),
        url=told["url"][:2000],
    )  # fmt: skip


def _application(app: Mapping[str, Any]) -> dict[str, str]:
    """Of ``{"app": {{toJson .app}}}``: the whole application."""
    metadata, status = (mapping_of(app.get(name), f"app.{name}") for name in ("metadata", "status"))
    spec = app.get("spec")
    operation = mapping_of(status.get("operationState"), "app.status.operationState")
    result = operation.get("syncResult")
    revision = _revision(result) if isinstance(result, dict) else ""
    history = [entry for entry in parts(status.get("history")) if isinstance(entry, dict)]
    earlier = [_revision(entry) for entry in history if _revision(entry) != revision]
    destination = spec.get("destination") if isinstance(spec, dict) else None
    begun = operation.get("operation")
    by = begun.get("initiatedBy") if isinstance(begun, dict) else None
    return {
        "name": text_of(metadata.get("name"), "app.metadata.name"),
        "project": scalar_text(spec.get("project")) if isinstance(spec, dict) else "",
        "namespace": scalar_text(destination.get("namespace")) if isinstance(destination, dict) else "",
        "phase": text_of(operation.get("phase"), "app.status.operationState.phase"),
        "revision": revision,
        "previous": earlier[-1] if earlier else "",
        "finished": scalar_text(operation.get("finishedAt")),
        "message": scalar_text(operation.get("message")),
        "by": ("auto-sync" if by.get("automated") is True else scalar_text(by.get("username")))
        if isinstance(by, dict)
        else "",
        "url": "",
    }


def _revision(part: Mapping[str, Any]) -> str:
    """Of one source, or of several."""
    several = part.get("revisions")
    if isinstance(several, list) and several:
        return ", ".join(str(each) for each in several)
    return scalar_text(part.get("revision"))


def _fields(body: Mapping[str, Any]) -> dict[str, str]:
    """Of a template that names fields."""
    name = text_of(body.get("app"), "app")
    known = ("project", "namespace", "revision", "previous", "finished", "message", "by", "url")
    told = {field: scalar_text(body.get(field)) for field in known}
    return {**told, "name": name, "phase": text_of(body.get("phase"), "phase")}
