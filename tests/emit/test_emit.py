"""What endpoints tell quell with: it never blocks, never raises, never grows, and loses nothing it need not."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from ports import free_port
from quell.emit import Counts, Emitter

ENGINE = Path(__file__).parents[2] / "engine"


class Taker(ThreadingHTTPServer):
    """Takes posts; ``answers`` are for the next of them, (status, body); then 200."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", free_port()), _Handler)
        self.answers: list[tuple[int, bytes]] = []
        self.posts: list[tuple[dict[str, str], list[Any]]] = []
        self.open = threading.Event()
        self.open.set()
        self.url = f"http://127.0.0.1:{self.server_port}/in/predictions"

    def events(self) -> list[Any]:
        return [event for _, events in self.posts for event in events]


class _Handler(BaseHTTPRequestHandler):
    server: Taker

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.open.wait(30)
        events = [json.loads(line) for line in body.splitlines()]
        self.server.posts.append(({name.lower(): value for name, value in self.headers.items()}, events))
        status, answer = self.server.answers.pop(0) if self.server.answers else (200, b'{"accepted":1,"refused":0}')
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def taker() -> Iterator[Taker]:
    server = Taker()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.open.set()
    server.shutdown()
    thread.join()
    server.server_close()


def test_what_is_told_arrives_in_order_with_the_token(taker: Taker) -> None:
    with Emitter(taker.url, token="qll_x") as emit:
        before = time.time()
        emit.prediction(
            model="fraud", version="7", request_id="r1", score=0.9, label="fraud", confidence=0.9, region="eu",
            segment={"age": "18-25"}, features={"amount": 12.5, "country": None}, latency_s=0.02,
        )  # fmt: skip
        emit.prediction(model="chat", tokens_in=10, tokens_out=20, cost=0.01, refusal=False, quality=0.7, at=5.0)
        emit.outcome(kpi="approvals", value=3, unit="1")
    assert emit.counts.sent >= 1
    assert emit.counts.waiting == emit.counts.dropped == emit.counts.refused == 0
    headers = taker.posts[0][0]
    assert headers["authorization"] == "Bearer qll_x"
    assert headers["content-type"] == "application/x-ndjson"
    first, second, third = taker.events()
    assert before <= first.pop("at") <= time.time()
    assert first == {
        "kind": "prediction", "model": "fraud", "version": "7", "request_id": "r1", "score": 0.9, "label": "fraud",
        "confidence": 0.9, "region": "eu", "segment": {"age": "18-25"}, "features": {"amount": 12.5, "country": None},
        "latency_s": 0.02,
    }  # fmt: skip
    assert second == {
        "kind": "prediction", "at": 5.0, "model": "chat", "tokens_in": 10, "tokens_out": 20, "cost": 0.01,
        "refusal": False, "quality": 0.7,
    }  # fmt: skip
    assert (third["kind"], third["kpi"], third["value"]) == ("outcome", "approvals", 3)


def test_a_label_finds_its_prediction_once(taker: Taker) -> None:
    with Emitter(taker.url, remember=2) as emit:
        for number in range(3):
            emit.prediction(
                model="fraud", version="7", request_id=f"r{number}", label="ok", confidence=0.8, region="eu"
            )
        emit.label("r2", "fraud", by="human")
        emit.label("r2", "fraud")  # told already
        emit.label("r0", "ok")  # forgotten
        emit.label("elsewhere", "ok", model="fraud", predicted="ok", score=0.2)
    labels = [event for event in taker.events() if event["kind"] == "label"]
    assert emit.counts.unjoined == 2
    assert [one["request_id"] for one in labels] == ["r2", "elsewhere"]
    told = {name: labels[0][name] for name in ("model", "version", "predicted", "label", "confidence", "region", "by")}
    assert told == {
        "model": "fraud", "version": "7", "predicted": "ok", "label": "fraud", "confidence": 0.8, "region": "eu",
        "by": "human",
    }  # fmt: skip


def test_nan_and_numbers_of_other_kinds(taker: Taker) -> None:
    class Scalar:
        def item(self) -> float:
            return 2.5

    with Emitter(taker.url) as emit:
        emit.prediction(
            model="m",
            score=float("nan"),
            features={"a": float("inf"), "b": -float("inf"), "c": Scalar(), "d": Path("x")},
        )
    (event,) = taker.events()
    assert event["score"] == "NaN"
    assert event["features"] == {"a": "Infinity", "b": "-Infinity", "c": 2.5, "d": "x"}


def test_quell_away_for_a_while_costs_nothing(taker: Taker) -> None:
    taker.answers = [(503, b"overloaded"), (500, b""), (429, b"")]
    emit = Emitter(taker.url, every_s=0.01)
    emit.outcome(kpi="k", value=1)
    assert emit.flush(30)
    assert emit.counts.sent == 1
    keys = {headers["idempotency-key"] for headers, _ in taker.posts}
    assert len(taker.posts) == 4
    assert len(keys) == 1
    emit.outcome(kpi="k", value=2)
    emit.close()
    assert len({headers["idempotency-key"] for headers, _ in taker.posts}) == 2


def test_what_quell_refuses_is_counted_and_not_tried_again(taker: Taker, caplog: pytest.LogCaptureFixture) -> None:
    taker.answers = [(401, b"no token"), (200, b'{"accepted":0,"refused":1,"rejected":["line 1: model: ..."]}')]
    emit = Emitter(taker.url, every_s=0.01)
    for _ in range(2):
        emit.outcome(kpi="k", value=1)
        assert emit.flush(30)
    emit.close()
    assert (emit.counts.sent, emit.counts.refused, len(taker.posts)) == (0, 2, 2)
    assert "status 401: no token" in caplog.text
    assert "line 1: model" in caplog.text


def test_a_full_queue_drops_and_does_not_block(taker: Taker) -> None:
    taker.open.clear()
    emit = Emitter(taker.url, room=100, every_s=0.001)
    began = time.monotonic()
    for number in range(5000):
        emit.outcome(kpi="k", value=number)
    took = time.monotonic() - began
    assert took < 5.0
    assert emit.counts.waiting <= 100
    dropped = emit.counts.dropped
    assert dropped >= 5000 - 100 - 1000
    taker.open.set()
    assert emit.flush(30)
    assert emit.counts.sent + dropped == 5000
    emit.close()
    emit.outcome(kpi="k", value=1)
    assert emit.counts.dropped == dropped + 1


def test_nobody_there_neither_raises_nor_hangs() -> None:
    emit = Emitter(f"http://127.0.0.1:{free_port()}/in/x", every_s=0.01)
    emit.prediction(model="m", features={"a": object()})
    began = time.monotonic()
    assert not emit.flush(0.05)
    emit.close(0.1)
    assert time.monotonic() - began < 10
    assert emit.counts.dropped == 1


def test_whatever_is_told_the_caller_goes_on(taker: Taker) -> None:
    class Nasty:
        def __str__(self) -> str:
            raise RuntimeError("no")

    with Emitter(taker.url) as emit:
        emit.prediction(model="m", features={"a": Nasty()})
        emit.prediction(model="m", features=7)  # type: ignore[arg-type]
        emit.prediction(model="m", features={"a": "x" * 2_000_000})
        emit.outcome(kpi="fine", value=1)
    assert emit.counts.refused == 2
    assert [event.get("kpi") for event in taker.events()][-1] == "fine"


def test_the_same_requests_are_sampled_everywhere(taker: Taker) -> None:
    for _ in range(2):
        with Emitter(taker.url, features=0.2) as emit:
            for number in range(500):
                emit.prediction(model="m", request_id=f"r{number}", features={"a": 1})
            assert emit.flush(60)
    with_features = [event["request_id"] for event in taker.events() if "features" in event]
    assert 100 < len(with_features) < 320
    assert sorted(with_features) == sorted([*dict.fromkeys(with_features)] * 2)


def test_from_async_code(taker: Taker) -> None:
    async def story() -> None:
        async with Emitter(taker.url) as emit:
            await asyncio.gather(*(asyncio.to_thread(emit.outcome, kpi="k", value=n) for n in range(20)))

    asyncio.run(story())
    assert sorted(event["value"] for event in taker.events()) == [*range(20)]
    assert len({event["at"] for event in taker.events()}) == 20  # none takes another's place


def test_what_waits_at_the_end_of_a_process_and_in_a_fork_is_sent(taker: Taker) -> None:
    code = f"""
import os
from quell.emit import Emitter
emit = Emitter({taker.url!r}, every_s=60)
emit.outcome(kpi="parent", value=1)
child = os.fork()
if child == 0:
    emit.outcome(kpi="child", value=2)
    emit.close()
    os._exit(0)
os.waitpid(child, 0)
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, env={**os.environ, "PYTHONPATH": str(ENGINE)})
    assert sorted(event["kpi"] for event in taker.events()) == ["child", "parent"]


def test_nothing_but_the_standard_library_is_imported() -> None:
    code = """
import sys
before = {name.partition(".")[0] for name in sys.modules}
import quell.emit
strange = {name.partition(".")[0] for name in sys.modules} - before - sys.stdlib_module_names - {"quell"}
ours = sorted(name for name in sys.modules if name.split(".")[0] == "quell")
print(strange or "", ours, "asyncio" in sys.modules)
"""
    environment = {**os.environ, "PYTHONPATH": str(ENGINE)}
    told = subprocess.run(
        [sys.executable, "-c", code], check=True, timeout=60, capture_output=True, text=True, env=environment
    ).stdout.strip()
    assert told == "['quell', 'quell.emit', 'quell.emit.emitter', 'quell.emit.sender'] False"


@pytest.mark.parametrize(
    "url", ["", "quell:8080", "ftp://x/y", "http://", "http://h:99999/", "http://h:x/", "http://h/a b", "http://[::1/"]
)
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(ValueError, match="is no address"):
        Emitter(url)


@pytest.mark.parametrize(
    "answer", [b'{"refused":1e999}', b"[" * 60_000, b"<html>who are you?</html>", b'{"refused":-3}']
)
def test_whatever_is_answered_what_is_told_next_goes_out(taker: Taker, answer: bytes) -> None:
    taker.answers = [(200, answer)]
    with Emitter(taker.url, every_s=0.01) as emit:
        emit.outcome(kpi="first", value=1)
        assert emit.flush(30)
        emit.outcome(kpi="second", value=2)
        assert emit.flush(30)
    assert [event["kpi"] for event in taker.events()] == ["first", "second"]
    assert emit.counts == Counts(sent=2)


def test_every_event_is_accounted_for_also_while_it_is_posted(taker: Taker) -> None:
    taker.open.clear()
    emit = Emitter(taker.url, every_s=0.01)
    emit.outcome(kpi="k", value=1)
    assert not emit.flush(0.2)
    assert emit.counts == Counts(waiting=1)
    taker.open.set()
    assert emit.flush(30)
    emit.close()
    assert emit.counts == Counts(sent=1)


def test_an_answer_that_trickles_in_holds_up_nothing() -> None:
    over = threading.Event()

    class Trickling(_Handler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", "100000")
            self.end_headers()
            with suppress(OSError):
                while not over.wait(0.02):
                    self.wfile.write(b" ")

    server = ThreadingHTTPServer(("127.0.0.1", free_port()), Trickling)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        with Emitter(f"http://127.0.0.1:{server.server_port}/in/x", every_s=0.01, timeout_s=0.2) as emit:
            emit.outcome(kpi="k", value=1)
            assert emit.flush(30)
            assert emit.counts == Counts(sent=1)
    finally:
        over.set()
        server.shutdown()
        thread.join()
        server.server_close()


def test_no_thread_to_be_had_is_tried_again(taker: Taker, monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    emit = Emitter(taker.url, every_s=0.01)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", none_left)
        emit.outcome(kpi="first", value=1)
    assert emit.counts == Counts(waiting=1)
    emit.outcome(kpi="second", value=2)
    assert emit.flush(30)
    emit.close()
    assert emit.counts == Counts(sent=2)


def test_names_and_numbers_of_other_types_are_told_as_quell_takes_them(taker: Taker) -> None:
    class Nasty:
        def __str__(self) -> str:
            raise RuntimeError("no")

    with Emitter(taker.url) as emit:
        emit.prediction(model="m", version=7, request_id=UUID(int=5), score=Decimal("0.5"))  # type: ignore[arg-type]
        emit.outcome(kpi="k", value=1, at=datetime(2026, 3, 1, 12, tzinfo=UTC))
        emit.label(UUID(int=5), True)  # type: ignore[arg-type]
        emit.label(Nasty(), True)  # type: ignore[arg-type]
        emit.label(Nasty(), True, model="m", predicted=True)  # type: ignore[arg-type]
    told, outcome, label = taker.events()
    assert outcome["at"] == 1_772_366_400.0
    assert (told["version"], told["request_id"], told["score"]) == ("7", str(UUID(int=5)), 0.5)
    assert (label["version"], label["request_id"], label["score"]) == ("7", str(UUID(int=5)), 0.5)
    assert emit.counts == Counts(sent=3, unjoined=1, refused=1)


@pytest.mark.parametrize(
    "wrong",
    [{"token": "a\nb"}, {"token": "€"}, {"room": 0}, {"every_s": 0}, {"timeout_s": -1}, {"every_s": float("nan")}],
)
def test_settings_that_make_no_sense(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"token|expected a number"):
        Emitter("http://127.0.0.1:9/in/x", **wrong)
