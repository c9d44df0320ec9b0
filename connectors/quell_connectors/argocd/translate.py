"""What an Application object says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from quell.errors import BadPayload, Refused
from quell.sdk.payload import decode

_SHORT = 7
MOST_HISTORY = 10
MARK = "quell"
"""The name of the note on a sync operation that holds the key of the step."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A deployment of the past. ``revisions`` are those of its sources, one in most cases."""

    id: int
    revisions: tuple[str, ...]
    sources: tuple[Any, ...]
    deployed_at: str

    @property
    def title(self) -> str:
        """For people: ``8f3c2d1 (history 7)``."""
        return f"{', '.join(short(one) for one in self.revisions)} (history {self.id})"

    def is_meant(self, text: str) -> bool:
        """By id, revision, or the first letters of one."""
        if text.isdecimal() and text == str(self.id):
            return True
        long = len(text) >= _SHORT
        return any(one == text or (long and one.startswith(text)) for one in self.revisions)

    def same_as(self, other: Entry) -> bool:
        """Whether both deployed the same."""
        return self.revisions == other.revisions and self.sources == other.sources

    def brief(self) -> dict[str, Any]:
        """For the output of a step."""
        return {"id": self.id, "revision": ", ".join(self.revisions), "deployed_at": self.deployed_at}


@dataclass(frozen=True, slots=True)
class Operation:
    """The operation under way, or the last one. ``phase`` is "" when there never was one."""

    phase: str
    message: str
    revisions: tuple[str, ...]
    started_at: str
    key: str
    busy: bool
    by: str


@dataclass(frozen=True, slots=True)
class App:
    """An Application, as far as quell cares. ``history`` is newest first."""

    name: str
    project: str
    namespace: str
    auto_sync: bool
    automated: Mapping[str, Any]
    follows: str
    history: tuple[Entry, ...]
    operation: Operation
    sync: str
    revision: str
    health: str
    images: tuple[str, ...]
    keeper: str

    @classmethod
    def of(cls, body: bytes) -> App:
        """Raises `BadPayload` for what is no Application."""
        found = decode(body, dict[str, Any])
        if not isinstance(_at(found, "metadata", "name"), str):
            raise BadPayload("the answer of Argo CD is no application", body[:4096])
        status, spec = found.get("status") or {}, found.get("spec") or {}
        automated = _at(spec, "syncPolicy", "automated")
        history = tuple(_entry(one) for one in status.get("history") or [])
        source = spec.get("source") or (spec.get("sources") or [{}])[0]
        return cls(
            name=found["metadata"]["name"],
            project=str(spec.get("project") or "default"),
            namespace=str(_at(found, "metadata", "namespace") or ""),
            # {} means on, with the defaults; newer versions can also say enabled: false.
            auto_sync=isinstance(automated, dict) and automated.get("enabled") is not False,
            automated=automated if isinstance(automated, dict) else {},
            follows=str(source.get("targetRevision") or "HEAD"),
            history=tuple(sorted(history, key=lambda one: -one.id)),
            operation=_operation(found),
            sync=str(_at(status, "sync", "status") or "Unknown"),
            revision=", ".join(_revisions(status.get("sync") or {})),
            health=str(_at(status, "health", "status") or "Unknown"),
            images=tuple(str(one) for one in _at(status, "summary", "images") or []),
            keeper=_keeper(found),
        )

    @property
    def current(self) -> Entry | None:
        """What was deployed last."""
        return self.history[0] if self.history else None

    def entry(self, text: str) -> Entry:
        """The newest entry that is meant. Raises `Refused` when there is none."""
        by_id = (one for one in self.history if text.isdecimal() and text == str(one.id))
        found = next(by_id, None) or next((one for one in self.history if one.is_meant(text)), None)
        if found is None:
            known = ", ".join(one.title for one in self.history[:5]) or "an empty history"
            raise Refused(f'application {self.name} has not deployed "{text[:80]}"; it has {known}. Nothing was done')
        return found

    def runs(self, entry: Entry) -> bool:
        """Whether this is deployed, and no later operation has got in the way."""
        current, last = self.current, self.operation
        clean = last.phase in ("", "Succeeded") and (not last.revisions or last.revisions == entry.revisions)
        return current is not None and current.same_as(entry) and clean and not last.busy

    def output(self) -> dict[str, Any]:
        """For the output of a step."""
        return {
            "revision": self.revision,
            "deployed": self.current.brief() if self.current else {},
            "sync": self.sync,
            "health": self.health,
            "auto_sync": self.auto_sync,
            "follows": self.follows,
            "operation": {
                "phase": self.operation.phase,
                "message": self.operation.message,
                "busy": self.operation.busy,
            },
            "images": list(self.images)[:MOST_HISTORY],
            "history": [one.brief() for one in self.history[:MOST_HISTORY]],
        }


def short(revision: str) -> str:
    """A commit by its first letters; versions as they are."""
    return revision[:_SHORT] if len(revision) == 40 else revision


def _entry(found: Any) -> Entry:
    sources = _at(found, "sources") or [_at(found, "source")]
    return Entry(int(_at(found, "id") or 0), _revisions(found), tuple(sources), str(_at(found, "deployedAt") or ""))


def _revisions(found: Any) -> tuple[str, ...]:
    several = _at(found, "revisions") or []
    one = _at(found, "revision")
    return tuple(str(each) for each in several) or ((str(one),) if one else ())


def _operation(found: Any) -> Operation:
    """What is asked for (``operation``) counts before what was done last (``status.operationState``)."""
    state, asked = _at(found, "status", "operationState") or {}, _at(found, "operation")
    phase = str(state.get("phase") or "")
    busy = isinstance(asked, dict) or phase in ("Running", "Terminating")
    meant = asked if isinstance(asked, dict) else state.get("operation")
    notes = {_at(note, "name"): _at(note, "value") for note in _at(meant, "info") or []}
    by = "auto-sync" if _at(meant, "initiatedBy", "automated") else str(_at(meant, "initiatedBy", "username") or "")
    return Operation(
        phase=phase,
        message=str(state.get("message") or "")[:300],
        revisions=_revisions(_at(meant, "sync")) or _revisions(state.get("syncResult")),
        started_at=str(state.get("startedAt") or ""),
        key=str(notes.get(MARK) or ""),
        busy=busy,
        by=by or "somebody",
    )


def _keeper(found: Any) -> str:
    """Who would set the application's own settings back: the ApplicationSet or application that made it."""
    metadata = _at(found, "metadata")
    for reference in _at(metadata, "ownerReferences") or []:
        if _at(reference, "kind") == "ApplicationSet":
            return f'ApplicationSet "{_at(reference, "name")}"'
    parent = _at(metadata, "annotations", "argocd.argoproj.io/tracking-id")
    parent = parent or _at(metadata, "labels", "argocd.argoproj.io/instance")
    return f'application "{str(parent).partition(":")[0]}"' if parent else ""


def _at(value: Any, *names: str) -> Any:
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value
