"""What a real connector refuses of a delivery can be delivered to it again, alone."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from quell.daemon.aside import kind_of, parts, request_of
from quell.replay.deliveries import NothingYet
from quell.sdk.connector import Context, Received, Request
from quell.sdk.http import NoHttp
from quell_connectors.alertmanager import Alertmanager
from quell_connectors.cloudevents import CloudEvents
from quell_connectors.pagerduty import PagerDuty
from quell_connectors.topology import TopologyFile
from quell_connectors.webhook import Webhook

NOW = 1_800_000_000.0
GOOD = {"labels": {"alertname": "a"}, "status": "firing", "startsAt": "2026-01-01T00:00:00Z"}
STATES = {"alerts": "body.in.here", "name": "item.title", "status": "item.state"}
EVENT = {"specversion": "1.0", "id": "1", "source": "s", "type": "t"}
CASES: dict[str, tuple[Any, str, Any, int]] = {
    "alertmanager posted": (
        Alertmanager, "/api/v2/alerts", [GOOD, {"labels": {"alertname": "b"}, "startsAt": "x"}, {"labels": {}}], 2,
    ),
    "alertmanager webhook": (
        Alertmanager, "/in/a",
        {"version": "4", "receiver": "r", "commonLabels": {"a": "b"}, "alerts": [GOOD, {**GOOD, "status": "odd"}]}, 1,
    ),
    "cloudevents": (CloudEvents, "/in/a", [EVENT, {"id": "2"}, {"id": "3", "x": [1, {"y": None}]}], 3),
    "pagerduty": (PagerDuty, "/v2/enqueue", {"routing_key": "k", "event_action": "trigger"}, 1),
    "topology": (
        TopologyFile, "/in/a",
        {"nodes": [{"id": "service/a"}, {"x": 1}], "edges": [{"from": "service/a", "to": "service/b"}, {"from": 3}]}, 2,
    ),
    "webhook": (
        Webhook, "/in/a",
        {"in": {"here": [{"title": "t", "state": "UGLY"}, {"title": "t", "state": "OK"}], "k": 1}, "n": [1]}, 1,
    ),
}  # fmt: skip


def received(kind: Any, request: Request) -> Received:
    options = {option.name: option.default for option in kind.spec.options}
    if kind is Webhook:
        options["mapping"] = STATES
    connector = kind(options, Context("a", NoHttp()))
    if request.path.startswith("/in/") or not hasattr(connector, "serve"):
        return connector.receive(request, NOW)  # type: ignore[no-any-return]
    return connector.serve(request, NothingYet(), NOW)  # type: ignore[no-any-return]


@pytest.mark.parametrize("what", CASES)
def test_what_was_refused_is_refused_again_alone(what: str) -> None:
    kind, path, body, refused = CASES[what]
    batch = "application/cloudevents-batch+json" if kind is CloudEvents else "application/json"
    request = Request("POST", path, msgspec.json.encode(body), {"content-type": batch})
    first = received(kind, request)
    assert len(first.rejected) == refused
    for entry in parts(1.0, "a", request, first.rejected, taken=bool(first.records)):
        assert kind_of(entry) == "delivery"
        again = received(kind, request_of(entry))
        assert again.records == [] or not again.records
        assert [each.reason.partition("[")[0] for each in again.rejected] == [entry.reason.partition("[")[0]]
