"""A real Alertmanager posts its webhooks here; what arrives is read as what was posted to it."""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from alertmanager.servers import real_alertmanager
from quell.model.times import format_time
from quell.sdk.connector import Context, Request
from quell.sdk.testkit import FakeHttp
from quell_connectors.alertmanager import Alertmanager

CONFIG = """\
route: {{receiver: quell, group_wait: 500ms, group_interval: 1s, repeat_interval: 1h}}
receivers:
- name: quell
  webhook_configs:
  - {{url: "http://127.0.0.1:{port}/in/am", send_resolved: true, max_alerts: {most}}}
"""


@contextmanager
def listening() -> Iterator[tuple[int, queue.Queue[Request]]]:
    arrived: queue.Queue[Request] = queue.Queue()

    class Take(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            arrived.put(Request("POST", self.path, body, headers))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Take)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server.server_port, arrived
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.needs("prometheus-alertmanager")
def test_firing_cut_off_and_resolved(tmp_path: Path) -> None:
    connector = Alertmanager({}, Context(source="am", http=FakeHttp()))
    labels = [{"alertname": "Down", "node": f"n{n}", "note": 'ü "q"'} for n in range(3)]
    with listening() as (port, arrived), real_alertmanager(tmp_path, CONFIG.format(port=port, most=2)) as server:
        # Not in the past: it sends such alerts at once, the first perhaps before it has the others.
        now = round(time.time(), 3)
        fire = [{"labels": each, "annotations": {"summary": "s"}, "startsAt": format_time(now)} for each in labels]
        resolve = [{**each, "endsAt": format_time(now + 0.001)} for each in fire]
        server.ask("POST", "/api/v2/alerts", json.dumps(fire).encode(), {"Content-Type": "application/json"})
        fired = connector.receive(arrived.get(timeout=10), now)
        server.ask("POST", "/api/v2/alerts", json.dumps(resolve).encode(), {"Content-Type": "application/json"})
        resolved = connector.receive(arrived.get(timeout=10), now)
    for received, status in ((fired, "firing"), (resolved, "resolved")):
        assert received.reply.status == 200
        assert len(received.records) == 2
        assert [record.status for record in received.records] == [status] * 2
        assert all(record.labels in labels for record in received.records)
        assert [record.starts_at for record in received.records] == pytest.approx([now] * 2)
        assert "left 1 alerts out" in received.rejected[0].reason
    assert [record.ends_at for record in fired.records] == [None, None]
    assert [record.at for record in resolved.records] == pytest.approx([now + 0.001] * 2)
