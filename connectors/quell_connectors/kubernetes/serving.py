"""Inference services of KServe: how much of the requests a canary gets.

KServe keeps the last revision that had all requests, and gives the newest one as many percent as
``spec.predictor.canaryTrafficPercent`` says; at 0 all go to the last good one. Without that field the newest has all.
"""

from __future__ import annotations

from typing import Any

from quell.errors import Refused
from quell.sdk.cluster import Change, Cluster, Object, Place, at, version_of
from quell.sdk.connector import Call, Done
from quell_connectors.kubernetes.owners import must_be_free

SERVING = "apis/serving.kserve.io/v1beta1"


class Serving:
    """What is done to inference services."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    async def canary(self, call: Call) -> Done:
        """Sets the share of a canary that is under way."""
        place, wanted, only_from = self._place(call), _wanted(call), call.params.get("only_from")

        async def plan(found: Object) -> Change | None:
            share = _under_way(found, place)
            if share == wanted or (only_from is not None and share != int(only_from)):
                return None
            must_be_free(found, place.title)
            spec = {"predictor": {"canaryTrafficPercent": wanted}}
            return Change({"metadata": version_of(found), "spec": spec})

        before, now = await self._cluster.change(place, plan, call.timeout_s, dry_run=call.dry_run)
        had = _under_way(before, place)
        output = {"changed": now is not None, "percent": had if now is None else wanted}
        if now is None and had != wanted:
            kept = f"the canary of {place.title} gets {had}%, not {only_from}%: somebody set it since; left as it is"
            return Done(kept, output)
        if now is None:
            return Done(f"the canary of {place.title} gets {had}% of the requests already; left as it is", output)
        verb = "would get" if call.dry_run else "gets"
        return Done(f"the canary of {place.title} {verb} {wanted}% of the requests; it got {had}%", output)

    async def canary_state(self, call: Call) -> Done:
        """For the undo: the share as it is, while ours stands."""
        place, wanted = self._place(call), _wanted(call)
        found = await self._cluster.get(place, call.timeout_s)
        had = _under_way(found, place)
        if had != wanted:
            must_be_free(found, place.title)
        output = {"already": had == wanted, "percent": had, "only_from": wanted}
        return Done(f"the canary of {place.title} gets {had}% of the requests", output)

    async def status(self, call: Call) -> Done:
        """Which revisions serve, and how much each gets, as KServe tells."""
        place = self._place(call)
        found = await self._cluster.get(place, call.timeout_s)
        told = at(found, "status", "components", "predictor")
        traffic = [one for one in at(told, "traffic") or [] if isinstance(one, dict)]
        shares = {str(at(one, "revisionName") or ""): int(at(one, "percent") or 0) for one in traffic}
        latest, good = (str(at(told, name) or "") for name in ("latestReadyRevision", "latestRolledoutRevision"))
        output: dict[str, Any] = {
            "ready": _ready(found),
            "canary": _share(found),
            "latest": latest,
            "rolled_out": good,
            "shares": shares,
            "latest_share": shares.get(latest, 0),
            "model": str(at(found, "spec", "predictor", "model", "storageUri") or ""),
        }
        said = ", ".join(f"{name} {percent}%" for name, percent in sorted(shares.items())) or "nothing told yet"
        return Done(f"{place.title} is {'ready' if output['ready'] else 'not ready'}; requests: {said}", output)

    def _place(self, call: Call) -> Place:
        return self._cluster.place(SERVING, "inferenceservices", call.params.get("name"), call.params.get("namespace"))


def _share(found: Object) -> int | None:
    percent = at(found, "spec", "predictor", "canaryTrafficPercent")
    return percent if isinstance(percent, int) else None


def _under_way(found: Object, place: Place) -> int:
    """The share of the canary. Raises `Refused` when there is none: to set one would hold the next version back."""
    share = _share(found)
    if share is None:
        raise Refused(f"{place.title} has no canary under way (no canaryTrafficPercent); nothing was done")
    return share


def _wanted(call: Call) -> int:
    wanted = int(call.params.get("percent") or 0)
    if not 0 <= wanted <= 100:
        raise Refused(f"percent: {wanted} is not between 0 and 100; nothing was done")
    return wanted


def _ready(found: Object) -> bool:
    conditions = at(found, "status", "conditions") or []
    return any(at(one, "type") == "Ready" and at(one, "status") == "True" for one in conditions)
