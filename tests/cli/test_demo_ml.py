"""The second demo: its files are fine as they stand, its stand-in for Airflow answers the connector, and it runs."""

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from cli.test_demo import running_in
from ports import free_port
from quell.cli.demo.child import Child
from quell.errors import Refused
from quell.sdk.connector import Call, Context
from quell.sdk.http_client import GuardedHttp
from quell.sdk.secret import Secret
from quell.sdk.testkit import run
from quell_connectors.airflow import Airflow
from real.venvs import missing

DEMO = Path(__file__).parents[2] / "examples" / "demo-ml"
NO_INDEX = "-m pip install"


@contextmanager
def begun(tmp_path, *words):
    """The demo as a process that is ended with the test."""
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [sys.executable, str(DEMO / "run.py"), *words]
    with (tmp_path / "out").open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env=environment)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def said(tmp_path):
    text = (tmp_path / "out").read_text()
    if NO_INDEX in text:
        missing(text[-600:])
    return text


def test_what_there_is_to_copy_is_fine_as_it_stands(tmp_path):
    words = [sys.executable, "-m", "quell.cli", "check", str(DEMO / "estate")]
    checked = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")
    assert "fine" in checked.stdout


def test_the_stand_in_for_airflow_answers_the_connector(tmp_path):
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    words = [str(DEMO / "scheduler.py"), str(port)]
    with Child("scheduler", words, url, "/api/v2/version", tmp_path / "log", (sys.executable,)):
        run(_asked(url))


async def _asked(url):
    http = GuardedHttp(["loopback"])
    options = {"url": url, "user": "quell", "password": Secret("quell"), "watch": True}
    connector = Airflow(options, Context("airflow", http))

    async def act(action, dag):
        return await connector.act(Call("run-1/s/1", action, {"dag": dag}, time.time(), dry_run=False, timeout_s=5.0))

    try:
        assert (await act("is_paused", "train_fraud")).output["already"] is False
        assert (await act("pause", "train_fraud")).sentence == "DAG train_fraud is paused"
        assert (await act("is_paused", "train_fraud")).output["already"] is True
        assert (await act("unpause", "train_fraud")).sentence == "DAG train_fraud is scheduled again"
        with pytest.raises(Refused):
            await act("pause", "none")
        told = {getattr(one, "entity", "") for one in (await connector.pull(None, time.time())).records}
        assert {"pipeline/train_fraud", "pipeline/load_transactions", "dataset/transactions"} <= told
    finally:
        await http.close()


@pytest.mark.long
def test_the_whole_story_is_told_and_nothing_is_left(tmp_path):
    with begun(tmp_path, "--keep-files", str(tmp_path / "kept")) as process:
        process.wait(900)
        out = said(tmp_path)
    assert process.returncode == 0, out
    order = [
        "approved; quell has no incident",
        "a release of the loader empties the table",
        "first cause dataset/transactions",
        "previous-model asks role:ml: Point fraud@champion from 2 back to 1?",
        "alias champion of model fraud points to version 1",
        "alert ApprovalsFell at kpi/approvals is over",
        "mend the loader",
        "alert DatasetDrift at dataset/transactions is over",
        "DAG train_fraud is scheduled again",
        ": resolved",
        "nothing is left running",
    ]
    places = [out.find(words) for words in order]
    assert -1 not in places, [words for words, place in zip(order, places, strict=True) if place < 0]
    assert places == sorted(places)
    assert "amount: values ×100 (unit change?)" in out
    assert "hold-training: DAG train_fraud is paused" in out
    assert "stand-in for Airflow" in out
    assert re.search(r"OPS-1\s", out)
    assert "<svg" in (tmp_path / "kept" / "DatasetDrift.svg").read_text()
    assert running_in(tmp_path) == []
    assert not list(tmp_path.glob("quell-demo-ml-*"))


@pytest.mark.long
def test_stopped_in_the_middle_it_leaves_nothing(tmp_path):
    with begun(tmp_path) as process:
        end = time.monotonic() + 900
        while "all goes well" not in said(tmp_path) and process.poll() is None and time.monotonic() < end:
            time.sleep(0.2)
        assert running_in(tmp_path)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130, said(tmp_path)
    assert "stopped; nothing is left running" in said(tmp_path)
    assert running_in(tmp_path) == []
    assert not list(tmp_path.glob("quell-demo-ml-*"))
