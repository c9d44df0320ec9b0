"""The verbs of the Airflow connector. Each action looks first; a dry run looks and then says what would be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from quell.errors import Refused
from quell.sdk.connector import Call, Context, Done, Pending, Pulled
from quell.sdk.spec import Spec
from quell_connectors.airflow.client import Client
from quell_connectors.airflow.spec import SPEC
from quell_connectors.airflow.translate import Dag, Run, run_id_of
from quell_connectors.airflow.watch import Watch

_ROUNDS = 10
"""How often runs under way are listed, a hundred at a time, until none is left to stop."""
_LOOK_AGAIN_S = 15.0


class Airflow:
    """Tells of DAGs and their runs; changes whether a DAG is scheduled; starts and stops runs."""

    spec: ClassVar[Spec] = SPEC

    def __init__(self, options: Mapping[str, Any], context: Context) -> None:
        self._client = Client(options, context.http)
        self._watch = Watch(self._client, options, context.source) if options.get("watch") else None

    async def pull(self, cursor: str | None, now: float) -> Pulled:
        """What is new, when the source is to watch. Raises as the client does."""
        return Pulled((), cursor) if self._watch is None else await self._watch.pull(cursor, now)

    async def act(self, call: Call) -> Done | Pending:
        """Raises `Refused` for what Airflow knows nothing of, `Unreachable` and `NoAnswer` as the client does."""
        match call.action:
            case "pause":
                return await self._pause(call)
            case "unpause":
                return await self._unpause(call)
            case "trigger":
                return await self._trigger(call)
            case "dag" | "is_paused" | "is_unpaused":
                return await self._read(call)
        raise Refused(f'airflow has no action "{call.action}"; it has pause, unpause, trigger, dag')

    async def _read(self, call: Call) -> Done:
        dag = await self._client.dag(str(call.params["dag"]))
        runs = await self._client.under_way(dag.dag_id)
        output = {
            "dag": dag.dag_id,
            "paused": dag.paused,
            "was_paused": dag.paused,
            "schedule": dag.schedule,
            "owners": list(dag.owners),
            "tags": [tag.name for tag in dag.tags],
            "runs": _ids(runs),
        }
        match call.action:
            case "is_paused":
                output["already"] = dag.paused and not (call.params.get("stop_runs") and runs)
            case "is_unpaused":
                output["already"] = not dag.paused
        return Done(f"DAG {dag.dag_id} {_now(dag)}{_under_way(runs)}", output)

    async def _pause(self, call: Call) -> Done:
        dag = await self._client.dag(str(call.params["dag"]))
        runs = await self._client.under_way(dag.dag_id)
        stop = bool(call.params.get("stop_runs")) and bool(runs)
        output = {"dag": dag.dag_id, "paused": True, "was_paused": dag.paused, "stopped": []}
        if dag.paused and not stop:
            return Done(f"DAG {dag.dag_id} is paused already; left as it is{_under_way(runs)}", output)
        if call.dry_run:
            stopped = f", and {_listed(runs)} would be marked failed" if stop else _under_way(runs)
            return Done(f"DAG {dag.dag_id} would be paused; it {_now(dag)} now{stopped}", output)
        if not dag.paused:
            await self._client.set_paused(dag.dag_id, paused=True)
        if not stop:
            return Done(f"DAG {dag.dag_id} is paused{_under_way(runs)}", output)
        stopped_runs = await self._stop(dag.dag_id)
        return Done(
            f"DAG {dag.dag_id} is paused, and {_listed(stopped_runs)} {_was(stopped_runs)} marked failed",
            {**output, "stopped": _ids(stopped_runs)},
        )

    async def _stop(self, dag: str) -> list[Run]:
        stopped: list[Run] = []
        for _ in range(_ROUNDS):
            known = {run.dag_run_id for run in stopped}
            left = [run for run in await self._client.under_way(dag) if run.dag_run_id not in known]
            if not left:
                break
            for run in left:
                await self._client.fail(dag, run.dag_run_id)
                stopped.append(run)
        return stopped

    async def _unpause(self, call: Call) -> Done:
        dag = await self._client.dag(str(call.params["dag"]))
        output = {"dag": dag.dag_id, "paused": False}
        if not dag.paused:
            return Done(f"DAG {dag.dag_id} is not paused; left as it is", output)
        if call.params.get("was_paused"):
            return Done(f"DAG {dag.dag_id} stays paused, as it was before", {**output, "paused": True})
        if call.dry_run:
            return Done(f"DAG {dag.dag_id} would be scheduled again; it {_now(dag)} now", output)
        await self._client.set_paused(dag.dag_id, paused=False)
        return Done(f"DAG {dag.dag_id} is scheduled again", output)

    async def _trigger(self, call: Call) -> Done | Pending:
        run_id, conf = run_id_of(call.key), call.params.get("conf") or {}
        wait = bool(call.params.get("wait"))
        if call.dry_run:
            dag = await self._client.dag(str(call.params["dag"]))
            waits = "; the DAG is paused, so the run would wait" if dag.paused else ""
            return Done(f"run {run_id} of DAG {dag.dag_id} would be triggered{waits}", {"run_id": run_id})
        name = str(call.params["dag"])
        run = await self._client.run(name, run_id) if wait else None
        before = run is not None
        if run is None:
            run = await self._client.trigger(name, run_id, conf, str(call.params.get("note") or ""))
            before = run is None
        if run is None:
            run = await self._client.run(name, run_id)
        if run is None:
            raise Refused(f"Airflow says that run {run_id} of DAG {name} exists, and does not find it")
        if wait and run.state == "failed":
            raise Refused(f"run {run_id} of DAG {name} failed")
        if wait and not run.ended:
            return Pending(_LOOK_AGAIN_S, f"run {run_id} of DAG {name} is {run.state}")
        said = "was triggered before" if before else "is triggered"
        return Done(f"run {run_id} of DAG {name} {said} and is {run.state}", {"run_id": run_id, "state": run.state})


def _ids(runs: Sequence[Run]) -> list[str]:
    return [run.dag_run_id for run in runs]


def _now(dag: Dag) -> str:
    return "is paused" if dag.paused else "is scheduled"


def _listed(runs: Sequence[Run]) -> str:
    shown = ", ".join(run.dag_run_id for run in runs[:3])
    more = f" and {len(runs) - 3} more" if len(runs) > 3 else ""
    return f"{len(runs)} run{'s' * (len(runs) != 1)} ({shown}{more})"


def _was(runs: Sequence[Run]) -> str:
    return "was" if len(runs) == 1 else "were"


def _under_way(runs: Sequence[Run]) -> str:
    if not runs:
        return ""
    return f"; {_listed(runs)} {'goes' if len(runs) == 1 else 'go'} on"
