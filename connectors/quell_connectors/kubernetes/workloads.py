"""Deployments and their like: going back, pausing, scaling, restarting.

Who owns a workload is looked at when its state is read before an act already, and again by the act.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from quell.errors import Refused
from quell.sdk.cluster import Change, Cluster, Object, Place, at, selector, version_of
from quell.sdk.connector import Call, Done
from quell_connectors.kubernetes.history import MARK, History, Revision, going_back
from quell_connectors.kubernetes.owners import must_be_free

APPS = "apis/apps/v1"
_RESTARTED = "kubectl.kubernetes.io/restartedAt"
_RESTART_MARK = "quell.dev/restart"


class Workloads:
    """What is done to workloads, on one cluster. Every change is refused for what somebody else keeps as it is."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def place(self, call: Call) -> Place:
        """The workload that a call names."""
        kind = str(call.params.get("kind") or "deployment")
        return self._cluster.place(APPS, f"{kind}s", call.params.get("name"), call.params.get("namespace"))

    async def history(self, call: Call, deployment: Object) -> History:
        """What a Deployment has run."""
        folder = self._cluster.folder(APPS, "replicasets", at(deployment, "metadata", "namespace"))
        labels = selector(at(deployment, "spec", "selector"))
        found = await self._cluster.find(folder, call.timeout_s, labels=labels)
        return History.of(self.place(call).title, deployment, found)

    async def undo_rollout(self, call: Call) -> Done:
        """A repeat finds its mark on the Deployment: relative as "the one before" is, it must not turn round."""
        place, to, bad = self.place(call), _text(call, "to"), _text(call, "bad")
        seen: dict[str, Any] = {}

        async def plan(found: Object) -> Change | None:
            must_be_free(found, place.title)
            history = await self.history(call, found)
            seen.update(history=history, kept="")
            if at(found, "metadata", "annotations", MARK) == call.key:
                seen["kept"] = f"{place.title} runs {history.current.title} again; this was done before"
            elif bad and not history.runs(bad):
                seen["kept"] = f'{place.title} runs {history.current.title}, not "{bad}"; left as it is'
            elif history.target(to) is history.current:
                seen["kept"] = f"{place.title} runs {history.current.title} already; left as it is"
            elif at(found, "spec", "paused"):
                raise Refused(f"{place.title} is paused; resume it first. Nothing was done")
            if seen["kept"]:
                return None
            seen["target"] = history.target(to)
            return going_back(found, history.target(to), call.key)

        await self._cluster.change(place, plan, call.timeout_s, dry_run=call.dry_run)
        history: History = seen["history"]
        if seen["kept"]:
            return Done(seen["kept"], {"changed": False, **history.current.brief()})
        target: Revision = seen["target"]
        verb = "would run" if call.dry_run else "runs"
        sentence = f"{place.title} {verb} the template of {target.title} again, instead of {history.current.title}"
        return Done(sentence, {"changed": True, **target.brief(), "before": history.current.brief()})

    async def undo_rollout_state(self, call: Call) -> Done:
        """For the undo: to what runs now, while what we go back to still runs."""
        place, bad = self.place(call), _text(call, "bad")
        found = await self._cluster.get(place, call.timeout_s)
        must_be_free(found, place.title)
        history = await self.history(call, found)
        target, current = history.target(_text(call, "to")), history.current
        already = target is current or bool(bad and not history.runs(bad))
        state = {"already": already, "to": current.replica_set, "bad": target.replica_set}
        return Done(f"{place.title} runs {current.title}", {**state, **current.brief()})

    async def pause(self, call: Call) -> Done:
        """Pauses or resumes, whichever the action says."""
        place, wanted = self.place(call), call.action == "pause"

        async def plan(found: Object) -> Change | None:
            if bool(at(found, "spec", "paused")) == wanted:
                return None
            must_be_free(found, place.title)
            return Change({"metadata": version_of(found), "spec": {"paused": wanted or None}})

        _, now = await self._cluster.change(place, plan, call.timeout_s, dry_run=call.dry_run)
        word = "paused" if wanted else "not paused"
        if now is None:
            return Done(f"{place.title} is {word} already; left as it is", {"changed": False})
        return Done(f"{place.title} {'would be' if call.dry_run else 'is'} {word}", {"changed": True})

    async def pause_state(self, call: Call) -> Done:
        """Of pause and of resume."""
        place = self.place(call)
        found = await self._cluster.get(place, call.timeout_s)
        paused = bool(at(found, "spec", "paused"))
        already = paused == (call.action == "pause_state")
        if not already:
            must_be_free(found, place.title)
        return Done(f"{place.title} is {'paused' if paused else 'not paused'}", {"already": already, "paused": paused})

    async def scale(self, call: Call) -> Done:
        """By the scale subresource, which needs no right to change anything else."""
        place, wanted = self.place(call), int(call.params["replicas"])
        only_from = call.params.get("only_from")
        _within(call, wanted)

        async def plan(found: Object) -> Change | None:
            if _replicas(found) == wanted or (only_from is not None and _replicas(found) != int(only_from)):
                return None
            must_be_free(found, place.title)
            await self._no_autoscaler(call, found, place)
            return Change({"metadata": version_of(found), "spec": {"replicas": wanted}}, "scale")

        before, now = await self._cluster.change(place, plan, call.timeout_s, dry_run=call.dry_run)
        had = _replicas(before)
        if now is None and had != wanted:
            kept = f"{place.title} has {had} replicas, not {only_from}: somebody set them since; left as it is"
            return Done(kept, {"changed": False, "replicas": had})
        if now is None:
            return Done(f"{place.title} has {had} replicas already; left as it is", {"changed": False, "replicas": had})
        sentence = f"{place.title} {'would be' if call.dry_run else 'is'} set to {wanted} replicas; it had {had}"
        return Done(sentence, {"changed": True, "replicas": wanted, "before": had})

    async def scale_state(self, call: Call) -> Done:
        """For the undo: the number as it is, within bounds that fit it, while ours stands."""
        place = self.place(call)
        found = await self._cluster.get(place, call.timeout_s)
        had, wanted = _replicas(found), int(call.params["replicas"])
        already = had == wanted
        if not already:
            must_be_free(found, place.title)
        state = {"already": already, "replicas": had, "at_least": had, "at_most": had, "only_from": wanted}
        return Done(f"{place.title} has {had} replicas", state)

    async def restart(self, call: Call) -> Done:
        """A repeat finds its mark; without it every try would replace all pods once more."""
        place, kept = self.place(call), [False]

        async def plan(found: Object) -> Change | None:
            must_be_free(found, place.title)
            kept[0] = at(found, "metadata", "annotations", _RESTART_MARK) == call.key
            if kept[0]:
                return None
            if at(found, "spec", "paused"):
                raise Refused(f"{place.title} is paused; resume it first. Nothing was done")
            moment = datetime.fromtimestamp(call.now, UTC).isoformat(timespec="seconds")
            return Change(
                {
                    "metadata": {**version_of(found), "annotations": {_RESTART_MARK: call.key}},
                    "spec": {"template": {"metadata": {"annotations": {_RESTARTED: moment}}}},
                }
            )

        await self._cluster.change(place, plan, call.timeout_s, dry_run=call.dry_run)
        if kept[0]:
            return Done(f"{place.title} is being restarted; this was done before", {"changed": False})
        verb = "would be" if call.dry_run else "is being"
        return Done(f"{place.title} {verb} restarted", {"changed": True})

    async def _no_autoscaler(self, call: Call, found: Object, place: Place) -> None:
        """Raises `Refused` when an autoscaler would set the number back."""
        folder = self._cluster.folder(
            "apis/autoscaling/v1", "horizontalpodautoscalers", at(found, "metadata", "namespace")
        )
        kind = str(call.params.get("kind") or "deployment")
        for scaler in await self._cluster.find(folder, call.timeout_s):
            target = at(scaler, "spec", "scaleTargetRef")
            if at(target, "name") == call.params["name"] and str(at(target, "kind")).lower() == kind:
                name = at(scaler, "metadata", "name")
                low, high = at(scaler, "spec", "minReplicas") or 1, at(scaler, "spec", "maxReplicas")
                raise Refused(
                    f'{place.title} is scaled by autoscaler "{name}" ({low} to {high}), which would set it back; '
                    "change its bounds instead. Nothing was done"
                )


def _replicas(found: Object) -> int:
    number = at(found, "spec", "replicas")
    return number if isinstance(number, int) else 1  # as the API's own default is


def _within(call: Call, wanted: int) -> None:
    """Raises `Refused` beyond the bounds of the step."""
    for name, default, fits in (("at_least", 1, int.__ge__), ("at_most", 50, int.__le__)):
        bound = call.params.get(name)
        bound = default if bound is None else int(bound)
        if not fits(wanted, bound) or wanted < 0:
            raise Refused(f"replicas: {wanted} is not allowed by {name}: {bound}; nothing was done")


def _text(call: Call, name: str) -> str:
    value = call.params.get(name)
    return "" if value is None else str(value)
