"""The past of alerts from Prometheus's samples: from a real one, and in parts however small."""

import json
import random
import shutil
import subprocess
import time
import urllib.request
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backtest.shop import SETTINGS
from connectors.deliveries import built
from ports import free_port
from quell.cli.growing import Growing
from quell.cli.main import run as quell
from quell.errors import NoAnswer, Refused
from quell.replay.reader import Reader
from quell.sdk.http import Answer
from quell.sdk.testkit import FakeHttp, run
from quell_connectors.prometheus import Prometheus
from quell_connectors.prometheus.recall import MOST_POINTS, Cursor

START = 1_772_323_200.0
STEP = 60.0


class Samples:
    """A Prometheus that knows of ALERTS, and answers a range as the real one does."""

    def __init__(self, firings, most_points=MOST_POINTS, most_series_points=10**9):
        self.firings = firings
        self.asked = []
        self._most = most_points
        self._most_answered = most_series_points

    def answer(self, sent):
        form = dict(pair.split("=", 1) for pair in sent.data.decode().split("&"))
        start, end, step = (float(form[name]) for name in ("start", "end", "step"))
        points = round((end - start) / step) + 1
        self.asked.append(points)
        if points > self._most:
            return Answer(400, {}, b'{"status":"error","errorType":"bad_data","error":"exceeded maximum resolution"}')
        series = []
        for name, spans in self.firings.items():
            times = [start + n * step for n in range(points)]
            values = [[at, "1"] for at in times if any(since <= at and until > at - step for since, until in spans)]
            if values:
                series.append({"metric": {"alertname": name, "alertstate": "firing"}, "values": values})
        if sum(len(one["values"]) for one in series) > self._most_answered:
            raise NoAnswer("too large")
        data = {"status": "success", "data": {"resultType": "matrix", "result": series}}
        return Answer(200, {}, json.dumps(data).encode())


def recalled(samples, to, step=STEP, from_=START):
    connector = built(Prometheus, FakeHttp(samples.answer), url="http://p:9090")
    records, cursor = [], None
    while True:
        told = run(connector.recall(from_, to, step, cursor))
        records += told.records
        assert told.until <= to
        cursor = told.cursor
        if cursor is None:
            return records


def spans_of(records):
    found, open_ = {}, {}
    for record in records:
        name = record.labels["alertname"]
        if record.status == "firing":
            assert name not in open_
            open_[name] = record.at
        else:
            found.setdefault(name, []).append((open_.pop(name), record.at))
    return found, open_


def test_an_alert_begins_and_ends_true_to_a_step():
    records = recalled(Samples({"A": [(START + 605, START + 1210)], "B": [(START + 3000, START + 9e9)]}), START + 7200)
    ended, firing = spans_of(records)
    ((since, until),) = ended["A"]
    assert START + 605 - STEP <= since <= START + 605
    assert START + 1210 <= until <= START + 1210 + STEP
    assert set(firing) == {"B"}
    assert records[0].labels == {"alertname": "A"}
    assert records[0].seen == records[0].at == records[0].starts_at


def test_none_is_missed_for_being_short():
    ended, _ = spans_of(recalled(Samples({"A": [(START + 605, START + 606)]}), START + 7200))
    assert len(ended["A"]) == 1


@settings(max_examples=40)
@given(
    seed=st.integers(0, 10_000),
    most=st.sampled_from([1, 2, 3, 7, 50, MOST_POINTS]),
    answered=st.sampled_from([40, 10**9]),
)
def test_parts_of_any_size_give_the_same(seed, most, answered):
    chance = random.Random(seed)
    firings = {
        f"R{n}": [
            (at, at + chance.choice([1.0, 30.0, 300.0, 3000.0]))
            for at in sorted(START + chance.uniform(0, 7000) for _ in range(chance.randrange(1, 4)))
        ]
        for n in range(3)
    }
    end = START + 7200
    whole = recalled(Samples(firings), end)
    samples = Samples(firings, most, answered)
    assert recalled(samples, end) == whole
    assert [record.at for record in whole] == sorted(record.at for record in whole)
    for name, spans in firings.items():
        told, open_ = spans_of(whole)
        for since, until in spans:
            seen = told.get(name, []) + ([(open_[name], end)] if name in open_ else [])
            assert any(begin <= since and (until <= over or over == end) for begin, over in seen)


def test_what_cannot_be_halved_is_said():
    with pytest.raises(Refused, match="exceeded maximum resolution"):
        recalled(Samples({"A": [(START, START + 10)]}, most_points=0), START + 7200)


def test_it_never_asks_for_more_points_than_are_given():
    samples = Samples({"A": [(START, START + 10)]})
    connector = built(Prometheus, FakeHttp(samples.answer), url="http://p:9090")
    greedy = Cursor(at=START + 60, points=10**6).text()
    run(connector.recall(START, START + 3e6, 60.0, greedy))
    assert samples.asked == [MOST_POINTS]


@contextmanager
def prometheus_of(folder, openmetrics):
    """Debian's own Prometheus over a past that was written into its storage."""
    (folder / "past.om").write_text(openmetrics)
    tool = shutil.which("promtool")
    subprocess.run(
        [tool, "tsdb", "create-blocks-from", "openmetrics", str(folder / "past.om"), str(folder / "data")],
        check=True, capture_output=True,
    )  # fmt: skip
    (folder / "prometheus.yml").write_text("scrape_configs: []\n")
    port = free_port()
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
             f"--web.listen-address=127.0.0.1:{port}", "--storage.tsdb.retention.time=10y"],
            stderr=log, stdout=log,
        )  # fmt: skip
    try:
        url = f"http://127.0.0.1:{port}"
        end = time.monotonic() + 30
        while True:
            try:
                with urllib.request.urlopen(f"{url}/-/ready", timeout=5):
                    break
            except OSError:
                assert time.monotonic() < end, (folder / "log").read_text()
                time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(10)


def openmetrics(firings):
    """ALERTS as rules write it every minute while an alert fires, from START on."""
    lines = []
    for (name, service, severity), spans in firings.items():
        labels = f'alertname="{name}",alertstate="firing",service="{service}",severity="{severity}"'
        for since, until in spans:
            at = START + since
            while at <= START + until:
                lines.append((labels, at))
                at += 60.0
    text = "# TYPE ALERTS gauge\n"
    for labels, at in sorted(lines):
        text += f"ALERTS{{{labels}}} 1 {at:.0f}\n"
    return text + "# EOF\n"


@pytest.mark.needs("prometheus", "promtool")
def test_a_newcomer_gets_a_past_and_compares_rules_with_none(tmp_path, capfd):
    """Three days of a real Prometheus, imported in parts, packed, replayed under starter-like rules and under none."""
    day = 86_400.0
    firings = {
        ("HighErrors", "payments", "critical"): [(3600, 7200), (day + 3600, day + 5400), (2 * day, 3 * day)],
        ("JobFailed", "batch", "critical"): [(9000, 12_600), (day + 9000, day + 12_600)],
        ("Blip", "mail", "warning"): [(20_000, 20_000)],
    }
    home = tmp_path / "prometheus"
    home.mkdir()
    out = tmp_path / "history" / "past.jsonl.gz"
    words = ["import-history", "prometheus", "--from", "2026-03-01T00:00:00Z", "--to", "2026-03-04T00:00:00Z"]
    with prometheus_of(home, openmetrics(firings)) as url:
        assert quell([*words, "--url", url, "--label", "cluster=eu", "--out", str(out)]) == 0, capfd.readouterr()
        told = capfd.readouterr()
        assert "2026-03-01T00:00Z to 2026-03-04T00:00Z, true to 1m" in told.out
        assert told.err.count("%") == 3
        assert quell([*words, "--url", url, "--out", str(out)]) == 1
        assert "is there already" in capfd.readouterr().err
    assert [path.name for path in out.parent.iterdir()] == ["past.jsonl.gz"]
    records = list(Reader(strict=True).read(out))
    assert len(records) == 2 * 6 - 1
    for record in records:
        assert record.labels["cluster"] == "eu"
    begun = {(record.labels["alertname"], record.at - START) for record in records if record.status == "firing"}
    for (name, _, _), spans in firings.items():
        for since, _ in spans:
            assert any(name == other and since - 60 <= at <= since for other, at in begun), (name, since, begun)
    rules = tmp_path / "rules-of-mine"
    (rules / "rules").mkdir(parents=True)
    (rules / "quell.yaml").write_text(SETTINGS)
    (rules / "rules" / "mute.yaml").write_text(
        "mute:\n  - {name: batch, match: ['alertname=\"JobFailed\"'], reason: it runs again}\n"
    )
    assert quell(["backtest", str(rules), "--from", "none", "--history", str(out)]) == 1
    told = capfd.readouterr().out
    assert told.startswith("FAILED: 2 pages lost: JobFailed\n")


def killed_at_the_second_note(monkeypatch):
    kept, keep = [], Growing._keep

    def interrupted(self, note):
        kept.append(note)
        if len(kept) == 2:
            raise KeyboardInterrupt
        keep(self, note)

    monkeypatch.setattr(Growing, "_keep", interrupted)


@pytest.mark.needs("prometheus", "promtool")
def test_what_is_interrupted_goes_on(tmp_path, capfd, monkeypatch):
    firings = {("HighErrors", "payments", "critical"): [(n * 7200, n * 7200 + 3600) for n in range(36)]}
    home = tmp_path / "prometheus"
    home.mkdir()
    span = ["--from", "2026-03-01T00:00:00Z", "--to", "2026-03-04T00:00:00Z"]
    whole, again = tmp_path / "whole.jsonl", tmp_path / "again.jsonl"
    with prometheus_of(home, openmetrics(firings)) as url:
        words = ["import-history", "prometheus", *span, "--url", url]
        assert quell([*words, "--out", str(whole)]) == 0
        killed_at_the_second_note(monkeypatch)
        assert quell([*words, "--out", str(again)]) == 130
        monkeypatch.undo()
        assert (tmp_path / "again.jsonl.part").stat().st_size > json.loads((tmp_path / "again.jsonl.note").read_text())[
            "bytes"
        ]
        assert quell([*words, "--label", "a=b", "--out", str(again)]) == 1
        assert "of another import" in capfd.readouterr().err
        assert quell([*words, "--out", str(again)]) == 0
        assert "going on at" in capfd.readouterr().err
    assert again.read_bytes() == whole.read_bytes()
    assert not list(tmp_path.glob("again.jsonl.*"))


def test_who_is_not_there_is_said_and_nothing_is_lost(tmp_path, capfd, monkeypatch):
    monkeypatch.setattr("quell.cli.history._WAIT_S", 0.01)
    out = tmp_path / "x.jsonl"
    url = f"http://127.0.0.1:{free_port()}"
    assert quell(["import-history", "prometheus", "--from", "1h", "--url", url, "--out", str(out)]) == 1
    assert "the same command goes on from here" in capfd.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["console", "--from", "1h"], '"console" cannot be asked for this; these can: prometheus'),
        (["prometheus", "--from", "1h", "--option", "colour=red"], "colour"),
        (["prometheus", "--from", "1h", "--option", "colour"], "is not NAME=VALUE"),
        (["prometheus", "--from", "1h", "--to", "2h"], "--to lies behind --from"),
        (["prometheus", "--from", "1h", "--token", "abc"], "env:NAME"),
    ],
)
def test_wrong_words_are_refused(tmp_path, capfd, words, said):
    out = tmp_path / "x.jsonl"
    assert quell(["import-history", *words, "--url", "http://127.0.0.1:1", "--out", str(out)]) == 2
    assert said in capfd.readouterr().err
