"""``quell stats playbooks``, from a store through the daemon to the terminal."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from daemon.parts import READER, Running, loaded, running, source
from quell.cli.scoring import stats
from quell.model.incident import Incident, Remedy, Suspect
from quell.model.run import Run, StepRun
from quell.store.opening import open_store
from quell.store.port import Turn


def past_run(run_id: str, started_at: float, **fields: Any) -> Run:
    given: dict[str, Any] = {
        "playbook": "roll-back", "incident": "INC-1", "state": "done", "mode": "enforce", "why": "opened",
        "started_at": started_at, "updated_at": started_at + 90.0,
    }  # fmt: skip
    return Run(id=run_id, **{**given, **fields})


async def shown(quell: Running, *words: str) -> str:
    arguments = ["playbooks", "--url", quell.url, "--token", READER, *words]
    done = await asyncio.to_thread(CliRunner().invoke, stats, arguments, env={"COLUMNS": "200"})
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.parametrize("url", ["memory:", "sqlite:///quell.db"])
def test_runs_of_a_span_are_counted(url: str, tmp_path: Path) -> None:
    async def story() -> None:
        now = time.time()
        step = StepRun(id="a", do="deploy.put", state="done", params={"app": "checkout"})
        suspect = Suspect(entity="service/checkout", change="c")
        remedy = Remedy(kind="rollback", text="deploy v2 of service/checkout was taken back to v1", by="ana")
        incident = Incident(
            id="INC-1", title="t", status="resolved", opened_at=now - 900, updated_at=now - 100, remedies=(remedy,)
        )
        runs = [
            past_run("R-1", now - 800),
            past_run("R-2", now - 700, state="skipped", error="cooldown of 30m after run R-1 holds until later"),
            past_run("R-3", now - 600, mode="shadow", dry=True, steps=(step,), suspect=suspect, playbook="p"),
            past_run("R-0", now - 20 * 86_400),
        ]
        store = open_store(url, tmp_path)
        store.commit(Turn(seq=0, runs=runs, incidents=[incident]))
        async with running(loaded(source("w", "worker")), store=store) as quell:
            status, told = await quell.api("GET", "/stats/playbooks?since=7d")
            assert status == 200
            scores = {score["playbook"]: score for score in told["playbooks"]}
            assert scores["roll-back"]["outcomes"] == {"done": 1}
            assert scores["roll-back"]["held"] == {"cooldown": 1}
            assert scores["roll-back"]["to_end"] == {"count": 1, "median_s": 90.0, "longest_s": 90.0}
            assert scores["p"]["shadow"] == {"runs": 1, "agreed": 1, "disagreed": 0, "unknown": 0}
            _, told = await quell.api("GET", "/stats/playbooks?since=30d")
            assert {score["playbook"]: score["runs"] for score in told["playbooks"]} == {"p": 0, "roll-back": 2}
            text = await shown(quell, "--since", "7d")
            assert "1 done" in text
            assert "1 cooldown" in text
            assert "1m30s" in text
            assert "1 of 1" in text
            assert '"playbook"' in await shown(quell, "--json")
            status, told = await quell.api("GET", "/stats/playbooks?since=soon")
            assert (status, told["error"]) == (400, 'since: "soon" is not a duration; write one such as 90s, 15m or 2h')

    asyncio.run(story())


def test_nothing_to_count_is_said() -> None:
    async def story() -> None:
        async with running() as quell:
            assert await shown(quell) == "no playbook is loaded, and none has run\n"

    asyncio.run(story())
