"""The actions of the Argo Rollouts connector, by the patches of a Rollout and its status that the kubectl plugin sends.

Whether git owns the Rollout does not matter here: how far an update is stands in the status, which git does not hold.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, ClassVar

from quell.errors import Refused
from quell.sdk.cluster import Change, Cluster, Missing, Object, Place, at, version_of
from quell.sdk.connector import Call, Context, Done
from quell.sdk.spec import Spec
from quell_connectors.argo_rollouts.spec import SPEC
from quell_connectors.argo_rollouts.translate import Rollout

_GROUP = "apis/argoproj.io/v1alpha1"
Plan = Callable[[Rollout, Object, Place], Change | None]


class ArgoRollouts:
    """Every action sets a state: what is there already is left as it is."""

    spec: ClassVar[Spec] = SPEC

    def __init__(self, options: Mapping[str, Any], context: Context) -> None:
        self._cluster = Cluster(options, context.http)
        self._acts: Mapping[str, Callable[[Call], Awaitable[Done]]] = {
            "abort": self._abort,
            "retry": self._retry,
            "pause": self._pause,
            "resume": self._pause,
            "lower": self._lower,
            "to_step": self._to_step,
            "promote": self._promote,
            "promote_full": self._promote_full,
            "status": self._status,
            "abort_state": self._state,
            "retry_state": self._state,
            "pause_state": self._state,
            "resume_state": self._state,
            "lower_state": self._state,
        }

    async def act(self, call: Call) -> Done:
        """Raises what `quell.sdk.cluster.Cluster` raises."""
        act = self._acts.get(call.action)
        if act is None:
            raise Refused(f'argo_rollouts has no action "{call.action}"; it has {", ".join(self._acts)}')
        return await act(call)

    async def _abort(self, call: Call) -> Done:
        def plan(rollout: Rollout, found: Object, place: Place) -> Change | None:
            if rollout.aborted:
                return None
            if not rollout.updating:
                raise Refused(f"{place.title} is not being updated: there is nothing to abort. Nothing was done")
            return _status(found, {"abort": True})

        return await self._set(call, plan, "aborted", "aborted; requests go to the stable version")

    async def _retry(self, call: Call) -> Done:
        def plan(rollout: Rollout, found: Object, _place: Place) -> Change | None:
            return _status(found, {"abort": False}) if rollout.aborted else None

        return await self._set(call, plan, "not aborted", "updated anew")

    async def _pause(self, call: Call) -> Done:
        wanted = call.action == "pause"

        def plan(rollout: Rollout, found: Object, _place: Place) -> Change | None:
            if rollout.paused == wanted:
                return None
            return Change({"metadata": version_of(found), "spec": {"paused": wanted}})

        word = "paused" if wanted else "not paused"
        return await self._set(call, plan, word, word)

    async def _lower(self, call: Call) -> Done:
        """Steps are gone back as the plugin goes forward: the controller sets the weight of the step that it is at."""
        most = int(call.params["weight"])

        def plan(rollout: Rollout, found: Object, place: Place) -> Change | None:
            if not rollout.updating or rollout.aborted or not rollout.steps:
                raise Refused(f"{place.title} is no canary on its way: there is nothing to lower. Nothing was done")
            if rollout.asked <= most:
                return None
            if rollout.paused:
                why = "its controller sets no weight while it is. Resume it first"
                raise Refused(f"{place.title} is paused, and {why}. Nothing was done")
            step = rollout.step_below(most)
            if step is None:
                raise Refused(f"{place.title} has no step of {most}% or less behind it: abort it. Nothing was done")
            return _status(found, {"currentStepIndex": step, "pauseConditions": None})

        return await self._set(call, plan, f"at {most}% or less", f"put back to a step of {most}% or less")

    async def _to_step(self, call: Call) -> Done:
        step = int(call.params["step"])

        def plan(rollout: Rollout, found: Object, _place: Place) -> Change | None:
            if not rollout.updating or rollout.aborted or not rollout.step < step <= rollout.steps:
                return None
            return _status(found, {"currentStepIndex": step, "pauseConditions": None})

        return await self._set(call, plan, "there or behind it, or on its way no more", f"at step {step} again")

    async def _promote(self, call: Call) -> Done:
        step = int(call.params["step"])

        def plan(rollout: Rollout, found: Object, place: Place) -> Change | None:
            if rollout.step != step:
                return None
            if rollout.aborted:
                raise Refused(f"{place.title} is aborted; retry it first. Nothing was done")
            # As the plugin does it; a step that is under way and waits for nothing is not skipped.
            return _status(found, {"pauseConditions": None}) if rollout.waiting else None

        return await self._set(call, plan, "not waiting there", "promoted to its next step")

    async def _promote_full(self, call: Call) -> Done:
        def plan(rollout: Rollout, found: Object, place: Place) -> Change | None:
            if not rollout.updating or at(found, "status", "promoteFull"):
                return None
            if rollout.aborted:
                raise Refused(f"{place.title} is aborted; retry it first. Nothing was done")
            return _status(found, {"promoteFull": True})

        return await self._set(call, plan, "at its end", "promoted to its end")

    async def _status(self, call: Call) -> Done:
        place, rollout = await self._rollout(call)
        of = f" at step {rollout.step} of {rollout.steps}" if rollout.updating and rollout.steps else ""
        message = f" ({rollout.message})" if rollout.message else ""
        return Done(f"{place.title} is {rollout.phase or 'not seen yet'}{of}{message}", rollout.output())

    async def _state(self, call: Call) -> Done:
        place, rollout = await self._rollout(call)
        already = {
            "abort_state": rollout.aborted,
            "retry_state": not rollout.aborted,
            "pause_state": rollout.paused,
            "resume_state": not rollout.paused,
            "lower_state": rollout.asked <= int(call.params.get("weight", 100)),
        }[call.action]
        return Done(f"{place.title} is {rollout.phase}", {"already": already, **rollout.output()})

    async def _rollout(self, call: Call) -> tuple[Place, Rollout]:
        place = self._place(call)
        return place, Rollout.of(await self._cluster.get(place, call.timeout_s))

    def _place(self, call: Call) -> Place:
        return self._cluster.place(_GROUP, "rollouts", call.params.get("name"), call.params.get("namespace"))

    async def _set(self, call: Call, wanted: Plan, there: str, then: str) -> Done:
        """Writes what is wanted, with the sentence for what is ``there`` already and for what is so ``then``."""
        place, images = self._place(call), [str(image) for image in call.params.get("images") or ()]

        async def plan(found: Object) -> Change | None:
            rollout = Rollout.of(found)
            return None if images and images != list(rollout.images) else wanted(rollout, found, place)

        try:
            before, now = await self._cluster.change(place, plan, call.timeout_s, dry_run=call.dry_run)
        except Missing:
            before, now = await self._without_status(call, plan, place)
        output = Rollout.of(before).output()
        if images and images != output["images"]:
            kept = (
                f"{place.title} is to run {', '.join(output['images'])} by now, not {', '.join(images)}; left as it is"
            )
            return Done(kept, {"changed": False, "before": output})
        if now is None:
            return Done(f"{place.title} is {there} already; left as it is", {"changed": False, "before": output})
        verb = "would be" if call.dry_run else "is"
        return Done(f"{place.title} {verb} {then}", {"changed": True, "before": output})

    async def _without_status(
        self, call: Call, plan: Callable[[Object], Awaitable[Change | None]], place: Place
    ) -> tuple[Object, Object | None]:
        """For clusters whose definition of Rollout has no status subresource: the object itself is patched."""

        async def whole(found: Object) -> Change | None:
            change = await plan(found)
            return None if change is None else Change(change.patch)

        return await self._cluster.change(place, whole, call.timeout_s, dry_run=call.dry_run)


def _status(found: Object, values: Mapping[str, Any]) -> Change:
    return Change({"metadata": version_of(found), "status": dict(values)}, "status")
