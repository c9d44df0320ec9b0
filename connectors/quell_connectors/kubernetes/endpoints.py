"""Taking an endpoint out: a pod from its Service, a node from the scheduler. Nothing is deleted, all can be undone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from quell.errors import Refused
from quell.sdk.cluster import Change, Cluster, Object, Place, at, selector, version_of
from quell.sdk.connector import Call, Done
from quell_connectors.kubernetes.workloads import APPS

CORE = "api/v1"
ISOLATED = "quell.dev/isolated"
"""Annotation of an isolated pod: the label that was changed, and the value it had, as JSON."""
_ASIDE = "quell-isolated"


@dataclass(frozen=True, slots=True)
class _Label:
    """The label that takes a pod out of a Service, with what it means."""

    name: str
    value: str
    replaced: bool


class Endpoints:
    """Pods and nodes of one cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    async def isolate_pod(self, call: Call) -> Done:
        """Refused when too few other pods would be left to answer."""
        place, seen = self._pod(call), list[_Label]()

        async def plan(found: Object) -> Change | None:
            if at(found, "metadata", "annotations", ISOLATED):
                return None
            label = await self._label(call, found, place)
            seen[:] = [label]
            kept = msgspec.json.encode({label.name: label.value}).decode()
            return Change(
                {
                    "metadata": {**version_of(found), "labels": {label.name: _ASIDE}, "annotations": {ISOLATED: kept}},
                }
            )

        _, now = await self._cluster.change(place, plan, call.timeout_s, dry_run=call.dry_run)
        if now is None:
            return Done(f"{place.title} is isolated already; left as it is", {"changed": False})
        label = seen[0]
        verb = "would be" if call.dry_run else "is"
        after = "its ReplicaSet starts another" if label.replaced else "no other is started in its place"
        sentence = f"{place.title} {verb} out of service {call.params['service']} by its label {label.name}; {after}"
        return Done(sentence, {"changed": True, "label": label.name, "value": label.value, "replaced": label.replaced})

    async def return_pod(self, call: Call) -> Done:
        """Gives back what the annotation says."""
        place = self._pod(call)

        async def plan(found: Object) -> Change | None:
            kept = _kept(found)
            if not kept:
                return None
            return Change({"metadata": {**version_of(found), "labels": kept, "annotations": {ISOLATED: None}}})

        _, now = await self._cluster.change(place, plan, call.timeout_s, dry_run=call.dry_run)
        if now is None:
            return Done(f"{place.title} is not isolated; left as it is", {"changed": False})
        return Done(f"{place.title} {'would have' if call.dry_run else 'has'} its label again", {"changed": True})

    async def pod_state(self, call: Call) -> Done:
        """Of isolating and of returning."""
        place = self._pod(call)
        isolated = bool(_kept(await self._cluster.get(place, call.timeout_s)))
        already = isolated == (call.action == "isolate_pod_state")
        return Done(f"{place.title} is {'isolated' if isolated else 'not isolated'}", {"already": already})

    async def cordon(self, call: Call) -> Done:
        """Cordons or uncordons, whichever the action says."""
        place, wanted = self._node(call), call.action == "cordon"

        async def plan(found: Object) -> Change | None:
            if bool(at(found, "spec", "unschedulable")) == wanted:
                return None
            return Change({"metadata": version_of(found), "spec": {"unschedulable": wanted or None}})

        _, now = await self._cluster.change(place, plan, call.timeout_s, dry_run=call.dry_run)
        word = "cordoned" if wanted else "open to new pods"
        if now is None:
            return Done(f"{place.title} is {word} already; left as it is", {"changed": False})
        return Done(f"{place.title} {'would be' if call.dry_run else 'is'} {word}", {"changed": True})

    async def cordon_state(self, call: Call) -> Done:
        """Of cordon and of uncordon."""
        place = self._node(call)
        cordoned = bool(at(await self._cluster.get(place, call.timeout_s), "spec", "unschedulable"))
        already = cordoned == (call.action == "cordon_state")
        return Done(f"{place.title} is {'cordoned' if cordoned else 'open to new pods'}", {"already": already})

    def _pod(self, call: Call) -> Place:
        return self._cluster.place(CORE, "pods", call.params.get("pod"), call.params.get("namespace"))

    def _node(self, call: Call) -> Place:
        return self._cluster.place(CORE, "nodes", call.params.get("node"), "")

    async def _label(self, call: Call, pod: Object, place: Place) -> _Label:
        """Which label to change. Raises `Refused` when that would not help, or would help too much."""
        namespace = call.params.get("namespace")
        service = self._cluster.place(CORE, "services", call.params.get("service"), namespace)
        wanted: dict[str, Any] = at(await self._cluster.get(service, call.timeout_s), "spec", "selector") or {}
        own: dict[str, Any] = at(pod, "metadata", "labels") or {}
        if not wanted or any(own.get(name) != value for name, value in wanted.items()):
            raise Refused(f"{place.title} is no endpoint of {service.title}; nothing was done")
        selected = await self._replica_set_labels(call, pod, place)
        others = await self._others(call, pod, wanted)
        least = call.params.get("leave")
        least = 1 if least is None else int(least)
        if others < least:
            raise Refused(
                f"{service.title} would have {others} other ready pods; leave: {least} must remain. Nothing was done"
            )
        name = next((name for name in sorted(wanted) if name in selected), min(wanted))
        return _Label(name, str(wanted[name]), name in selected)

    async def _replica_set_labels(self, call: Call, pod: Object, place: Place) -> dict[str, Any]:
        """What the pod's ReplicaSet selects by. Raises `Refused` for a pod that nothing would replace."""
        owners = at(pod, "metadata", "ownerReferences") or []
        owner = next((one for one in owners if at(one, "controller")), None)
        if at(owner, "kind") != "ReplicaSet":
            kind = f"a {at(owner, 'kind')}" if owner else "nothing"
            raise Refused(f"{place.title} belongs to {kind}, not to a ReplicaSet; nothing would replace it")
        found = self._cluster.place(APPS, "replicasets", at(owner, "name"), call.params.get("namespace"))
        return at(await self._cluster.get(found, call.timeout_s), "spec", "selector", "matchLabels") or {}

    async def _others(self, call: Call, pod: Object, wanted: dict[str, Any]) -> int:
        """How many other pods of the Service are ready."""
        folder = self._cluster.folder(CORE, "pods", call.params.get("namespace"))
        pods = await self._cluster.find(folder, call.timeout_s, labels=selector({"matchLabels": wanted}))
        name = at(pod, "metadata", "name")
        return sum(is_ready(one) for one in pods if at(one, "metadata", "name") != name)


def is_ready(pod: Object) -> bool:
    """Whether a pod takes requests."""
    conditions = at(pod, "status", "conditions") or []
    ready = any(at(one, "type") == "Ready" and at(one, "status") == "True" for one in conditions)
    return ready and not at(pod, "metadata", "deletionTimestamp")


def _kept(pod: Object) -> dict[str, str]:
    """The labels that were changed, as they were; empty for a pod that is not isolated."""
    text = at(pod, "metadata", "annotations", ISOLATED)
    if not text:
        return {}
    try:
        return msgspec.json.decode(str(text), type=dict[str, str])
    except msgspec.DecodeError as error:
        raise Refused(f'the annotation {ISOLATED} holds "{str(text)[:80]}", which quell did not write') from error
