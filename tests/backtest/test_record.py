"""quell record: what fires at a real Alertmanager is in the files, with its silences, and goes on after a break."""

import asyncio
import gzip
import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import pytest

from alertmanager.servers import real_alertmanager
from connectors.deliveries import built
from ports import free_port
from quell.cli import recording
from quell.cli.days import Days
from quell.cli.exits import Failed
from quell.cli.growing import Growing
from quell.cli.main import run as quell
from quell.errors import BadPayload, Unreachable
from quell.model.records import AlertRecord, CommandRecord, Tick
from quell.model.rulebook import Rulebook
from quell.replay.reader import Reader
from quell.replay.run import replay
from quell.sdk.http import Answer
from quell.sdk.testkit import NOW, FakeHttp, run
from quell_connectors.alertmanager_poll import AlertmanagerPoll

CONFIG = "route: {receiver: none}\nreceivers: [{name: none}]\n"
JSON = {"Content-Type": "application/json"}


def stamp(at):
    return datetime.fromtimestamp(at, UTC).isoformat()


def post(server, path, value):
    answer = server.ask("POST", path, json.dumps(value).encode(), JSON)
    assert answer.status == 200, answer
    return json.loads(answer.body) if answer.body else None


def fire(server, name, *, over=False):
    now = time.time()
    alert = {
        "labels": {"alertname": name, "service": "web", "severity": "critical"},
        "annotations": {"summary": f"{name} of web"},
        "startsAt": stamp(now - 120),
        "endsAt": stamp(now - 1 if over else now + 3600),
    }
    post(server, "/api/v2/alerts", [alert])


def records_in(folder):
    return [record for file in sorted(folder.glob("*.jsonl*")) for record in Reader(strict=True).read(file)]


@pytest.mark.needs("prometheus-alertmanager")
def test_what_fires_is_recorded_and_goes_on_after_a_break(tmp_path, capfd):
    out, home = tmp_path / "history", tmp_path / "am"
    home.mkdir()
    with real_alertmanager(home, CONFIG) as server:
        words = ["record", "alertmanager", "--url", f"http://127.0.0.1:{server.port}", "--every", "100ms"]
        words += ["--out", str(out), "--label", "cluster=eu", "--for"]
        fire(server, "HighErrors")
        fire(server, "DiskFull")
        silence = {
            "matchers": [{"name": "alertname", "value": "Disk.*", "isRegex": True, "isEqual": True}],
            "startsAt": stamp(time.time()), "endsAt": stamp(time.time() + 3600), "createdBy": "ana", "comment": "known",
        }  # fmt: skip
        made = post(server, "/api/v2/silences", silence)["silenceID"]
        assert quell([*words, "1s"]) == 0
        assert ": 3 lines added" in capfd.readouterr().out
        fire(server, "HighErrors", over=True)
        assert server.ask("DELETE", f"/api/v2/silence/{made}", None, {}).status == 200
        assert quell([*words, "1s"]) == 0
        assert ": 2 lines added" in capfd.readouterr().out
    told = records_in(out)
    alerts = [(one.labels["alertname"], one.status) for one in told if isinstance(one, AlertRecord)]
    assert sorted(alerts) == [("DiskFull", "firing"), ("HighErrors", "firing"), ("HighErrors", "resolved")]
    first = next(one for one in told if isinstance(one, AlertRecord))
    assert first.labels["cluster"] == "eu"
    assert first.annotations["summary"].endswith("of web")
    assert first.seen is not None
    assert first.starts_at is not None
    assert 100 < first.seen - first.starts_at < 200
    silences = [one.args["silence"] for one in told if isinstance(one, CommandRecord)]
    assert [one["id"] for one in silences] == [made, made]
    assert silences[1]["ends_at"] < silences[0]["ends_at"]
    outcome = replay([*told[:3], Tick(at=(told[2].seen or 0) + 5)], Rulebook(), settle_s=900)
    assert {alert.verdict for alert in outcome.alerts} == {"page", "muted"}


@pytest.mark.needs("prometheus-alertmanager")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_in_order(tmp_path, number):
    home = tmp_path / "am"
    home.mkdir()
    with real_alertmanager(home, CONFIG) as server:
        fire(server, "HighErrors")
        url = f"http://127.0.0.1:{server.port}"
        process = subprocess.Popen(
            [sys.executable, "-m", "quell.cli", "record", "alertmanager", "--url", url, "--out", str(tmp_path / "h")],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        end = time.monotonic() + 30
        while not list((tmp_path / "h").glob(recording.NOTE)):
            assert time.monotonic() < end
            time.sleep(0.05)
        os.kill(process.pid, number)
        told, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    assert ": 1 line added" in told


def test_who_does_not_answer_is_asked_again_and_nothing_is_over(tmp_path, capfd):
    url = f"http://127.0.0.1:{free_port()}"
    words = ["record", "alertmanager", "--url", url, "--every", "50ms", "--for", "500ms", "--out", str(tmp_path / "h")]
    assert quell(words) == 0
    told = capfd.readouterr()
    assert "asking again in" in told.err
    assert ": 0 lines added" in told.out
    assert not list((tmp_path / "h").glob("*.jsonl"))


def test_a_directory_is_of_one_source(tmp_path, capfd):
    growing = Growing(tmp_path / recording.NOTE)
    growing.add(tmp_path / "2026-03-01.jsonl", [], None, {"source": "prometheus", "url": "http://other"})
    assert quell(["record", "alertmanager", "--url", "http://127.0.0.1:9", "--out", str(tmp_path)]) == 1
    assert "is a record of http://other; name another directory" in capfd.readouterr().err


def test_what_only_listens_cannot_be_recorded(tmp_path, capfd):
    assert quell(["record", "webhook", "--url", "http://127.0.0.1:9", "--out", str(tmp_path)]) == 2
    assert '"webhook" cannot be asked for this' in capfd.readouterr().err


# The connector


def shown(name, start="2026-03-01T10:00:00Z", end="2026-03-01T10:05:00Z"):
    return {"labels": {"alertname": name}, "startsAt": start, "endsAt": end, "annotations": {}, "generatorURL": ""}


def pulled(alerts, silences=(), cursor=None, now=NOW):
    def answer(sent):
        value = silences if sent.url.endswith("/silences") else alerts
        return Answer(200, {}, value if isinstance(value, bytes) else json.dumps(value).encode())

    return run(built(AlertmanagerPoll, FakeHttp(answer), url="http://am/prefix/").pull(cursor, now))


def test_only_news_are_told():
    first = pulled([shown("A"), shown("B")])
    assert [(one.labels["alertname"], one.status) for one in first.records] == [("A", "firing"), ("B", "firing")]
    same = pulled([shown("B"), shown("A", end="2026-03-01T10:09:00Z")], cursor=first.cursor)
    assert same.records == []
    gone = pulled([shown("B")], cursor=same.cursor)
    assert [(one.labels["alertname"], one.status) for one in gone.records] == [("A", "resolved")]
    again = pulled([shown("B", start="2026-03-01T11:00:00Z")], cursor=gone.cursor)
    assert [(one.labels["alertname"], one.status) for one in again.records] == [("B", "firing")]


def test_an_end_that_was_announced_is_the_end():
    before = pulled([shown("A", "2026-03-01T10:00:00Z", "2026-03-01T10:05:00Z")], now=1_772_359_260.0)
    (over,) = pulled([], cursor=before.cursor, now=1_772_359_600.0).records
    assert over.ends_at == 1_772_359_500.0
    (early,) = pulled([], cursor=before.cursor, now=1_772_359_300.0).records
    assert early.ends_at == 1_772_359_300.0


@pytest.mark.parametrize("body", [b"{}", b"<html>", b'[{"labels": 7}]', b'[{"labels":{"a":"b"},"startsAt":"soon"}]'])
def test_what_cannot_be_read_ends_no_alert(body):
    with pytest.raises(BadPayload):
        pulled(body, cursor=pulled([shown("A")]).cursor)


def test_the_cursor_of_another_version_begins_anew():
    assert len(pulled([shown("A")], cursor="7").records) == 1


def test_an_expired_silence_that_nobody_knew_is_no_news():
    silence = {
        "id": "s", "matchers": [{"name": "a", "value": "b", "isRegex": False, "isEqual": False}],
        "startsAt": "2026-03-01T10:00:00Z", "endsAt": "2026-03-01T10:05:00Z", "updatedAt": "2026-03-01T10:05:00Z",
        "createdBy": "ana", "comment": "", "status": {"state": "expired"},
    }  # fmt: skip
    assert pulled([], [silence]).records == []
    (made,) = pulled([], [{**silence, "status": {"state": "active"}}]).records
    assert list(made.args["silence"]["matchers"]) == [{"name": "a", "value": "b", "isRegex": False, "isEqual": False}]


# Files


def tick(at):
    return Tick(at=at)


def test_a_torn_line_is_cut_and_nothing_is_written_twice(tmp_path):
    file = tmp_path / "2026-03-01.jsonl"
    growing = Growing(tmp_path / "note")
    assert growing.add(file, [tick(1.0)], "a", {}) == 1
    whole = file.read_bytes()
    with file.open("ab") as stream:
        stream.write(b'{"kind":"ti')
    again = Growing(tmp_path / "note")
    assert again.note is not None
    assert again.note.cursor == "a"
    again.add(file, [tick(2.0)], "b", {})
    assert file.read_bytes().startswith(whole)
    assert [record.at for record in Reader(strict=True).read(file)] == [1.0, 2.0]


def test_a_file_without_a_note_is_kept(tmp_path):
    file = tmp_path / "2026-03-01.jsonl"
    file.write_bytes(b'{"kind":"tick","at":1}\n{"kind":"t')
    Growing(tmp_path / "note").add(file, [tick(2.0)], "a", {})
    assert [record.at for record in Reader(strict=True).read(file)] == [1.0, 2.0]


def test_a_note_that_cannot_be_read_is_told(tmp_path):
    (tmp_path / "note").write_text("{")
    with pytest.raises(Failed, match="take it away to begin anew"):
        Growing(tmp_path / "note")


def test_past_days_are_packed_and_old_ones_taken_away(tmp_path):
    days = Days(tmp_path / "h", keep_s=3 * 86_400.0, most_bytes=10**9)
    today = datetime(2026, 3, 10, 12, tzinfo=UTC)
    for back in range(6):
        at = (today - timedelta(days=back)).timestamp()
        days.file(at).write_bytes(b'{"kind":"tick","at":1}\n')
    (tmp_path / "h" / "notes.txt").write_text("mine")
    assert days.tidy(today.timestamp()) == ["2026-03-05.jsonl.gz", "2026-03-06.jsonl.gz"]
    names = sorted(path.name for path in (tmp_path / "h").iterdir())
    assert names == [
        "2026-03-07.jsonl.gz", "2026-03-08.jsonl.gz", "2026-03-09.jsonl.gz", "2026-03-10.jsonl", "notes.txt",
    ]  # fmt: skip
    with gzip.open(tmp_path / "h" / "2026-03-09.jsonl.gz") as stream:
        assert stream.read() == b'{"kind":"tick","at":1}\n'
    assert days.tidy(today.timestamp()) == []


def test_files_are_bounded_and_today_is_kept(tmp_path):
    days = Days(tmp_path / "h", keep_s=300 * 86_400.0, most_bytes=100)
    today = datetime(2026, 3, 10, tzinfo=UTC)
    for back in range(4):
        days.file((today - timedelta(days=back)).timestamp()).write_bytes(os.urandom(90))
    assert days.tidy(today.timestamp()) == ["2026-03-07.jsonl.gz", "2026-03-08.jsonl.gz", "2026-03-09.jsonl.gz"]
    assert [path.name for path in (tmp_path / "h").iterdir()] == ["2026-03-10.jsonl"]


def test_it_waits_longer_while_nobody_answers(tmp_path):
    class Down:
        async def pull(self, cursor, now):
            raise Unreachable("gone")

    class Http:
        async def close(self):
            pass

    asked = recording.Asked("down", Down(), Http())
    recorder = recording.Recorder(asked, Days(tmp_path, 1e9, 10**9), {}, {})
    waits, failures = [], 0
    for _ in range(8):
        wait_s, failures = asyncio.run(recorder._once(15.0, failures))
        waits.append(wait_s)
    assert waits == [15.0, 30.0, 60.0, 120.0, 240.0, 300.0, 300.0, 300.0]
