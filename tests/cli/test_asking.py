"""Commands that ask the daemon: what they print, what they send, how they fail."""

import json
import re
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from quell.cli.main import run
from quell.model.times import format_time

NOW = time.time()
"""When the tests were collected; what is shown of it is days and hours, however late a test runs."""
HOUR, DAY = 3600.0, 86400.0
FINGERPRINT = "00112233445566aa"
ALERT = {
    "fingerprint": FINGERPRINT,
    "source": "alertmanager",
    "labels": {"alertname": "HighErrors", "service": "cart"},
    "status": "firing",
    "starts_at": format_time(NOW - 2 * DAY - 3.5 * HOUR),
    "updated_at": format_time(NOW),
    "onset_seen": format_time(NOW),
    "entity": "service/cart",
    "severity": "critical",
    "handling": "hold",
    "reason": {"code": "young", "text": "it may still resolve by itself"},
    "incident": "INC-1",
}
RUN = {
    "id": "R-1",
    "playbook": "roll-back-deploy",
    "incident": "INC-1",
    "state": "proposed",
    "mode": "propose",
    "why": "a deploy is the first cause",
    "started_at": format_time(NOW - 60),
    "updated_at": format_time(NOW),
    "steps": [{"id": "rollback", "do": "deploys.request", "sentence": "POST /deploys/cart/rollback would be sent"}],
    "approval": {
        "step": "",
        "bound_to": "a1b2c3d4e5f60718",
        "asked_at": format_time(NOW),
        "expires_at": format_time(NOW + 600),
    },
}
INCIDENT = {
    "id": "INC-1",
    "title": "cart answers with errors",
    "status": "open",
    "severity": "critical",
    "opened_at": format_time(NOW - 3 * DAY - 4.5 * HOUR),
    "updated_at": format_time(NOW),
    "alerts": [FINGERPRINT],
    "impact": ["service/web"],
    "suspects": [
        {
            "entity": "service/cart",
            "change": "chg-1",
            "kind": "deploy",
            "confidence": 0.82,
            "path": ["service/cart", "service/web"],
            "evidence": [
                {"code": "order", "text": "its alerts came first", "weight": 2.0},
                {"code": "silent", "text": "one of three needed alerts is missing", "weight": -0.5},
            ],
        },
        {"entity": "service/db", "confidence": 0.1, "lost_because": "it explains 1 of 4 alerts"},
        {"entity": "service/least"},
    ],
    "timeline": [{"at": format_time(NOW - 3 * DAY - 4.5 * HOUR), "what": "opened", "text": "opened with 4 alerts"}],
}
LIKE = {"title": "cart fails", "opened_at": format_time(NOW - 9 * DAY), "status": "resolved"}
SUGGESTION = {
    "id": "sug-1",
    "kind": "dependency",
    "text": "service/a depends on service/b",
    "evidence": ["4 of 5 troubles"],
    "rule": {"from": "service/a", "to": ["service/b"], "type": "calls"},
    "support": 4,
    "chance": 0.1,
    "confidence": 0.7,
}
TRIED = {
    **RUN,
    "id": "R-7",
    "playbook": "trial",
    "state": "done",
    "dry": True,
    "steps": [
        {"id": "a", "do": "k.restart", "state": "done", "sentence": "would restart cart, which has 3 replicas now"},
        {"id": "b", "do": "k.drain", "state": "failed", "error": "no such service"},
        {"id": "c", "do": "k.note", "state": "skipped"},
    ],
}
ANSWERS = {
    "/incidents": {"incidents": [INCIDENT]},
    "/incidents/INC-1": {
        "incident": INCIDENT,
        "alerts": [ALERT],
        "runs": [RUN],
        "changes": [{"id": "chg-1", "at": format_time(NOW - 300), "type": "deploy", "entity": "service/cart"}],
        "similar": {
            "past": [{**LIKE, "incident": "INC-0", "likeness": 0.82, "text": "ended after 5m: restarted it (ana)"}],
            "open": [{**LIKE, "incident": "INC-2", "likeness": 0.91, "text": "still open"}],
        },
    },
    "/suggestions": {"from_time": format_time(NOW), "suggestions": [SUGGESTION], "declined": 0},
    "/suggestions/sug-1/reject": {"rejected": "sug-1", "text": "it will not be suggested again"},
    "/incidents/INC-1/why": {"text": "service/cart, because its alerts came first"},
    "/incidents/INC-1/ack": {"incident": INCIDENT},
    "/alerts": {"alerts": [ALERT, {**ALERT, "fingerprint": "ff", "labels": {"alertname": "HighLatency"}}]},
    f"/alerts/{FINGERPRINT}/why-not": {"text": "HighErrors is held: it may still resolve by itself"},
    "/runs": {"runs": [RUN]},
    "/runs/R-1": {"run": RUN},
    "/runs/R-2": {"run": {**RUN, "id": "R-2", "state": "stuck", "targets": ["service/cart"], "locks": ["deploys"]}},
    "/runs/R-1/approve": {"run": RUN},
    "/runs/R-1/reject": {"accepted": True, "text": "reject: accepted, not decided over yet"},
    "/playbooks": {
        "playbooks": [
            {"name": "roll-back-deploy", "mode": "propose", "summary": "Rolls back."},
            {"name": "nightly", "on": [], "schedule": {"cron": "0 3 * * *", "zone": "Europe/Berlin"}},
            {"name": "often", "on": [], "schedule": {"every_s": 5400.0}},
            {"name": "drift", "on": [], "alert": [{"name": "team", "value": "ml|data", "isRegex": True}]},
            {"name": "drill", "on": [], "by_hand": True},
        ]
    },
    "/runs/R-1/release": {"run": {**RUN, "state": "stuck", "released_by": "ana"}},
    "/playbooks/drill/run": {"runs": [{**RUN, "id": "R-9", "incident": "", "state": "running", "why": "ana asked"}]},
    "/playbooks/trial/run": {"runs": [{**RUN, "id": "R-7", "playbook": "trial", "state": "running", "dry": True}]},
    "/runs/R-7": {"run": TRIED},
    "/playbooks/fails/run": {"runs": [{**RUN, "id": "R-8", "playbook": "fails", "state": "running", "dry": True}]},
    "/runs/R-8": {"run": {**TRIED, "id": "R-8", "state": "failed", "error": "step b: no such service"}},
    "/playbooks/lasts/run": {"runs": [{**RUN, "id": "R-6", "playbook": "lasts", "state": "running", "dry": True}]},
    "/runs/R-6": {"run": {**TRIED, "id": "R-6", "state": "running"}},
    "/playbooks/roll-back-deploy/run": {"runs": [], "text": "no run began; the audit trail says why"},
    "/pause": {"paused_by": "you"},
    "/status": {
        "version": "0.1.0",
        "now": format_time(NOW),
        "inbox": {"records": 3},
        "config": {"problems": []},
        "detectors": {
            "CheckoutSlow": {"series": 7, "firing": 0, "read_at": None, "warning": "has read nothing for 2h"}
        },
    },
    "/graph": {
        "entities": [{"entity": "service/web"}, {"entity": "service/cart", "owner": "shop"}, {"entity": "host/n1"}],
        "dependencies": [
            {"from": "service/web", "to": "service/cart", "type": "calls", "sources": ["topology"]},
            {"from": "service/cart", "to": "host/n1", "type": "runs_on", "confidence": 0.5},
            {"from": "host/n1", "to": "service/web"},
        ],
    },
    "/quarantine": {"quarantine": [{"at": format_time(NOW), "source": "pd", "reason": "no key", "payload": "{}"}]},
    "/audit": {
        "audit": [
            {
                "n": 1,
                "audit": {"at": format_time(NOW), "who": "ana", "what": "ack", "target": "INC-1"},
                "prev_hash": "",
                "hash": "x",
            }
        ]
    },
    "/ledger": {
        "ledger": [
            {
                "perform": {"key": "R-1/ticket/1", "action": "tickets.open"},
                "state": "done",
                "result": {"sentence": "ticket OPS-1 is open"},
                "tries": 1,
            }
        ]
    },
    "/records": {"accepted": 2, "rejected": 0, "problems": []},
}


class Recorded(BaseHTTPRequestHandler):
    """Answers as the daemon did; keeps what was asked."""

    def handle_any(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = self.path.partition("?")[0].removeprefix("/api/quell/v1")
        self.server.asked.append((self.command, self.path, self.headers.get("Authorization", ""), body))
        status, answer = self.server.overrides.get(path) or (200, ANSWERS.get(path))
        if answer is None:
            status, answer = 404, {"error": f'nothing at "{path}"'}
        data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        if status == 302:
            self.send_header("Location", "http://127.0.0.1:1/elsewhere")
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        self.handle_any()

    def do_POST(self):
        self.handle_any()

    def log_message(self, *args):
        pass


@pytest.fixture
def daemon(monkeypatch):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Recorded)
    server.daemon_threads = True
    server.asked, server.overrides = [], {}
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    monkeypatch.setenv("QUELL_URL", f"http://127.0.0.1:{server.server_address[1]}")
    monkeypatch.setenv("QUELL_TOKEN", "qll_me_secret")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["incidents"], ["INC-1", "critical", "open", "3d4h ago", "deploy chg-1 of service/cart 82%", "cart answers"]),
        (
            ["show", "INC-1"],
            [
                "cart answers with errors",
                "nobody was paged",
                "reaches service/web",
                "82%  deploy chg-1 of service/cart",
                "service/cart → service/web",
                "+ its alerts came first",
                "− one of three needed alerts is missing",
                "10%  service/db: it explains 1 of 4 alerts",
                "HighErrors",
                "deploy chg-1 of service/cart",
                "quell runs R-1",
                "opened with 4 alerts",
                "similar before",
                "82%  INC-0  cart fails",
                "ended after 5m: restarted it (ana)",
                "alike and open",
                "91%  INC-2",
            ],
        ),
        (["suggest"], ["# sug-1, 70% sure: service/a depends on service/b", '- from: "service/a"']),
        (["suggest", "--reject", "sug-1", "--note", "no"], ["sug-1: it will not be suggested again"]),
        (["why", "INC-1"], ["service/cart, because its alerts came first"]),
        (["ack", "INC-1", "--note", "on it"], ["INC-1: acknowledged"]),
        (["alerts"], ["HighErrors", "service/cart", "hold", "it may still resolve by itself", "2d3h ago"]),
        (["why-not", FINGERPRINT], ["HighErrors is held"]),
        (["why-not", "higherr"], ["HighErrors is held"]),
        (["runs"], ["R-1", "proposed", "a deploy is the first cause"]),
        (["runs", "R-1"], ["would be sent", "quell approve R-1 a1b2"]),
        (["approve", "R-1", "A1B2"], ["R-1: approved"]),
        (["approve", "R-1", "a1b2", "--version", "3", "--note", "read it"], ["R-1: approved"]),
        (["reject", "R-1"], ["R-1: reject: accepted, not decided over yet"]),
        (["runs", "R-2"], ["touches service/cart", "locks deploys", "has looked: quell release R-2"]),
        (["release", "R-1", "--note", "looked"], ["R-1: its locks are released, now stuck"]),
        (["run", "drill"], ["R-9: drill is running: ana asked", "quell runs R-9"]),
        (
            ["run", "trial", "INC-1", "--dry"],
            [
                "R-7: trial (dry): ",
                "  a: would restart cart, which has 3 replicas now\n  b: failed: no such service\n  c: skipped\n",
                "nothing was changed",
            ],
        ),
        (["run", "trial", "INC-1", "--dry", "--json"], ['"runs"', '"would restart cart, which has 3 replicas now"']),
        (["runs", "--playbook", "drill"], ["R-1"]),
        (["playbooks"], ["roll-back-deploy", "propose", "Rolls back.", "incident opened"]),
        (["playbooks"], ["0 3 * * * (Europe/Berlin)", "every 1h30m", 'alert team=~"ml|data"', "by hand"]),
        (["pause"], ["playbooks are paused"]),
        (["status"], ["inbox.records", "3", "config.problems", "CheckoutSlow", "has read nothing for 2h"]),
        (["graph"], ["3 entities: 2 service, 1 host", "3 dependencies", "service/web", "calls", "topology"]),
        (
            ["graph", "service/cart"],
            ["owner shop", "depends on", "host/n1", "50% sure", "is needed by", "service/web", "says topology"],
        ),
        (["quarantine"], ["pd", "no key"]),
        (["audit"], ["ana", "ack", "INC-1"]),
        (["ledger"], ["R-1/ticket/1", "tickets.open", "done", "ticket OPS-1 is open"]),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, list) and value else "",
)
def test_what_people_see(daemon, capsys, words, shown):
    assert run(words) == 0
    out = capsys.readouterr().out
    for text in shown:
        assert text in out


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_tables_fit_the_terminal(daemon, capsys, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    for words in (["incidents"], ["alerts"], ["show", "INC-1"], ["runs"]):
        assert run(words) == 0
        lines = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out).splitlines()
        assert max(map(len, lines)) <= width
        assert any("INC-1" in line or "R-1" in line or "…" in line for line in lines)


@pytest.mark.parametrize(
    "words", [["incidents"], ["show", "INC-1"], ["alerts"], ["status"], ["graph"], ["ack", "INC-1"]]
)
def test_json_is_what_the_api_said(daemon, capsys, words):
    assert run([*words, "--json"]) == 0
    path = {"show": "/incidents/INC-1", "ack": "/incidents/INC-1/ack"}.get(words[0], f"/{words[0]}")
    assert json.loads(capsys.readouterr().out) == ANSWERS[path]


def test_the_token_goes_along_and_queries_are_passed(daemon, capsys):
    assert run(["alerts", "--status", "all", "--handling", "digest", "--limit", "7"]) == 0
    method, path, authorization, _ = daemon.asked[-1]
    assert (method, authorization) == ("GET", "Bearer qll_me_secret")
    assert path == "/api/quell/v1/alerts?status=all&handling=digest&limit=7"


def test_names_are_one_segment_of_the_path(daemon, capsys):
    assert run(["ack", "../status?x=/y"]) == 1
    assert daemon.asked[-1][1] == "/api/quell/v1/incidents/..%2Fstatus%3Fx%3D%2Fy/ack"


def test_send_posts_lines_in_batches(daemon, capsys, tmp_path):
    path = tmp_path / "records.jsonl"
    path.write_text('{"kind": "tick", "at": 1}\n\n' * 1500)
    assert run(["send", str(path)]) == 0
    assert [body.count(b"\n") for *_, body in daemon.asked] == [1000, 500]
    assert capsys.readouterr().out == "1500 sent, 4 accepted, 0 rejected\n"


def test_send_names_the_lines_that_were_refused(daemon, capsys, tmp_path):
    path = tmp_path / "records.jsonl"
    path.write_text('\n{"kind": "tick", "at": 1}\n\nno\n')
    refused = {"accepted": 1, "rejected": 1, "problems": ["line 2: not JSON"]}
    daemon.overrides["/records"] = (200, refused)
    assert run(["send", str(path)]) == 0
    told = capsys.readouterr()
    assert told.err == f"{path}:4: not JSON\n"
    assert told.out == "2 sent, 1 accepted, 1 rejected\n"
    assert run(["send", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["problems"] == [f"{path}:4: not JSON"]
    daemon.overrides["/records"] = (200, {"accepted": 1, "rejected": 130, "problems": ["line 2: not JSON"] * 100})
    assert run(["send", str(path)]) == 0
    assert capsys.readouterr().err.endswith("… and 110 more; quell quarantine lists them\n")
    daemon.overrides["/records"] = (400, {"error": "line 1: not JSON; line 2: nested too deep"})
    assert run(["send", str(path)]) == 1
    assert capsys.readouterr().err == f"{path}:2: not JSON; {path}:4: nested too deep\n"


@pytest.mark.parametrize(
    ("words", "override", "code", "message"),
    [
        (
            ["incidents"],
            (401, {"error": "no valid token"}),
            1,
            "does not accept this token (no valid token)\npass it with",
        ),
        (["incidents"], (403, {"error": 'no scope "read"'}), 1, 'this token may not do that: no scope "read"'),
        (["incidents"], (404, {"error": "not here"}), 1, "not here"),
        (["incidents"], (503, {"error": "the inbox is full"}), 1, "cannot answer now: the inbox is full; try again"),
        (["incidents"], (500, {}), 1, "answered 500 without a reason"),
        (["incidents"], (200, b"<html>hello"), 1, "is not quell"),
        (["incidents"], (200, b"[1]"), 1, "is not quell"),
        (["incidents"], (302, b""), 1, "a redirect, which is not followed"),
        (["incidents"], (422, {"detail": [{"loc": ["query", "limit"], "msg": "too big"}]}), 1, "query.limit: too big"),
    ],
)
def test_how_the_daemon_says_no(daemon, capsys, words, override, code, message):
    daemon.overrides["/incidents"] = override
    assert run(words) == code
    captured = capsys.readouterr()
    assert message in captured.err
    assert "Traceback" not in captured.err
    assert "qll_me_secret" not in captured.err + captured.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["why-not", "high"], '"high" names 2 alerts; choose one by its fingerprint:\n  00112233445566aa  HighErrors'),
        (["why-not", "nothing"], 'no alert is named "nothing"; quell alerts --status all lists them'),
        (["run", "roll-back-deploy", "INC-1"], "no run began; the audit trail says why"),
        (["run", "fails", "INC-1", "--dry"], "R-8 failed: step b: no such service"),
        (["run", "lasts", "INC-1", "--dry", "--wait", "1s"], "R-6 is not over yet; look again with: quell runs R-6"),
        (["show", "INC-9"], 'nothing at "/incidents/INC-9"'),
        (["status", "--url", "not-an-address"], '"not-an-address" is not an address; write one such as http://'),
        (["status", "--url", "file:///etc/passwd"], "is not an address"),
        (["status", "--url", "http://[::1"], '"http://[::1" is not an address'),
        (["status", "--url", "http://127.0.0.1:99999"], '"http://127.0.0.1:99999" is not an address'),
        (["status", "--url", "http://127.0.0.1:1/\n x"], "is not an address"),
        (["status", "--token", "qll_me_1\r"], "this is no token: it holds a line's end"),
        (["status", "--token", "qll_me_\u00f6"], "pass one line with --token or QUELL_TOKEN"),
        (["show", ""], "an empty name was given; is a variable not set?"),
        (["ack", " "], "an empty name was given"),
        (["status", "--url", "http://127.0.0.1:1"], 'cannot reach quell at "http://127.0.0.1:1" (connection refused)'),
    ],
)
def test_messages_say_what_to_do(daemon, capsys, words, message):
    assert run(words) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "empty", "text"),
    [
        (["incidents"], {"incidents": []}, "no open incidents"),
        (["incidents", "--status", "all"], {"incidents": []}, "no incidents"),
        (["alerts"], {"alerts": []}, "no alerts fire"),
        (["runs"], {"runs": []}, "no playbook has run"),
        (["playbooks"], {"playbooks": []}, "no playbooks are loaded"),
        (["quarantine"], {"quarantine": []}, "the quarantine is empty"),
        (["audit"], {"audit": []}, "nobody did anything yet"),
        (["ledger"], {"ledger": []}, "nothing was done yet"),
        (["graph"], {"entities": [], "dependencies": []}, "nothing is known"),
    ],
)
def test_nothing_is_said_in_words(daemon, capsys, words, empty, text):
    daemon.overrides[f"/{words[0]}"] = (200, empty)
    assert run(words) == 0
    assert text in capsys.readouterr().out


RUDE = "a\x1b[2J\x1b]0;mine\x07b\r\x7f\x9b\u202egnp.exe\u2066"
SHOWN = "a␛[2J␛]0;mine␇b␍␡\ufffd\ufffdgnp.exe\ufffd"


def test_what_a_sender_wrote_does_not_move_the_cursor(daemon, capsys):
    alert = {**ALERT, "entity": f"service/{RUDE}", "labels": {"alertname": "Käse 日本 🔥", RUDE: RUDE}}
    daemon.overrides["/alerts"] = (200, {"alerts": [alert]})
    assert run(["alerts"]) == 0
    out = capsys.readouterr().out
    assert f"service/{SHOWN}" in out
    assert "Käse 日本 🔥" in out
    assert run(["alerts", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"alerts": [alert]}


def test_nor_does_what_the_daemon_says_of_it(daemon, capsys):
    daemon.overrides["/incidents/INC-1/why"] = (200, {"text": f"First cause: service/{RUDE}\nmore"})
    assert run(["why", "INC-1"]) == 0
    assert f"First cause: service/{SHOWN}\nmore\n" in capsys.readouterr().out
    assert run(["why", "INC-1", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["text"] == f"First cause: service/{RUDE}\nmore"
    daemon.overrides["/incidents/INC-1/why"] = (404, {"error": f'"{RUDE}" names 2 alerts'})
    assert run(["why", "INC-1"]) == 1
    assert f'"{SHOWN}" names 2 alerts' in capsys.readouterr().err
