"""Senders that never stop: what they sent, what was acknowledged, what was refused and what was never answered."""

from __future__ import annotations

import http.client
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec

from faults.child import TOKEN

SERVICES = ("db", "api", "web", "jobs")
_JSON = {"content-type": "application/json"}
_TOKEN = {"authorization": f"Bearer {TOKEN}"}


@dataclass(slots=True)
class Told:
    """What senders know of alerts by name. ``once`` were sent one time, ``again`` until they were acknowledged."""

    sent: set[str] = field(default_factory=set)
    acknowledged: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    unanswered: set[str] = field(default_factory=set)
    again: set[str] = field(default_factory=set)
    answers: Counter[int] = field(default_factory=Counter)
    slowest_refusal_s: float = 0.0

    @staticmethod
    def all(of: Iterable[Told]) -> Told:
        """Of several senders together; no two of them send the same alert."""
        whole = Told()
        for told in of:
            for name in ("sent", "acknowledged", "refused", "unanswered", "again"):
                getattr(whole, name).update(getattr(told, name))
            whole.answers += told.answers
            whole.slowest_refusal_s = max(whole.slowest_refusal_s, told.slowest_refusal_s)
        return whole


class Sender(threading.Thread):
    """Posts until ``over``: alerts that nobody else sends, and among them what makes a state worth comparing.

    Alertmanager's format and quell's own take turns. What has an id is sent again until it is acknowledged, as
    Prometheus would; everything else is sent once, whatever the answer.
    """

    def __init__(self, port: int, number: int, over: threading.Event, *, seed: int = 0, pause_s: float = 0.002) -> None:
        super().__init__(daemon=True)
        self.told = Told()
        self.failure: BaseException | None = None
        self._port = port
        self._number = number
        self._over = over
        self._pause_s = pause_s
        self._random = random.Random(seed * 1000 + number)
        self._connection: http.client.HTTPConnection | None = None
        self._count = 0

    def run(self) -> None:
        doings: Sequence[Callable[[], None]] = (self._alerts, self._alerts, self._lines, self._lines, self._company)
        try:
            while not self._over.is_set():
                self._random.choice(doings)()
                time.sleep(self._pause_s * self._random.random())
        except BaseException as error:
            self.failure = error
            raise
        finally:
            if self._connection is not None:
                self._connection.close()

    def _names(self, kind: str) -> list[str]:
        first, self._count = self._count, self._count + self._random.choice([1, 1, 3, 20])
        return [f"{kind}{self._number}-{number}" for number in range(first, self._count)]

    def _alerts(self) -> None:
        names = self._names("once")
        self.told.sent.update(names)
        content = [{"labels": {"alertname": name, "severity": "info"}} for name in names]
        self._account(names, self._post("/api/v2/alerts", msgspec.json.encode(content), _JSON))

    def _lines(self) -> None:
        """Alerts with an id, delivered again and again until the answer is 200."""
        names = self._names("again")
        self.told.sent.update(names)
        self.told.again.update(names)
        at = datetime.now(UTC).isoformat()
        labels = [{"alertname": name, "severity": "info"} for name in names]
        body = _lines(
            {"kind": "alert", "at": at, "id": each["alertname"], "status": "firing", "labels": each} for each in labels
        )
        while not self._over.is_set():
            status = self._post("/api/quell/v1/records", body, _TOKEN)
            if status == 200:
                self._account(names, status)
                return
            self.told.answers[status] += 1
            time.sleep(0.02)

    def _company(self) -> None:
        """Repeats, ends, dependencies and changes of few things: what incidents are made of."""
        at, pick = datetime.now(UTC).isoformat(), self._random
        service, other = pick.sample(SERVICES, 2)
        labels = {"alertname": pick.choice(["Slow", "Failing"]), "service": service, "severity": "critical"}
        record: dict[str, Any] = pick.choice(
            [
                {"kind": "alert", "at": at, "status": "firing", "labels": labels, "entity": f"service/{service}"},
                {"kind": "alert", "at": at, "status": "resolved", "labels": labels, "entity": f"service/{service}"},
                {"kind": "change", "at": at, "type": "deploy", "entity": f"service/{service}"},
                {"kind": "dependency", "at": at, "from": f"service/{service}", "to": f"service/{other}",
                 "type": "calls"},
            ]
        )  # fmt: skip
        self.told.answers[self._post("/api/quell/v1/records", _lines([record]), _TOKEN)] += 1

    def _account(self, names: list[str], status: int) -> None:
        self.told.answers[status] += 1
        if status == 200:
            self.told.acknowledged.update(names)
        elif status:
            self.told.refused.update(names)
            assert status == 503, status
        else:
            self.told.unanswered.update(names)
            time.sleep(0.02)

    def _post(self, path: str, body: bytes, headers: dict[str, str]) -> int:
        """The status; 0 when there was no answer."""
        if self._connection is None:
            self._connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        began = time.monotonic()
        try:
            self._connection.request("POST", path, body, headers)
            answer = self._connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            self._connection = None
            return 0
        if answer.status == 503:
            self.told.slowest_refusal_s = max(self.told.slowest_refusal_s, time.monotonic() - began)
        if answer.will_close:
            self._connection.close()
            self._connection = None
        return answer.status


def _lines(records: Iterable[dict[str, Any]]) -> bytes:
    return b"\n".join(msgspec.json.encode(record) for record in records)
