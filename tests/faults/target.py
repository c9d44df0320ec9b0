"""The system that playbooks act on in tests of the ledger: its server's other end, and a connector for it.

The connector has an action of each kind of repeat. It is one of a third party: quell knows it by its declaration only.
"""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

import msgspec

from ports import free_port
from quell.errors import Refused
from quell.sdk.connector import Call, Context, Done
from quell.sdk.http import checked
from quell.sdk.spec import ActionSpec, Option, Spec

_NAME = (Option(name="name", type="text", summary="What it is called.", required=True),)

TRIAGE = """
triage:
  rules:
    - {name: always, match: ['severity="page-me"'], verdict: page, reason: a test}
"""
RETRY = "{times: 30, wait: 50ms, on: [unreachable, timeout]}"
GOES_ON = """
playbook: goes-on
when: {incident: [opened]}
mode: enforce
guards: {each: [incident.id]}
timeout: 1h
steps:
  - {id: on, do: target.on, with: {name: "goes-on-${run.id}"}, timeout: 5s, retry: RETRY, undo: false}
  - {id: ticket, do: target.ticket, with: {name: "goes-on-${run.id}"}, timeout: 5s, retry: RETRY}
  - {id: job, do: target.job, with: {name: "goes-on-${run.id}"}, timeout: 5s, retry: RETRY}
  - {id: sms, do: target.sms, with: {name: "goes-on-${run.id}"}, timeout: 5s}
  - id: each
    for_each: {in: '["a", "b", "c"]', max: 3}
    do: target.ticket
    with: {name: "each-${item}-${run.id}"}
    timeout: 5s
    retry: RETRY
  - id: holds
    do: wait
    with:
      until: result.already
      hold: 0s
      within: 10m
      every: 1s
      query: {do: target.look, with: {name: "goes-on-${run.id}"}}
  - {id: end, do: target.ticket, with: {name: "end-${run.id}"}, timeout: 5s, retry: RETRY}
"""
GOES_BACK = """
playbook: goes-back
when: {incident: [opened]}
mode: enforce
guards: {each: [incident.id]}
timeout: 1h
steps:
  - id: on
    do: target.on
    with: {name: "goes-back-${run.id}"}
    timeout: 5s
    retry: RETRY
    undo: true
  - {id: job, do: target.job, with: {name: "goes-back-${run.id}"}, timeout: 5s, retry: RETRY}
  - {id: fails, do: target.fail, with: {name: "x"}, on_failure: undo}
"""


class TargetConnector:
    """Dies where ``dies`` says: the name of a place, and how often it is passed before."""

    spec: ClassVar[Spec] = Spec(
        name="target",
        summary="For tests.",
        options=(Option(name="url", type="url", summary="Where it is.", required=True),),
        actions=(
            ActionSpec(name="on", summary="Switches on.", params=_NAME, repeat="state", undo="off", before="look"),
            ActionSpec(name="look", summary="Says how the switch is.", params=_NAME, effect="read", repeat="state"),
            ActionSpec(name="off", summary="Switches off.", params=_NAME, repeat="state"),
            ActionSpec(name="ticket", summary="Opens a ticket.", params=_NAME, repeat="keyed"),
            ActionSpec(name="job", summary="Makes a job.", params=_NAME, repeat="lookup"),
            ActionSpec(name="sms", summary="Sends a message.", params=_NAME, repeat="never"),
            ActionSpec(name="fail", summary="Is refused.", params=_NAME, repeat="state"),
        ),
    )
    kill: ClassVar[bool] = False
    """Whether the next request asks to be killed between its effect and the answer."""

    def __init__(self, options: Mapping[str, Any], context: Context) -> None:
        self._url = str(options["url"])
        self._http = context.http

    async def act(self, call: Call) -> Done:
        name = call.params["name"]
        if call.action == "fail":
            raise Refused("it is not to be")
        if call.action == "look":
            answer = checked(await self._http.request("GET", f"{self._url}/"), "target")
            switches = msgspec.json.decode(answer.body)["switches"]
            return Done(f"{name} was looked at", {"already": switches.get(name, False)})
        if call.dry_run:
            return Done(f"would {call.action} {name}")
        if call.action == "job":
            answer = checked(await self._http.request("GET", f"{self._url}/jobs?label={quote(call.key)}"), "target")
            if msgspec.json.decode(answer.body)["found"]:
                return Done(f"job {name} is there already")
        kind, value = ("set", call.action == "on") if call.action in {"on", "off"} else (call.action, None)
        asked = {"name": name, "key": call.key, "value": value}
        if TargetConnector.kill:
            asked["kill"] = os.getpid()
        checked(await self._http.request("POST", f"{self._url}/{kind}", json=asked), "target")
        return Done(f"{call.action} {name}: done")


class Target:
    """The server, running until `close`."""

    def __init__(self) -> None:
        self.port = free_port()
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("target_server.py")), str(self.port)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"

    def settings(self, directory: Path) -> tuple[str, str]:
        """What quell.yaml says beside sources, and its sources: alerts, this, and a file for pages."""
        sources = (
            "  alertmanager: {use: alertmanager}\n"
            f"  target: {{use: target, url: http://127.0.0.1:{self.port}}}\n"
            f"  out: {{use: file, path: {directory / 'pages.jsonl'}}}\n"
        )
        settings = (
            "snapshot_every: 500ms\n"
            "automation: {changes_per_hour: 100000}\n"
            "allow_addresses: [127.0.0.1]\n"
            "pages: [{to: out.page}]\n"
        )
        return settings, sources

    def lie(self, **how: float) -> None:
        """How it answers from now on: ``lost``, ``500``, ``429`` (1), ``slow`` and ``late`` (seconds); ``share``."""
        self._ask("POST", "/lies", how)

    def effects(self) -> dict[str, int]:
        """How often what was done, by what it is."""
        found: dict[str, int] = self._ask("GET", "/")["effects"]
        return found

    def requests(self) -> int:
        """How often it was asked to do anything."""
        return int(self._ask("GET", "/")["requests"])

    def twice(self) -> list[str]:
        """What was done more than once."""
        return [name for name, count in self.effects().items() if count > 1]

    def _ask(self, method: str, path: str, content: object = None) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, None if content is None else msgspec.json.encode(content))
            return msgspec.json.decode(connection.getresponse().read())
        finally:
            connection.close()

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()


def write_playbooks(directory: Path) -> None:
    """The rules and playbooks of these tests."""
    for folder, name, text in (
        ("rules", "triage", TRIAGE), ("playbooks", "goes-on", GOES_ON), ("playbooks", "goes-back", GOES_BACK),
    ):  # fmt: skip
        (directory / folder).mkdir(exist_ok=True)
        (directory / folder / f"{name}.yaml").write_text(text.replace("RETRY", RETRY))
