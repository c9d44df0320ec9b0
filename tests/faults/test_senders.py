"""Senders that are slow or lie: each gets what it deserves, and those who behave do not notice."""

from __future__ import annotations

import gzip
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from faults.child import write_config
from faults.judgement import journal_and_state, judge
from faults.load import Sender, Told
from faults.nursery import Forked, Nursery
from faults.waiting import resident_mb, wait_for
from ports import free_port
from quell.model.records import AlertRecord

BODY_LIMIT = 200_000


def alert(name: str) -> bytes:
    return msgspec.json.encode([{"labels": {"alertname": name, "severity": "info"}}])


def head(*more: str) -> bytes:
    lines = ["POST /api/v2/alerts HTTP/1.1", "host: 127.0.0.1", "content-type: application/json", *more]
    return "\r\n".join([*lines, "", ""]).encode()


def sent(body: bytes, *more: str) -> bytes:
    return head(f"content-length: {len(body)}", *more) + body


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


class Liar:
    """One connection; ``name`` is the alert that it speaks of."""

    def __init__(self, port: int, name: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.body = alert(name)

    def status(self) -> int:
        """The status of the next answer; 0 when there is none."""
        try:
            said = self.socket.recv(65536)
        except OSError:
            return 0
        return int(said.split(b" ")[1]) if said.startswith(b"HTTP/1.1 ") else 0

    def close(self) -> None:
        self.socket.close()


def says_more_than_it_sends(liar: Liar) -> int:
    liar.socket.sendall(head(f"content-length: {len(liar.body) + 50}") + liar.body)
    liar.socket.shutdown(socket.SHUT_WR)
    return liar.status()


def says_less_than_it_sends(liar: Liar) -> int:
    """What it said is no JSON; the rest is no request."""
    liar.socket.sendall(head(f"content-length: {len(liar.body) - 10}") + liar.body)
    return liar.status()


def says_two_lengths(liar: Liar) -> int:
    liar.socket.sendall(head("content-length: 5", f"content-length: {len(liar.body)}") + liar.body)
    return liar.status()


def says_no_number(liar: Liar) -> int:
    liar.socket.sendall(head("content-length: many") + liar.body)
    return liar.status()


def hangs_up_within_the_body(liar: Liar) -> int:
    liar.socket.sendall(head(f"content-length: {len(liar.body)}") + liar.body[:-5])
    return 0


def hangs_up_within_a_chunk(liar: Liar) -> int:
    liar.socket.sendall(head("transfer-encoding: chunked") + chunk(liar.body)[:-7])
    return 0


def resets(liar: Liar) -> int:
    liar.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    liar.socket.sendall(head(f"content-length: {len(liar.body)}") + liar.body[:-1])
    return 0


def sends_chunks_without_end(liar: Liar) -> int:
    try:
        liar.socket.sendall(head("transfer-encoding: chunked"))
        for _ in range(40 * BODY_LIMIT // 50_000):
            liar.socket.sendall(chunk(bytes(50_000)))
    except OSError:
        pass  # it is told, and then nobody listens any more
    return liar.status()


def sends_a_bad_chunk(liar: Liar) -> int:
    liar.socket.sendall(head("transfer-encoding: chunked") + b"zz\r\n" + liar.body)
    return liar.status()


def sends_a_bomb(liar: Liar) -> int:
    liar.socket.sendall(sent(gzip.compress(bytes(100 * BODY_LIMIT)), "content-encoding: gzip"))
    return liar.status()


def sends_half_a_gzip(liar: Liar) -> int:
    liar.socket.sendall(sent(gzip.compress(liar.body)[:-9], "content-encoding: gzip"))
    return liar.status()


def says_gzip_and_sends_text(liar: Liar) -> int:
    liar.socket.sendall(sent(liar.body, "content-encoding: gzip"))
    return liar.status()


def sends_nonsense(liar: Liar) -> int:
    liar.socket.sendall(random.Random(1).randbytes(3000) + b"\r\n\r\n")
    return liar.status()


def sends_an_endless_head(liar: Liar) -> int:
    try:
        liar.socket.sendall(b"POST /api/v2/alerts HTTP/1.1\r\n")
        for number in range(2000):
            liar.socket.sendall(b"x-%d: %b\r\n" % (number, b"y" * 1000))
    except OSError:
        pass
    return liar.status()


def sends_deep_json(liar: Liar) -> int:
    liar.socket.sendall(sent(b"[" * 90_000))
    return liar.status()


def sends_numbers_without_end(liar: Liar) -> int:
    liar.socket.sendall(sent(b'[{"labels": {"alertname": ' + b"9" * 5000 + b"}}]"))
    return liar.status()


LIES: dict[Callable[[Liar], int], set[int]] = {
    says_more_than_it_sends: {0, 400},
    says_less_than_it_sends: {400},
    says_two_lengths: {0, 400},
    says_no_number: {400},
    hangs_up_within_the_body: {0},
    hangs_up_within_a_chunk: {0},
    resets: {0},
    sends_chunks_without_end: {0, 413},
    sends_a_bad_chunk: {0, 400},
    sends_a_bomb: {413},
    sends_half_a_gzip: {400},
    says_gzip_and_sends_text: {400},
    sends_nonsense: {400},
    sends_an_endless_head: {0, 400},
    sends_deep_json: {400},
    sends_numbers_without_end: {400},
}


@pytest.fixture
def child(tmp_path: Path, nursery: Nursery) -> Iterator[Forked]:
    made = Forked(nursery, write_config(tmp_path / "quell", f"limits: {{body: {BODY_LIMIT // 1000}kB}}\n"), free_port())
    try:
        made.spawn()
        made.wait_ready()
        yield made
    finally:
        made.close()


def lied_to(child: Forked, work: Path, *, rounds: int, seed: int) -> None:
    pick = random.Random(seed)
    over = threading.Event()
    senders = [Sender(child.port, number, over, seed=seed, pause_s=0.02) for number in range(2)]
    for sender in senders:
        sender.start()
    seen: Counter[str] = Counter()
    before_mb = resident_mb(child.pid)
    try:
        for turn in range(rounds):
            for lie in pick.sample(list(LIES), len(LIES)):
                name = f"lie-{turn}-{lie.__name__}"
                liar = Liar(child.port, name)
                try:
                    status = lie(liar)
                finally:
                    liar.close()
                assert status in LIES[lie], f"{lie.__name__}: {status}"
                seen[f"{lie.__name__}: {status}"] += 1
    finally:
        over.set()
    for sender in senders:
        sender.join(30)
    assert [sender.failure for sender in senders if sender.failure] == []
    assert child.ask("GET", "/ready") == (200, b"OK")
    grown_mb = resident_mb(child.pid) - before_mb
    child.kill()
    child.spawn()
    child.wait_ready()
    assert child.end() == 0
    assert "Traceback" not in child.log, child.log
    told = Told.all(sender.told for sender in senders)
    groups, snapshot = journal_and_state(child.directory / "quell.db", work)
    found = judge(groups, snapshot, told)
    names = {
        record.labels["alertname"] for group in groups for record in group.records if isinstance(record, AlertRecord)
    }
    assert {name for name in names if name.startswith("lie-")} == set(), "half a delivery was taken"
    assert told.sent == told.acknowledged | (told.again - told.acknowledged), "somebody who behaved was refused"
    assert grown_mb < 100, grown_mb
    print(f"\nlies {seen.total()}; acknowledged of others {len(told.acknowledged)}, lost 0, twice 0; {found}; "
          f"memory +{grown_mb:.0f} MB")  # fmt: skip


def test_lies_cost_nobody_else_anything(child: Forked, tmp_path: Path) -> None:
    lied_to(child, tmp_path, rounds=1, seed=1)


@pytest.mark.long
def test_lies_again_and_again(child: Forked, tmp_path: Path) -> None:
    lied_to(child, tmp_path, rounds=15, seed=2)


def test_hundreds_who_never_finish_keep_nobody_out(child: Forked) -> None:
    """Half-open: some within the head, some within the body, some never say a word, one reads no answers."""
    beginnings = (b"", b"POST /api", head("content-length: 50") + b"[{", head("transfer-encoding: chunked") + b"5\r\n[")
    slow = [Liar(child.port, "slow") for _ in range(400)]
    try:
        for number, liar in enumerate(slow):
            liar.socket.sendall(beginnings[number % len(beginnings)])
        deaf = Liar(child.port, "deaf")
        slow.append(deaf)
        for _ in range(50):
            deaf.socket.sendall(b"GET /metrics HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
        for number in range(20):
            body = alert(f"good-{number}")
            assert child.ask("POST", "/api/v2/alerts", body, {"content-type": "application/json"})[0] == 200
        for liar in slow[:40]:  # one byte more each, as who dribbles does
            liar.socket.sendall(b"x")
        names = {each["labels"]["alertname"] for each in child.api("GET", "/alerts?status=all")["alerts"]}
        assert names == {f"good-{number}" for number in range(20)}
    finally:
        for liar in slow:
            liar.close()
    wait_for("an end in order", lambda: child.ask("GET", "/ready")[0] == 200)
    assert child.end() == 0
    assert "Traceback" not in child.log, child.log


def test_bodies_that_pile_up_are_refused_at_once(tmp_path: Path, nursery: Nursery) -> None:
    """Forty bodies of 8 MB, all but their end: more than there is room for. Who was taken may finish."""
    child = Forked(nursery, write_config(tmp_path / "quell"), free_port())
    liars: list[Liar] = []
    try:
        child.spawn()
        child.wait_ready()
        before_mb = resident_mb(child.pid)
        filler = b" " * 7_900_000
        for number in range(40):
            liar = Liar(child.port, f"large-{number}")
            liar.socket.sendall(head(f"content-length: {len(filler) + len(liar.body)}") + filler)
            liars.append(liar)
        grown_mb = resident_mb(child.pid) - before_mb
        assert child.ask("GET", "/ready") == (200, b"OK")
        for liar in liars:
            liar.socket.sendall(liar.body)
        answers = Counter(liar.status() for liar in liars)
        print(f"\nanswers {dict(answers)}, memory +{grown_mb:.0f} MB")
        assert set(answers) == {200, 503}
        assert 12 <= answers[200] <= 20
        assert grown_mb < 200
        names = {each["labels"]["alertname"] for each in child.api("GET", "/alerts?status=all")["alerts"]}
        assert len(names) == answers[200]
        filler += alert("after")
        for _ in range(20):  # room that was given back is there again
            assert child.ask("POST", "/api/v2/alerts", filler, {"content-type": "application/json"})[0] == 200
        for _ in range(3):
            liar = Liar(child.port, "too large")
            liars.append(liar)
            liar.socket.sendall(head("content-length: 60000000") + bytes(50_000_000))
        assert child.ask("POST", "/api/v2/alerts", filler, {"content-type": "application/json"})[0] == 200
        assert child.end() == 0
        assert "Traceback" not in child.log, child.log
    finally:
        for liar in liars:
            liar.close()
        child.close()


@pytest.mark.long
def test_what_never_ends_is_given_up(child: Forked) -> None:
    """A head that does not come; a body with a byte a second, each in time: half a minute is enough for all of it."""
    silent = [Liar(child.port, "slow") for _ in range(3)]
    silent[0].socket.sendall(b"POST /api")
    silent[1].socket.sendall(sent(silent[1].body) + b"POST /api")
    assert silent[1].status() == 200
    dribbling = Liar(child.port, "slow")
    dribbling.socket.sendall(head("content-length: 100000"))
    dribbling.socket.settimeout(0.5)
    began = time.monotonic()
    answer = b""
    while not answer:
        assert time.monotonic() - began < 90
        dribbling.socket.sendall(b"[")
        try:
            answer = dribbling.socket.recv(4096)
        except TimeoutError:
            continue
    dribbling.close()
    assert answer.startswith(b"HTTP/1.1 408 ")
    for liar in silent:
        assert liar.socket.recv(100) == b""
        liar.close()
    assert child.end() == 0
