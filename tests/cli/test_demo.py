"""The demo: from nothing to a report, and nothing left behind unless asked for."""

import gzip
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from quell.cli.demo import child
from quell.cli.demo.storm import events_in, find_storm
from quell.cli.exits import Failed
from quell.model.times import format_time

STORM = Path(__file__).parents[2] / "examples" / "storm"


@pytest.fixture(scope="module")
def short_storm(tmp_path_factory):
    """The example's first part: enough for the bad deploy to be seen."""
    folder = tmp_path_factory.mktemp("storm")
    lines = gzip.decompress((STORM / "stream.jsonl.gz").read_bytes()).splitlines(keepends=True)
    until = format_time(find_storm(STORM).starts_at + 960)
    kept = [lines[0], *(line for line in lines[1:] if json.loads(line)["at"] < until)]
    (folder / "stream.jsonl.gz").write_bytes(gzip.compress(b"".join(kept)))
    return folder


def demo(folder, **environment):
    command = [sys.executable, "-m", "quell.cli", "demo", "--storm", str(folder), "--speed", "150"]
    env = {**{name: value for name, value in os.environ.items() if name != "KEEP"}, **environment}
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=env, check=False)


def running_in(folder):
    """Processes whose command line names ``folder``."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes()
        except (OSError, NotADirectoryError):
            continue
        if entry.name.isdecimal() and str(folder).encode() in words:
            found.append(int(entry.name))
    return found


def test_the_demo_reports_and_leaves_nothing(short_storm, tmp_path):
    shown = demo(short_storm, TMPDIR=str(tmp_path))
    assert (shown.returncode, shown.stderr) == (0, "")
    out = shown.stdout
    assert re.search(r"\d+ events → \d+ alerts → \d+ incident", out)
    assert re.search(r"first cause: deploy chg-\d+ of svc/", out)
    assert "path: " in out
    assert "runner-up: " in out
    assert "(blamed): Deployed " in out
    assert re.search(r"\d+ of \d+ alerts did not page by themselves:", out)
    assert re.search(r'the ticket receiver holds OPS-1: ".+"', out)
    assert "roll-back-deploy for INC-" in out
    assert re.search(
        r"^QUELL_URL=http://127\.0\.0\.1:\d+ QUELL_TOKEN=qll_demo_[0-9a-f]{64} quell approve R-\S+ [0-9a-f]{4}$",
        out,
        re.M,
    )
    assert "\x1b[" not in out
    assert list(tmp_path.iterdir()) == []
    assert running_in(tmp_path) == []


def test_kept_it_goes_on_in_real_time_and_the_command_approves(short_storm, tmp_path):
    shown = demo(short_storm, TMPDIR=str(tmp_path), KEEP="1")
    assert shown.returncode == 0, shown.stderr
    pids = [int(pid) for pid in re.search(r"stop it with: kill (\d+) (\d+)", shown.stdout).groups()]
    try:
        assert pids[0] in running_in(tmp_path)
        asked = r"QUELL_URL=(\S+) QUELL_TOKEN=(\S+) quell approve (\S+) (\S+)"
        url, token, run, mark = re.search(asked, shown.stdout).groups()
        env = {**os.environ, "QUELL_URL": url, "QUELL_TOKEN": token}

        def quell(*words):
            command = [sys.executable, "-m", "quell.cli", *words]
            return subprocess.run(command, capture_output=True, text=True, timeout=60, env=env, check=True).stdout

        assert json.loads(quell("status", "--json"))["clock_speed"] == 1.0
        assert f"{run}: approved" in quell("approve", run, mark)
        deadline = time.monotonic() + 20
        while (state := json.loads(quell("runs", run, "--json"))["run"]["state"]) != "done":
            assert time.monotonic() < deadline, state
            time.sleep(0.2)
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGTERM)
        _wait_until_gone(pids)
        shutil.rmtree(tmp_path)


def _wait_until_gone(pids):
    deadline = time.monotonic() + 20
    while any(_alive(pid) for pid in pids):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _alive(pid):
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


def test_the_storm_is_moved_as_a_whole():
    storm = find_storm(STORM)
    moved = list(storm.moved_to(storm.starts_at + 3600))
    assert len(moved) == len(storm.deliveries)
    assert moved[0].at == storm.starts_at + 3600
    before, after = (json.dumps(each.body) for each in (storm.deliveries[-1], moved[-1]))
    assert re.sub(r"\d\d:\d\d:\d\d\.\d+", "", before) == re.sub(r"\d\d:\d\d:\d\d\.\d+", "", after)
    assert before != after
    assert before.count("0001-01-01T00:00:00Z") == after.count("0001-01-01T00:00:00Z")
    assert storm.events == sum(events_in(each.body) for each in moved)


def test_a_folder_without_a_storm_says_so(tmp_path):
    with pytest.raises(Failed, match=r"stream\.jsonl\.gz is not in .*; name its folder with --storm"):
        find_storm(tmp_path)


def test_a_child_that_does_not_come_up_shows_its_log(tmp_path):
    (tmp_path / "quell.yaml").write_text("listen: 7\n")
    with pytest.raises(Failed, match=r'the daemon ended with code 2:[\s\S]*"7" is not an address'):
        child.daemon(tmp_path, child.free_port()).start()


def test_tickets_are_opened_once_per_key(tmp_path):
    with child.tickets(tmp_path, child.free_port()) as desk:

        def post(path, body):
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            with urlopen(Request(desk.url + path, data, {"Idempotency-Key": "k0"}), timeout=10) as answer:
                return answer.status, json.loads(answer.read())

        assert post("/tickets", {"key": "a", "title": "First"})[1]["id"] == "OPS-1"
        assert post("/tickets", {"key": "a", "title": "Again"})[0] == 200
        assert post("/tickets", {"title": "By header"})[1]["key"] == "k0"
        assert post("/deploys/cart/rollback", {})[0] == 202
        with urlopen(desk.url + "/tickets?key=a", timeout=10) as answer:
            assert [ticket["title"] for ticket in json.loads(answer.read())] == ["First"]
        with urlopen(desk.url + "/rollbacks", timeout=10) as answer:
            assert json.loads(answer.read()) == ["cart"]
