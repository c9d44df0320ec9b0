"""How long people wait for an answer where they talk, with many incidents open; ``python benchmarks/chat.py``.

A daemon with a store on disk begins with a state of so many incidents with four firing alerts each; then commands are
said to it, each twenty times, for one incident after the other, and the median and the slowest are printed.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from quell.config import Loaded, Settings, Token
from quell.config.settings import Limits
from quell.core.engine import Engine
from quell.daemon.auth import Principal
from quell.daemon.chat.floor import Asker
from quell.daemon.clock import Clock
from quell.daemon.daemon import Daemon
from quell.model.alert import Alert, fingerprint
from quell.model.incident import Incident, Suspect, TimelineEntry
from quell.model.rulebook import Rulebook
from quell.model.state import State
from quell.model.topology import Entity
from quell.store.opening import open_store

ADMIN = Principal("bench", "bench", frozenset({"admin"}))
SAID = (
    "incidents", "incidents sev:critical", "show {}", "why {}", "graph {}", "ack {}", "assign {} @ana", "snooze {} 30m",
    "merge {} {other}", "silence service=s1 for 1h because bench", "silences", "resolve {}", "reopen {}", "runs",
    "stats 1d", "help",
)  # fmt: skip


def _state(count: int, now: float) -> State:
    """So many open incidents of four alerts each."""
    state = State(now=now)
    for number in range(count):
        name, entity = f"INC-{number:06x}", f"service/s{number}"
        marks = []
        for rule in ("HighErrorRate", "HighLatency", "PodRestarts", "QueueGrows"):
            labels = {"alertname": rule, "service": f"s{number}", "namespace": "shop", "severity": "critical"}
            mark = fingerprint(labels)
            marks.append(mark)
            state.alerts[mark] = Alert(
                fingerprint=mark, source="bench", labels=labels, status="firing", starts_at=now - 600.0,
                updated_at=now, onset_seen=now - 600.0, incident=name, entity=entity,
            )  # fmt: skip
        state.entities[entity] = Entity(entity=entity)
        state.incidents[name] = Incident(
            id=name, title=f"{entity}: HighErrorRate", status="open", opened_at=now - 500.0, updated_at=now,
            severity="critical", alerts=tuple(marks), entities=(entity,), paged_at=now - 400.0, page_alert=marks[0],
            suspects=(Suspect(entity=entity, confidence=0.8, path=(entity,), onset=now - 600.0),),
            timeline=(TimelineEntry(at=now - 500.0, what="opened", text="4 alerts"),),
        )  # fmt: skip
    return state


async def measure(count: int, times: int) -> None:
    with tempfile.TemporaryDirectory() as place:
        token = Token(id="bench", sha256=hashlib.sha256(b"qll_bench_0").hexdigest(), scopes=frozenset({"admin"}))
        settings = Settings(
            directory=Path(place), store="sqlite:///quell.db", tokens=(token,), limits=Limits(inbox=20_000)
        )
        book = Rulebook(version="bench")
        state = _state(count, time.time())
        loaded = Loaded(settings, book)
        daemon = Daemon(
            loaded, lambda: loaded, Path(place) / "quell.yaml", open_store(settings.store, Path(place)),
            trial=lambda _rules: None, kinds={}, clock=Clock(),
            restore=lambda rules, _data: Engine(rules, state),
        )  # fmt: skip
        await daemon.start()
        names = list(state.incidents)
        print(f"{len(names)} incidents are open")
        worst = 0.0
        for said in SAID:
            spans = []
            for turn in range(times):
                text = said.format(names[turn], other=names[-1 - turn])
                began = time.perf_counter()
                answer = await daemon.chat.say(text, Asker(principal=ADMIN, source="bench"))
                spans.append(time.perf_counter() - began)
                if not answer.ok and "is already" not in answer.text and "is merged" not in answer.text:
                    print(f"  {text}: {answer.text}")
            worst = max(worst, *spans)
            print(f"{said:45} {median(spans) * 1000:8.1f} ms   slowest {max(spans) * 1000:8.1f} ms")
        print(f"slowest of all: {worst * 1000:.0f} ms")
        await daemon.stop()


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--incidents", type=int, default=1000)
    parser.add_argument("--times", type=int, default=20)
    given = parser.parse_args(arguments)
    asyncio.run(measure(given.incidents, given.times))


if __name__ == "__main__":
    main(sys.argv[1:])
