"""The connector over the real core, without a daemon: each request is received, decided and answered in turn."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

from alertmanager.servers import Answered
from quell.core.engine import Engine
from quell.daemon.view import EngineView
from quell.model.mute import Matcher
from quell.model.rulebook import InhibitRule, Rulebook
from quell.sdk.connector import Context, Received, Request
from quell.sdk.testkit import FakeHttp
from quell_connectors.alertmanager import Alertmanager

RULEBOOK = Rulebook(
    inhibit=(
        InhibitRule(
            name="node",
            source=(Matcher(name="alertname", value="NodeDown"),),
            target=(Matcher(name="alertname", value="PodDown"),),
            equal=("node",),
        ),
    )
)
"""What `requests.CONFIG` says, as rules."""


@dataclass
class InProcess:
    """Answers requests as the daemon does, on a clock of its own."""

    clock: Callable[[], float] = time.time
    engine: Engine = field(default_factory=lambda: Engine(RULEBOOK))
    source: str = "alertmanager"

    def __post_init__(self) -> None:
        self.view = EngineView(lambda: self.engine.state, self.clock())
        self.connector = Alertmanager({"receiver": "quell"}, Context(source=self.source, http=FakeHttp()))
        self.last = Received()

    def ask(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Answered:
        parts = urlsplit(path)
        lowered = {name.lower(): value for name, value in headers.items()}
        query: Sequence[tuple[str, str]] = parse_qsl(parts.query, keep_blank_values=True)
        request = Request(method, parts.path, body or b"", lowered, query)
        now = self.clock()
        self.engine.decide([], now)
        self.last = self.connector.serve(request, self.view, now)
        self.engine.decide(self.last.records, now)
        reply = self.last.reply
        found = {name.lower(): value for name, value in reply.headers.items()}
        if reply.content_type:
            found["content-type"] = reply.content_type
        return Answered(reply.status, found, b"" if method == "HEAD" else reply.body)
