"""`quell say`: what it sends, what it prints, how it ends."""

import json
from base64 import b64encode
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from quell.cli.main import run

ANSWERS = {
    "why INC-1": {"ok": True, "text": "INC-1\nservice/cart, because its alerts came first"},
    "ack": {"ok": False, "text": "Not done: incident INC-1 is already acknowledged by bo."},
    "graph INC-1": {"ok": True, "text": "How trouble travelled", "png": b64encode(b"picture").decode()},
}


class Said(BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked.append((self.path, body))
        data = json.dumps(ANSWERS[body["text"]]).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args):
        pass


@pytest.fixture
def daemon(monkeypatch):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Said)
    server.daemon_threads, server.asked = True, []
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    monkeypatch.setenv("QUELL_URL", f"http://127.0.0.1:{server.server_address[1]}")
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_words_are_sent_as_they_are_and_the_answer_is_printed(daemon, capsys):
    assert run(["say", "why", "INC-1"]) == 0
    assert "because its alerts came first" in capsys.readouterr().out
    assert daemon.asked == [("/api/quell/v1/say", {"text": "why INC-1", "about": ""})]


def test_what_was_not_done_ends_with_one(daemon, capsys):
    assert run(["say", "ack", "--about", "INC-1"]) == 1
    assert "already acknowledged by bo" in capsys.readouterr().err
    assert daemon.asked[0][1]["about"] == "INC-1"


def test_a_picture_is_written(daemon, tmp_path, capsys):
    assert run(["say", "graph INC-1", "-o", str(tmp_path / "walk.png")]) == 0
    assert (tmp_path / "walk.png").read_bytes() == b"picture"
    assert run(["say", "--json", "why INC-1"]) == 0
    assert '"ok": true' in capsys.readouterr().out
