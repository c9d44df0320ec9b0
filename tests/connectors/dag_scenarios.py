"""What must hold of the Airflow connector, whoever answers: told to pretended Airflows and to real ones.

Nothing schedules here, so that runs stay queued: that is what stopping them is tried on.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from connectors.wire import Act, Wire
from quell.errors import Refused, Unreachable

Scenario = Callable[[Act, Wire, str], Awaitable[None]]


async def a_dag_is_paused_once_and_unpaused_again(act: Act, wire: Wire, dag: str) -> None:
    before = await act("is_paused", dag=dag)
    assert (before.output["already"], before.output["was_paused"], before.output["tags"]) == (False, False, ["ml"])
    dry = await act("pause", dry_run=True, dag=dag)
    assert dry.sentence == f"DAG {dag} would be paused; it is scheduled now"
    assert wire.writes == []
    assert (await act("pause", dag=dag)).sentence == f"DAG {dag} is paused"
    assert wire.writes[0][2] == {"is_paused": True}
    assert (await act("pause", dag=dag)).sentence == f"DAG {dag} is paused already; left as it is"
    assert (await act("is_paused", dag=dag)).output["already"] is True
    assert (await act("is_unpaused", dag=dag)).output["already"] is False
    assert (await act("dag", dag=dag)).output["paused"] is True
    dry = await act("unpause", dry_run=True, dag=dag, was_paused=False)
    assert dry.sentence == f"DAG {dag} would be scheduled again; it is paused now"
    assert len(wire.writes) == 1
    undone = await act("unpause", dag=dag, was_paused=before.output["was_paused"])
    assert undone.sentence == f"DAG {dag} is scheduled again"
    assert (await act("unpause", dag=dag)).sentence == f"DAG {dag} is not paused; left as it is"
    assert (await act("is_unpaused", dag=dag)).output["already"] is True
    assert len(wire.writes) == 2


async def what_was_paused_before_stays_paused(act: Act, wire: Wire, dag: str) -> None:
    await act("trigger", dag=dag)
    await act("pause", dag=dag)
    before = await act("is_paused", dag=dag, stop_runs=True)
    assert (before.output["already"], before.output["was_paused"]) == (False, True)
    await act("pause", dag=dag, stop_runs=True)
    undone = await act("unpause", dag=dag, was_paused=before.output["was_paused"])
    assert undone.sentence == f"DAG {dag} stays paused, as it was before"
    assert (await act("dag", dag=dag)).output["paused"] is True


async def runs_go_on_unless_they_are_stopped(act: Act, wire: Wire, dag: str) -> None:
    runs = [(await act("trigger", call_key=f"run-{n}/s", dag=dag)).output["run_id"] for n in range(2)]
    assert sorted((await act("dag", dag=dag)).output["runs"]) == sorted(runs)
    paused = await act("pause", dag=dag)
    assert paused.sentence.startswith(f"DAG {dag} is paused; 2 runs (quell.run-")
    assert paused.sentence.endswith(") go on")
    before = await act("is_paused", dag=dag, stop_runs=True)
    assert before.output["already"] is False
    writes = len(wire.writes)
    dry = await act("pause", dry_run=True, dag=dag, stop_runs=True)
    assert dry.sentence.startswith(f"DAG {dag} would be paused; it is paused now, and 2 runs (")
    assert dry.sentence.endswith(") would be marked failed")
    assert len(wire.writes) == writes
    done = await act("pause", dag=dag, stop_runs=True)
    assert sorted(done.output["stopped"]) == sorted(runs)
    assert done.sentence.startswith(f"DAG {dag} is paused, and 2 runs (")
    assert (await act("is_paused", dag=dag, stop_runs=True)).output["already"] is True
    again = await act("pause", dag=dag, stop_runs=True)
    assert again.sentence == f"DAG {dag} is paused already; left as it is"
    with pytest.raises(Refused, match=r"run quell\.run-0.* failed"):
        await act("trigger", call_key="run-0/s", dag=dag, wait=True)


async def one_run_is_triggered_per_step(act: Act, wire: Wire, dag: str) -> None:
    await act("unpause", dag=dag)
    dry = await act("trigger", dry_run=True, dag=dag)
    run_id = dry.output["run_id"]
    assert dry.sentence == f"run {run_id} of DAG {dag} would be triggered"
    assert (await act("dag", dag=dag)).output["runs"] == []
    first = await act("trigger", dag=dag, conf={"reason": "INC-7"}, note="by quell")
    assert first.output == {"run_id": run_id, "state": "queued"}
    assert first.sentence == f"run {run_id} of DAG {dag} is triggered and is queued"
    again = await act("trigger", dag=dag, conf={"reason": "INC-7"})
    assert again.sentence == f"run {run_id} of DAG {dag} was triggered before and is queued"
    other = await act("trigger", call_key="run-1.s", dag=dag)
    assert len((await act("dag", dag=dag)).output["runs"]) == 2
    assert other.output["run_id"] != run_id
    await act("pause", dag=dag)
    dry = await act("trigger", call_key="run-3/s", dry_run=True, dag=dag)
    assert dry.sentence.endswith("would be triggered; the DAG is paused, so the run would wait")


async def every_cut_leaves_one_effect(act: Act, wire: Wire, dag: str) -> None:
    for fault in ("cut", "lost"):
        for action, params in (("trigger", {}), ("pause", {}), ("unpause", {}), ("pause", {"stop_runs": True})):
            wire.faults = [fault]
            with pytest.raises(Unreachable):
                await act(action, call_key=f"{fault}/s", dag=dag, **params)
            await act(action, call_key=f"{fault}/s", dag=dag, **params)
            writes = len(wire.writes)
            again = await act(action, call_key=f"{fault}/s", dag=dag, **params)
            assert len(wire.writes) == writes + (action == "trigger")
            assert "already" in again.sentence or "before" in again.sentence or "not paused" in again.sentence
        await act("unpause", dag=dag)
    assert (await act("dag", dag=dag)).output["runs"] == []


async def what_airflow_knows_nothing_of_is_refused_in_its_words(act: Act, wire: Wire, dag: str) -> None:
    attempts: tuple[tuple[str, dict[str, Any]], ...] = (
        ("pause", {}), ("unpause", {}), ("trigger", {}), ("dag", {}), ("is_paused", {"stop_runs": True}),
    )  # fmt: skip
    for action, params in attempts:
        for dry_run in (True, False):
            with pytest.raises(Refused, match=r"Airflow \(.* dags/nope.*\) answered 404: .*nope.*not found"):
                await act(action, dry_run=dry_run, dag="nope", **params)
    with pytest.raises(Refused, match='airflow has no action "explode"'):
        await act("explode")


SCENARIOS: tuple[Scenario, ...] = (
    a_dag_is_paused_once_and_unpaused_again,
    what_was_paused_before_stays_paused,
    runs_go_on_unless_they_are_stopped,
    one_run_is_triggered_per_step,
    every_cut_leaves_one_effect,
    what_airflow_knows_nothing_of_is_refused_in_its_words,
)
