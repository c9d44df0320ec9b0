"""What happens in the demo, and the person in it who reads, says yes and mends the data."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, build_opener

import msgspec
from parts import Parts
from shop import Shop
from telling import Telling

from quell.cli.exits import Failed
from quell.model.run import MARK

MOST_S = 240.0
"""From the fault to the end; the demo fails if it takes longer."""
_LOOK_EVERY_S = 0.5


class Story:
    """Watches quell through its API and tells what is new; acts as a person would, by quell's own commands."""

    def __init__(self, parts: Parts, shop: Shop, telling: Telling, place: Path) -> None:
        self._parts = parts
        self._shop = shop
        self._telling = telling
        self._place = place
        self._told: set[tuple[str, ...]] = set()
        self._incident: Mapping[str, Any] = {}
        self._approved: set[str] = set()
        self._firing = False

    def calm(self, span_s: float) -> None:
        """All goes well."""
        self._telling.head("all goes well")
        self._telling.event("200 payments a second are loaded into the table transactions, judged, and mostly approved")
        until = time.monotonic() + span_s
        while time.monotonic() < until:
            time.sleep(_LOOK_EVERY_S)
            self._look()
        if self._incident:
            raise Failed(f"there is an incident before anything is wrong: {self._incident['title']}")
        self._telling.event(f"{self._shop.share():.0%} of payments are approved; quell has no incident")

    def fault(self) -> None:
        """The unit changes; nobody is told."""
        self._telling.head("a release of the loader empties the table transactions and loads it anew")
        self._telling.event(
            "OpenLineage says that, and nothing more: that amounts are cents now, and not euros, is told nobody"
        )
        self._shop.reload(cents=True)

    def until_over(self) -> None:
        """Until the incident is resolved, and training goes on."""
        deadline = time.monotonic() + MOST_S
        while time.monotonic() < deadline:
            time.sleep(_LOOK_EVERY_S)
            runs = self._look()
            self._answer(runs)
            if self._shop.cents and _step(runs, "previous-model", "recovered") == "done":
                self._telling.event(f"{self._shop.share():.0%} of payments are approved again")
                self._telling.head("the owners of the table read the ticket and mend the loader")
                self._shop.reload(cents=False)
            if self._over(runs):
                return
        raise Failed(
            f"after {MOST_S:g} s it is not over: incident {self._incident.get('status', 'missing')}; {_states(runs)}"
        )

    def epilogue(self) -> None:
        """The incident as `quell show` has it, the ticket and where the report is."""
        name = self._incident["id"]
        self._telling.head("what ties them: quell graph --lineage model/fraud")
        self._telling.line(self._quell("graph", "--lineage", "model/fraud"))
        self._telling.head(f"the incident: quell show {name}")
        self._telling.line(self._quell("show", name))
        for ticket in self._tickets():
            self._telling.head(f"the ticket: {ticket['id']}")
            self._telling.line(f"{ticket['title']}\n{ticket.get('body', '').strip()}")
        self._keep_report()

    def _look(self) -> list[Mapping[str, Any]]:
        """Tells what is new; returns the runs."""
        if self._shop.failure:
            raise Failed(self._shop.failure)
        client = self._parts.client
        alerts = client.get("/alerts", status="all", limit=1000)["alerts"]
        self._firing = any(alert["status"] == "firing" for alert in alerts)
        for alert in alerts:
            said = alert.get("annotations", {}).get("summary", "")
            name = alert["labels"].get("alertname", "")
            if alert["status"] == "firing":
                self._new(
                    ("alert", alert["fingerprint"], "firing"), f"alert {name} at {alert.get('entity')}: {said}", "red"
                )
            elif ("alert", alert["fingerprint"], "firing") in self._told:
                self._new(
                    ("alert", alert["fingerprint"], "over"), f"alert {name} at {alert.get('entity')} is over", "green"
                )
        incidents = [one for one in client.get("/incidents", status="all", limit=100)["incidents"]
                     if one["status"] not in {"merged", "withdrawn"}]  # fmt: skip
        for one in incidents:
            suspects = one.get("suspects") or []
            first = suspects[0]["entity"] if suspects else "no suspect yet"
            self._new(("incident", one["id"], first), f"incident {one['id']}: first cause {first}", "bold")
        if len(incidents) > 1:
            raise Failed(
                f"{len(incidents)} incidents where one was expected: {', '.join(one['title'] for one in incidents)}"
            )
        self._incident = incidents[0] if incidents else {}
        runs: list[Mapping[str, Any]] = client.get("/runs")["runs"]
        for run in runs:
            for step in (*run.get("steps", ()), *run.get("deeds", ())):
                said = step.get("sentence") or step.get("error") or ""
                if step.get("state") in {"done", "failed", "undone"} and said:
                    self._new(("step", run["id"], step["id"], step["state"]), f"{run['playbook']}: {said}", "cyan")
        return runs

    def _new(self, key: tuple[str, ...], text: str, style: str = "") -> None:
        if key not in self._told:
            self._told.add(key)
            self._telling.event(text, style)

    def _answer(self, runs: list[Mapping[str, Any]]) -> None:
        """Says yes to what waits for it: prints the command and runs it."""
        for run in runs:
            if run["state"] != "waiting":
                continue
            full = self._parts.client.get(f"/runs/{run['id']}")["run"]
            approval = full.get("approval") or {}
            mark = approval.get("bound_to", "")[:MARK]
            if not mark or mark in self._approved:
                continue
            self._approved.add(mark)
            self._telling.event(
                f"{run['playbook']} asks {', '.join(approval.get('who', ()))}: {approval.get('text', '')}",
                "bold yellow",
            )
            self._telling.line(f"         $ quell approve {run['id']} {mark}", "bold")
            self._telling.line(f"         {self._quell('approve', run['id'], mark)}")

    def _over(self, runs: list[Mapping[str, Any]]) -> bool:
        ended = {run["playbook"]: run["state"] for run in runs}
        wrong = [name for name, state in ended.items() if state in {"failed", "stuck", "undone", "in_doubt", "stopped"}]
        if wrong:
            raise Failed(f"playbooks did not do what they should: {_states(runs)}")
        if list(ended.values()).count("done") < 2 or self._firing or not self._incident:
            return False
        if self._incident["status"] != "resolved":
            name = self._incident["id"]
            self._telling.event(
                "nothing fires any more; after two such minutes quell resolves an incident, and a person may at once"
            )
            self._telling.line(f"         $ quell resolve {name}", "bold")
            self._telling.line(f"         {self._quell('resolve', name)}")
        return True

    def _quell(self, *words: str) -> str:
        """What a command of quell prints."""
        parts = self._parts
        environment = {**os.environ, "QUELL_URL": parts.client.url, "QUELL_TOKEN": parts.client.token, "COLUMNS": "120"}
        made = subprocess.run(
            [sys.executable, "-m", "quell.cli", *words],
            env=environment, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        if made.returncode:
            raise Failed(f"quell {shlex.join(words)}: {made.stderr or made.stdout}")
        return made.stdout.strip()

    def _keep_report(self) -> None:
        """Fetches the picture that the ticket points to, as its reader would."""
        marks = [key[1] for key in self._told if key[0] == "alert" and key[2] == "firing"]
        alerts = {
            one["fingerprint"]: one for one in self._parts.client.get("/alerts", status="all", limit=1000)["alerts"]
        }
        for mark in marks:
            if alerts[mark]["labels"].get("kind") == "drift":
                picture = self._parts.client.raw(f"/alerts/{mark}/drift.svg")
                file = self._place / f"{alerts[mark]['labels']['alertname']}.svg"
                file.write_bytes(picture)
                of = alerts[mark]["entity"]
                self._telling.line(
                    f"its report, before and after of {of}: {file.name}, {len(picture)} bytes; "
                    "run.py --keep-files DIR keeps it"
                )

    def _tickets(self) -> list[Mapping[str, Any]]:
        with build_opener(ProxyHandler({})).open(f"{self._parts.desk.url}/tickets", timeout=5) as answer:
            return list(msgspec.json.decode(answer.read()))


def _step(runs: list[Mapping[str, Any]], playbook: str, step: str) -> str:
    found = [one for run in runs if run["playbook"] == playbook for one in run.get("steps", ()) if one["id"] == step]
    return str(found[-1].get("state", "planned")) if found else ""


def _states(runs: list[Mapping[str, Any]]) -> str:
    return (
        "; ".join(f"{run['playbook']} {run['state']} {run.get('error', '')}".strip() for run in runs)
        or "no playbook ran"
    )
