"""Reads for people and for diagnoses. Bounded: what a step puts out is stored and shown. No variables, no secrets."""

from __future__ import annotations

from typing import Any

from quell.errors import ConnectorError
from quell.sdk.cluster import Cluster, Object, at, selector
from quell.sdk.connector import Call, Done
from quell_connectors.kubernetes.endpoints import CORE, is_ready
from quell_connectors.kubernetes.history import REVISION, images_of
from quell_connectors.kubernetes.owners import owner_of
from quell_connectors.kubernetes.workloads import APPS, Workloads

MOST_EVENTS = 20
MOST_PODS = 20
LOGGED_PODS = 3
MOST_LINES = 1000
MOST_TEXT = 300
MOST_LOG = 8 * 1024
"""Bytes of each pod's log that are kept: the last ones."""


class Looks:
    """What may be seen of one cluster."""

    def __init__(self, cluster: Cluster, workloads: Workloads) -> None:
        self._cluster = cluster
        self._workloads = workloads

    async def rollout_status(self, call: Call) -> Done:
        """``done`` when the newest template runs everywhere, ``failed`` when its deadline has passed."""
        place = self._workloads.place(call)
        status = rollout_of(await self._cluster.get(place, call.timeout_s))
        return Done(f"{place.title}: {status['message']}", status)

    async def history(self, call: Call) -> Done:
        """Newest first; ``current`` is the ReplicaSet of the present template."""
        place = self._workloads.place(call)
        found = await self._workloads.history(call, await self._cluster.get(place, call.timeout_s))
        revisions = [one.brief() for one in found.revisions][:MOST_PODS]
        sentence = f"{place.title} runs {found.current.title} of {len(found.revisions)} revisions"
        return Done(sentence, {"current": found.current.brief(), "revisions": revisions})

    async def describe(self, call: Call) -> Done:
        """State, pods and events."""
        kind = str(call.params.get("kind") or "deployment")
        group = CORE if kind in ("pod", "node") else APPS
        namespace = "" if kind == "node" else call.params.get("namespace")
        place = self._cluster.place(group, f"{kind}s", call.params.get("name"), namespace)
        found = await self._cluster.get(place, call.timeout_s)
        owner, _ = owner_of(found)
        output: dict[str, Any] = {"owner": owner, "conditions": _conditions(found), "pods": []}
        if kind == "pod":
            output["pods"] = [_pod(found)]
        elif kind != "node":
            output |= {"replicas": _counts(found), "images": list(images_of(at(found, "spec", "template")))}
            output["pods"] = [_pod(pod) for pod in (await self._pods(call, found))[:MOST_PODS]]
        output["events"] = await self._events(call, found, kind)
        bad = sum(not pod["ready"] for pod in output["pods"])
        sentence = f"{place.title}: {len(output['pods'])} pods, {bad} not ready, {len(output['events'])} events"
        return Done(sentence, output)

    async def logs(self, call: Call) -> Done:
        """A pod that gives none is told with the reason; that is no failure while others do."""
        pods = await self._logged(call)
        lines = min(max(int(call.params.get("lines") or 50), 1), MOST_LINES)
        query = {"tailLines": str(lines)}
        query |= {"container": str(call.params["container"])} if call.params.get("container") else {}
        query |= {"previous": "true"} if call.params.get("previous") else {}
        texts, failure = list[dict[str, str]](), None
        for name, container in pods:
            place = self._cluster.place(CORE, "pods", name, call.params.get("namespace"))
            try:
                text = await self._cluster.text(place, "log", {"container": container, **query}, call.timeout_s)
                texts.append({"pod": name, "text": _tail(text), "error": ""})
            except ConnectorError as error:
                failure = error
                texts.append({"pod": name, "text": "", "error": str(error)[:MOST_TEXT]})
        if failure is not None and not any(one["text"] for one in texts):
            raise failure
        return Done(f"logs of {', '.join(name for name, _ in pods) or 'no pod'}", {"pods": texts})

    async def _logged(self, call: Call) -> list[tuple[str, str]]:
        """Pods with their first containers, the worst first."""
        if str(call.params.get("kind") or "deployment") == "pod":
            place = self._cluster.place(CORE, "pods", call.params.get("name"), call.params.get("namespace"))
            pods = [await self._cluster.get(place, call.timeout_s)]
        else:
            pods = await self._pods(call, await self._cluster.get(self._workloads.place(call), call.timeout_s))
        return [(str(at(pod, "metadata", "name")), _first_container(pod)) for pod in pods[:LOGGED_PODS]]

    async def _pods(self, call: Call, workload: Object) -> list[Object]:
        """The pods of a workload, those that are not ready and restart most first."""
        folder = self._cluster.folder(CORE, "pods", at(workload, "metadata", "namespace"))
        labels = selector(at(workload, "spec", "selector"))
        pods = await self._cluster.find(folder, call.timeout_s, labels=labels)
        return sorted(pods, key=lambda pod: (is_ready(pod), -_restarts(pod), str(at(pod, "metadata", "name"))))

    async def _events(self, call: Call, found: Object, kind: str) -> list[dict[str, Any]]:
        """The newest first."""
        title = {"deployment": "Deployment", "statefulset": "StatefulSet", "daemonset": "DaemonSet"}
        name = at(found, "metadata", "name")
        fields = f"involvedObject.name={name},involvedObject.kind={title.get(kind, kind.capitalize())}"
        # Events of nodes live in the namespace "default".
        home = at(found, "metadata", "namespace") or "default"
        events = await self._cluster.find(
            self._cluster.folder(CORE, "events", home), call.timeout_s, fields=fields, most=500
        )
        newest = sorted(events, key=_last_seen, reverse=True)[:MOST_EVENTS]
        return [
            {
                "at": _last_seen(event),
                "type": at(event, "type"),
                "reason": at(event, "reason"),
                "count": at(event, "series", "count") or at(event, "count") or 1,
                "message": str(at(event, "message") or "")[:MOST_TEXT],
            }
            for event in newest
        ]


def rollout_of(found: Object) -> dict[str, Any]:
    """How far a rollout is, judged as `kubectl rollout status` does."""
    wanted, status = at(found, "spec", "replicas"), at(found, "status") or {}
    wanted = 1 if wanted is None else wanted
    total, updated = (status.get(name) or 0 for name in ("replicas", "updatedReplicas"))
    available = status.get("availableReplicas") or 0
    late = any(at(one, "reason") == "ProgressDeadlineExceeded" for one in status.get("conditions") or [])
    seen = (status.get("observedGeneration") or 0) >= (at(found, "metadata", "generation") or 0)
    done, message = False, f"{available} of {updated} new replicas are available"
    if not seen:
        message = "the newest template has not been taken up yet"
    elif late:
        message = "the rollout has exceeded its deadline"
    elif updated < wanted:
        message = f"{updated} of {wanted} replicas are new"
    elif total > updated:
        message = f"{total - updated} old replicas wait to end"
    elif available >= updated:
        done, message = True, f"{available} of {wanted} replicas are new and available"
    return {
        "done": done,
        "failed": seen and late,
        "message": message,
        "paused": bool(at(found, "spec", "paused")),
        "revision": str(at(found, "metadata", "annotations", REVISION) or ""),
        "images": list(images_of(at(found, "spec", "template"))),
        "wanted": wanted,
        "updated": updated,
        "available": available,
    }


def _counts(found: Object) -> dict[str, int]:
    status = at(found, "status") or {}
    return {name: value for name, value in status.items() if isinstance(value, int) and "eneration" not in name}


def _conditions(found: Object) -> list[dict[str, str]]:
    return [
        {
            "type": str(at(one, "type")),
            "status": str(at(one, "status")),
            "reason": str(at(one, "reason") or ""),
            "message": str(at(one, "message") or "")[:MOST_TEXT],
        }
        for one in (at(found, "status", "conditions") or [])[:MOST_EVENTS]
    ]


def _pod(pod: Object) -> dict[str, Any]:
    """A pod in a few words: phase, node, and of each container what keeps it or ended it last."""
    containers = [
        {
            "name": at(one, "name"),
            "restarts": at(one, "restartCount") or 0,
            "waiting": str(at(one, "state", "waiting", "reason") or ""),
            "message": str(at(one, "state", "waiting", "message") or "")[:MOST_TEXT],
            "last_end": str(at(one, "lastState", "terminated", "reason") or ""),
            "last_code": at(one, "lastState", "terminated", "exitCode"),
        }
        for one in (at(pod, "status", "containerStatuses") or [])[:MOST_EVENTS]
    ]
    return {
        "name": at(pod, "metadata", "name"),
        "phase": str(at(pod, "status", "phase") or ""),
        "ready": is_ready(pod),
        "node": str(at(pod, "spec", "nodeName") or ""),
        "containers": containers,
    }


def _first_container(pod: Object) -> str:
    containers = at(pod, "spec", "containers") or [{}]
    return str(at(containers[0], "name") or "")


def _restarts(pod: Object) -> int:
    return sum(at(one, "restartCount") or 0 for one in at(pod, "status", "containerStatuses") or [])


def _last_seen(event: Object) -> str:
    """RFC 3339, UTC, whole or with microseconds: texts sort as times do, as far as it matters here."""
    found = at(event, "series", "lastObservedTime") or at(event, "lastTimestamp") or at(event, "eventTime")
    return str(found or at(event, "metadata", "creationTimestamp") or "")


def _tail(text: str) -> str:
    raw = text.encode()
    return text if len(raw) <= MOST_LOG else "…" + raw[-MOST_LOG:].decode("utf-8", "ignore")
