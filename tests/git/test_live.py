"""A daemon whose rules come from a real repository: from its first commit through a push to one that it refuses."""

from __future__ import annotations

import hashlib
import hmac
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from faults.child import TOKEN, Child, write_config
from faults.waiting import wait_for
from git.origin import Origin
from ports import free_port

SCENARIO = """\
test: somebody is told
playbooks: [hello]
feed:
  - {{at: 0s, alert: {{alertname: HighErrors, service: web, severity: critical}}, for: 30m}}
  - {{at: 1s, alert: {{alertname: HighLatency, service: web, severity: critical}}, for: 30m}}
  - {{at: 2s, alert: {{alertname: Crashing, service: web, severity: critical}}, for: 30m}}
expect:
  - {{at: 20m, calls: [{{out.print: {{text: hello}}, times: {times}}}]}}
"""

SECRET = "a secret that both know"


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    return Origin(tmp_path / "there")


@pytest.fixture
def child(tmp_path: Path, origin: Origin) -> Iterator[Child]:
    directory = tmp_path / "quell"
    signers = origin.allow("ana")
    extra = f"git:\n  url: {origin.url}\n  signers: {signers}\n  every: 1h\n  hook_secret: file:hook\n"
    config = write_config(directory, extra, "  alertmanager: {use: alertmanager}\n  out: {use: console}\n")
    (directory / "hook").write_text(SECRET)
    one = Child(config, free_port())
    yield one
    one.close()


def quell(child: Child, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "QUELL_URL": f"http://127.0.0.1:{child.port}", "QUELL_TOKEN": TOKEN}
    return subprocess.run([sys.executable, "-m", "quell.cli", *words], capture_output=True, text=True, check=False,
                          timeout=60, env=environment)  # fmt: skip


def push(child: Child, signature: str | None = None) -> int:
    body = b'{"ref": "refs/heads/main"}'
    right = "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    return child.ask("POST", "/hooks/git", body, {"x-hub-signature-256": signature or right})[0]


def in_use(child: Child) -> str | None:
    found = child.api("GET", "/status")["config"]["git"]["commit"]
    return str(found) if found else None


def test_from_the_first_commit_to_one_that_is_refused(child: Child, origin: Origin) -> None:
    origin.playbook("hello", mode="enforce")
    first = origin.commit("rules: begin", "ana")
    child.spawn()
    child.wait_ready()
    assert in_use(child) == first
    names = [one["name"] for one in child.api("GET", "/playbooks")["playbooks"]]
    assert names == ["hello"]

    origin.playbook("second")
    second = origin.commit("rules: more", "ana")
    assert push(child, "sha256=" + "0" * 64) == 401
    assert push(child) == 202
    wait_for("the push is taken up", lambda: in_use(child) == second)
    assert len(child.api("GET", "/playbooks")["playbooks"]) == 2

    origin.write("playbooks/broken.yaml", "playbook: broken\nsteps:\n  - {id: a, do: out.pirnt}\n")
    origin.commit("rules: a slip", "ana")
    said = quell(child, "sync")
    assert said.returncode == 1
    assert f"in use: {second[:12]} rules: more, signed by ana@example.com" in said.stdout
    assert "broken.yaml:3" in said.stderr
    origin.commit("rules: whoever", "mallory")
    assert "signed by nobody who is allowed to" in quell(child, "sync").stderr
    trail = [one["audit"]["what"] for one in child.api("GET", "/audit")["audit"]]
    assert [verb for verb in trail if verb.endswith("_rules")] == ["refuse_rules", "refuse_rules", "take_rules"]
    assert any(one["labels"]["alertname"] == "QuellRulesNotTaken" for one in child.api("GET", "/alerts")["alerts"])

    (origin.work / "playbooks/broken.yaml").unlink()
    origin.write("playbooks/hello.test.yaml", SCENARIO.format(times=2))
    origin.commit("rules: a test that fails", "ana")
    said = quell(child, "sync").stderr
    assert "playbooks/hello.test.yaml:" in said
    assert 'test "somebody is told" failed' in said
    assert in_use(child) == second

    origin.write("playbooks/hello.test.yaml", SCENARIO.format(times=1))
    fixed = origin.commit("rules: mended", "ana")
    assert quell(child, "sync").returncode == 0
    assert in_use(child) == fixed
    wait_for("its own alert is over", lambda: child.api("GET", "/alerts?status=firing")["alerts"] == [])
    child.kill()
    origin.bare.rename(origin.bare.with_name("gone"))
    child.spawn()
    child.wait_ready()
    assert in_use(child) == fixed, "the last good commit is kept over a restart without the repository"
    assert len(child.api("GET", "/playbooks")["playbooks"]) == 2
    assert child.end() == 0
    assert "Traceback" not in child.log


def test_without_a_commit_alerts_are_taken_all_the_same(child: Child, origin: Origin) -> None:
    child.spawn()
    child.wait_ready()
    assert in_use(child) is None
    assert "the repository has no branch" in child.log
    origin.playbook("hello")
    first = origin.commit(signer="ana")
    assert push(child) == 202
    wait_for("the first commit is taken up", lambda: in_use(child) == first)
    assert child.end() == 0
