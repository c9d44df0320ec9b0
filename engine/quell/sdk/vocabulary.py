"""The words that senders use, in quell's terms: statuses, kinds of change, names of labels.

General rules only, no vendor's own: whoever says "deployed", "kube_namespace" or "recovered" is understood.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Literal, get_args

from quell.model.records import ChangeType

CHANGE_TYPES: Mapping[str, ChangeType] = {name: name for name in get_args(ChangeType)}
"""Kinds of change by their own names."""
MAX_LABEL_CHARACTERS = 256
"""A text longer than this, or of several lines, describes and does not identify."""

RESOLVED_WORDS = frozenset({
    "resolved", "resolve", "ok", "okay", "recovered", "recovery", "closed", "close", "cleared", "clear", "healthy",
    "normal", "inactive", "passed", "succeeded", "success", "fixed", "up", "green",
})  # fmt: skip
FIRING_WORDS = frozenset({
    "firing", "fired", "triggered", "trigger", "open", "opened", "alarm", "alerting", "active", "critical", "warning",
    "warn", "error", "problem", "failed", "failing", "failure", "detected", "reported", "down", "unhealthy",
    "acknowledged", "renotify", "red", "raised", "started", "breached", "unknown",
})  # fmt: skip
ALERT_WORDS = frozenset({
    "alert", "alerts", "incident", "incidents", "check", "checks", "monitor", "monitors", "monitoring", "alarm",
    "alarms", "problem", "problems", "anomaly", "anomalies",
})  # fmt: skip

_THINGS: dict[str, ChangeType] = {
    "flag": "flag", "flags": "flag", "toggle": "flag", "toggles": "flag",
    "prompt": "prompt", "prompts": "prompt",
    "schema": "schema", "schemas": "schema", "migration": "schema", "migrations": "schema", "ddl": "schema",
    "model": "model", "models": "model",
    "data": "data", "dataset": "data", "datasets": "data", "backfill": "data",
    "config": "config", "configuration": "config", "configmap": "config", "settings": "config", "setting": "config",
    "environment": "config", "secret": "config", "policy": "config",
    "scale": "scale", "scaling": "scale", "replicas": "scale", "autoscaler": "scale", "autoscaling": "scale",
    "service": "deploy", "application": "deploy", "app": "deploy", "deployment": "deploy", "deploy": "deploy",
    "release": "deploy", "rollout": "deploy", "rollback": "deploy",
}  # fmt: skip
_DEEDS: dict[str, ChangeType] = {
    "deployed": "deploy", "upgraded": "deploy", "downgraded": "deploy", "rolledback": "deploy", "rolled": "deploy",
    "released": "deploy", "promoted": "deploy", "published": "deploy", "installed": "deploy", "shipped": "deploy",
    "scaled": "scale", "resized": "scale", "toggled": "flag", "migrated": "schema", "retrained": "model",
    "changed": "config", "modified": "config", "reconfigured": "config",
}  # fmt: skip
_WEAK_DEEDS = frozenset({
    "created", "updated", "deleted", "removed", "applied", "registered", "enabled", "disabled", "started", "finished",
    "completed", "succeeded", "failed", "set", "synced",
})  # fmt: skip
"""Words that make a change only together with the thing that was changed."""

_ALIASES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("namespace", ("kube_namespace", "k8s.namespace.name")),
    ("pod", ("pod_name", "kube_pod", "k8s.pod.name")),
    ("service", ("kube_service", "service_name", "service.name")),
    ("node", ("host", "hostname", "node_name", "k8s.node.name", "host.name")),
    ("deployment", ("kube_deployment", "k8s.deployment.name")),
    ("container", ("container_name", "kube_container_name", "k8s.container.name")),
    ("cluster", ("kube_cluster_name", "cluster_name", "k8s.cluster.name")),
)
_ALIASED = frozenset(other for _, others in _ALIASES for other in others)
_OF_THE_EVENT = frozenset({
    "event_id", "eventid", "id", "uuid", "guid", "trace_id", "traceid", "span_id", "request_id", "correlation_id",
    "delivery_id", "timestamp", "time", "date", "received_at", "sent_at",
})  # fmt: skip
_MEASURES = ("num_", "count_", "total_")
"""How names of counts begin that some send as text: they differ from one event to the next."""
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


@lru_cache(maxsize=4096)
def words_of(text: str) -> tuple[str, ...]:
    """The words of a type or name, lower case, without version numbers: ``a.configChanged.v1`` → a config changed."""
    return tuple(word.lower() for word in _WORD.findall(text) if word.lower() != "v")


def status_of(words: Iterable[str]) -> Literal["firing", "resolved"] | None:
    """What the last telling word says; None when none does."""
    for word in reversed(tuple(words)):
        if word in RESOLVED_WORDS:
            return "resolved"
        if word in FIRING_WORDS:
            return "firing"
    return None


def change_type_of(words: Iterable[str]) -> ChangeType | None:
    """The kind of change that the words of an event's type speak of; None when they speak of no change.

    The thing nearest to the end decides, then the deed: *service.deployed* is a deploy, *model.promoted* a model.
    """
    listed = tuple(words)
    deed = next((_DEEDS[word] for word in reversed(listed) if word in _DEEDS), None)
    thing = next((_THINGS[word] for word in reversed(listed) if word in _THINGS), None)
    if deed is None and not (thing is not None and any(word in _WEAK_DEEDS for word in listed)):
        return None
    return thing or deed


def spoken_change_type(text: str, default: ChangeType = "deploy") -> ChangeType:
    """The kind of change a sentence speaks of: the first thing or deed that tells, or ``default``."""
    for word in words_of(text):
        kind = _THINGS.get(word) or _DEEDS.get(word)
        if kind is not None:
            return kind
    return default


def common_names(labels: Mapping[str, str]) -> dict[str, str]:
    """A copy with the usual names beside a sender's own (``kube_namespace`` → ``namespace``), where absent."""
    named = dict(labels)
    if _ALIASED.isdisjoint(named):
        return named
    for usual, others in _ALIASES:
        if usual not in named:
            value = next((labels[other] for other in others if labels.get(other)), "")
            if value:
                named[usual] = value
    return named


def sorted_out(pairs: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, str]]:
    """Labels and annotations of a sender's free details.

    Short texts of one line identify. Numbers, counts, long texts, and what names the single event and not the thing
    (ids, times) describe. Lists and objects are left out, as is what is empty.
    """
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    for name, value in pairs.items():
        text = value if isinstance(value, str) else scalar_text(value)
        if not name or not text:
            continue
        short = text is value and len(text) <= MAX_LABEL_CHARACTERS and "\n" not in text
        (labels if short and _identifies(name) else annotations)[name] = text
    return labels, annotations


@lru_cache(maxsize=4096)
def _identifies(name: str) -> bool:
    """Whether a short text under this name tells things apart and not events."""
    plain = name.lower()
    return plain not in _OF_THE_EVENT and not plain.startswith(_MEASURES)


def scalar_text(value: object) -> str:
    """Text for a JSON scalar; "" for null, lists and objects."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value)
    # An integer of thousands of digits is nobody's label, and Python refuses to write it out.
    return str(value) if isinstance(value, int) and value.bit_length() <= 256 else ""
