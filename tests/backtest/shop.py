"""A shop: a deploy breaks payments, checkout follows, a batch job fails alone, others chat; all of it is recorded."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

from quell.export.lines import record_line
from quell.model.records import AlertRecord, AnyRecord, ChangeRecord, DependencyRecord, Tick
from quell.model.times import parse_time

START = parse_time("2026-03-01T10:00:00Z") or 0.0
SETTINGS = """\
store: sqlite:///quell.db
sources:
  console: {use: console}
pages:
  - to: console.page
"""
MUTED = """\
mute:
  - name: batch is noisy
    match: ['alertname="JobFailed"']
    reason: it runs again by itself
"""


def alert(at: float, name: str, service: str, severity: str = "critical", status: str = "firing") -> AlertRecord:
    return AlertRecord(
        at=START + at,
        source="am",
        id=f"{name}-{service}-{at:g}-{status}",
        status=status,
        labels={"alertname": name, "service": service, "severity": severity},
        starts_at=START + at if status == "firing" else None,
    )


def history() -> Iterator[AnyRecord]:
    yield DependencyRecord(at=START - 60, from_="service/checkout", to="service/payments", type="calls")
    yield DependencyRecord(at=START - 60, from_="service/web", to="service/checkout", type="calls")
    yield ChangeRecord(at=START - 30, type="deploy", entity="service/payments", revision="v9", id="c9")
    yield alert(0, "HighErrors", "payments")
    yield alert(10, "SlowReplies", "checkout")
    yield alert(20, "SlowReplies", "web")
    yield alert(25, "HighErrors", "checkout")
    yield alert(600, "JobFailed", "batch")
    for at in (900, 2400):
        yield alert(at, "QueueGrows", "mail", "info")
        yield alert(at + 60, "QueueGrows", "mail", "info", "resolved")
    for name, service in (("HighErrors", "payments"), ("SlowReplies", "checkout"), ("SlowReplies", "web")):
        yield alert(3000, name, service, status="resolved")
    yield alert(3000, "HighErrors", "checkout", status="resolved")
    yield alert(3600, "JobFailed", "batch", status="resolved")
    yield Tick(at=START + 7200)


def write_history(file: Path) -> Path:
    file.write_bytes(b"".join(record_line(record) + b"\n" for record in history()))
    return file


def git(folder: Path, *words: str) -> str:
    ran = subprocess.run(
        ["git", "-C", str(folder), "-c", "user.name=ana", "-c", "user.email=ana@example.com", *words],
        capture_output=True,
        text=True,
        check=True,
    )
    return ran.stdout.strip()


def repository(folder: Path, within: str = "") -> Path:
    """A repository with the rules in ``within``, committed; gives the directory of the rules."""
    rules = folder / within
    (rules / "rules").mkdir(parents=True)
    (rules / "quell.yaml").write_text(SETTINGS)
    (rules / "rules" / "map.yaml").write_text(
        "map:\n  - name: services\n    match: ['service=~\".+\"']\n    entity: service/${labels.service}\n"
    )
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "rules")
    return rules
