"""Webhooks of MLflow's registries of models and prompts to records."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from quell.errors import BadPayload
from quell.model.records import AnyRecord, ChangeRecord, ChangeType, EntityRecord, VersionRecord
from quell.sdk.connector import Request
from quell.sdk.payload import decode
from quell_connectors.mlflow.registry import LATEST
from quell_connectors.mlflow.translate import moment

_DELIVERY = "x-mlflow-delivery-id"
_THINGS: Mapping[str, tuple[ChangeType, str]] = {
    "registered_model": ("model", ""),
    "model_version": ("model", "version"),
    "model_version_tag": ("model", "version_tag"),
    "model_version_alias": ("model", "alias"),
    "prompt": ("prompt", ""),
    "prompt_version": ("prompt", "version"),
    "prompt_tag": ("prompt", "tag"),
    "prompt_version_tag": ("prompt", "version_tag"),
    "prompt_alias": ("prompt", "alias"),
}
"""What a webhook may be about."""
_NO_NEWS = frozenset({"deleted", "set", "created"})


class _Data(msgspec.Struct, frozen=True):
    name: str
    version: str | int = ""
    alias: str = ""
    run_id: str | None = None
    source: str | None = None
    tags: dict[str, str] | None = None
    key: str = ""
    value: str = ""
    description: str | None = None


class _Hook(msgspec.Struct, frozen=True):
    entity: str
    action: str
    timestamp: str
    data: _Data


def hooked(request: Request, source: str, now: float) -> list[AnyRecord]:
    """The records of a delivery. Raises `BadPayload` for what MLflow does not send."""
    hook = decode(request.body, _Hook)
    at = moment(hook.timestamp)
    if at is None:
        raise BadPayload(f'timestamp: "{hook.timestamp[:40]}" is no time', request.body, "timestamp")
    kind, what, entity = _thing(hook, request.body)
    data, version = hook.data, str(hook.data.version)
    match what, hook.action:
        case "alias", "created" | "deleted":
            delivery = request.headers.get(_DELIVERY, "")
            name = delivery or f"{entity}@{data.alias}={version}/{hook.timestamp}"
            pointed = hook.action == "created"
            return [
                ChangeRecord(
                    at=at, seen=now, source=source, id=f"mlflow/{name}", type=kind, entity=entity,
                    labels={"alias": data.alias}, revision=version if pointed else "",
                    summary=f"alias {data.alias} of {entity} "
                    + (f"points to version {version}" if pointed else "was removed"),
                )
            ]  # fmt: skip
        case "version", "created":
            return [
                EntityRecord(at=at, seen=now, source=source, entity=entity, learned="registry"),
                VersionRecord(
                    at=at, seen=now, source=source, entity=entity, version=version, run=data.run_id or "",
                    labels=_tags(data.tags or {}), url=data.source or "", learned="registry",
                    aliases=[LATEST] if kind == "prompt" else [],
                ),
            ]  # fmt: skip
        case "version_tag", "set":
            labels = _tags({data.key: data.value})
            return [
                VersionRecord(
                    at=at, seen=now, source=source, entity=entity, version=version, labels=labels, learned="registry"
                )
            ]
        case "", "created":
            return [EntityRecord(at=at, seen=now, source=source, entity=entity, learned="registry")]
    if hook.action in _NO_NEWS:
        return []
    raise BadPayload(f'action "{hook.action[:40]}" of "{hook.entity[:40]}" is not known', request.body, "action")


def _thing(hook: _Hook, body: bytes) -> tuple[ChangeType, str, str]:
    """Whether it is about a model or a prompt, about what of it, and its entity."""
    found = _THINGS.get(hook.entity)
    if found is None or not hook.data.name.strip():
        raise BadPayload(f'"{hook.entity[:40]}" is nothing that MLflow tells of', body, "entity")
    kind, what = found
    return kind, what, f"{kind}/{hook.data.name}"


def _tags(tags: Mapping[str, str]) -> dict[str, str]:
    return {f"tag.{name}": value for name, value in tags.items() if name and not name.startswith("mlflow.")}
