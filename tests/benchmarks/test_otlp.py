"""The benchmark of OTLP: what it sends is taken whole, and its figures are of that."""

from __future__ import annotations

import importlib
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from quell.model.records import CallRecord
from quell.sdk.connector import Context, Request
from quell.sdk.fakes import FakeHttp
from quell_connectors.otlp import Otlp

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def otlp(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    monkeypatch.delitem(sys.modules, "otlp", raising=False)
    yield importlib.import_module("otlp")
    sys.modules.pop("otlp", None)


def test_all_that_is_sent_is_taken(otlp: Any) -> None:
    now = time.time()
    receiver = Otlp({}, Context("otel", FakeHttp()))
    for load in otlp.loads(4, now, random.Random(1)):
        counted = 0
        for body in load.bodies:
            asked = Request("POST", load.path, body, {"content-type": load.encoding})
            received = receiver.receive(asked, now)
            whole = b"" if load.encoding == otlp.PROTOBUF else b"{}"  # else it tells of what was not taken
            assert (received.reply.status, received.reply.body) == (200, whole)
            counted += sum(one.count for one in received.records if isinstance(one, CallRecord))
        if load.name == "spans by a collector":
            # Server's spans, and those of clients that nobody answered within the request.
            assert counted >= load.items * len(load.bodies) / 2
        assert min(otlp.alone(load, now, 1)) > 0
