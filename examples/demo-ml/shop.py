"""The shop's day in the demo: loads transactions into the table, has each judged, and counts how many are approved.

After each load it tells quell what the new rows are like (counts, as ``quell profile --records`` makes them) and, by
OpenLineage, what the load wrote; after each second, which share of payments was approved.
"""

from __future__ import annotations

import itertools
import json
import threading
import time
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, Request, build_opener

import msgspec
from rows import FEATURES, Row, rows

from quell.cli.client import Client
from quell.cli.exits import Failed
from quell.model.wire import to_wire
from quell.profiling.profiles import records_of

A_SECOND = 200
"""Transactions."""
AT_ONCE = 20
TABLE = "dataset/transactions"
_COLUMNS = {"amount": "DOUBLE", "attempts": "INTEGER", "merchant_risk": "DOUBLE", "card_age_days": "INTEGER"}


class Shop(threading.Thread):
    """Trades until it is told to close. ``cents`` is the fault: whoever loads the table writes cents for euros."""

    def __init__(self, quell: Client, endpoint: str) -> None:
        super().__init__(name="shop", daemon=True)
        self.cents = False
        self._reloaded = False
        self.approved: list[float] = []
        self.failure: str = ""
        self._quell = quell
        self._endpoint = urlsplit(endpoint).netloc
        self._made = rows(int(time.time()))
        self._closed = threading.Event()

    def run(self) -> None:
        """Once a second. An error ends it, and is kept for whoever looks."""
        connection = HTTPConnection(self._endpoint, timeout=10)
        try:
            for second in itertools.count():
                began = time.monotonic()
                self._trade(second, connection)
                if self._closed.wait(max(1.0 - (time.monotonic() - began), 0.0)):
                    return
        except (OSError, HTTPException, ValueError, Failed) as error:
            self.failure = f"the shop stopped: {type(error).__name__}: {error}"
        finally:
            connection.close()

    def reload(self, *, cents: bool) -> None:
        """The loader empties the table and loads it anew, as its next release does. OpenLineage tells no unit."""
        self.cents = cents
        self._reloaded = True

    def close(self) -> None:
        """Ends it, and waits until it has ended."""
        self._closed.set()
        if self.is_alive():
            self.join(15)

    def share(self, seconds: int = 5) -> float:
        """Which share of payments was approved lately."""
        last = self.approved[-seconds:]
        return sum(last) / len(last) if last else 1.0

    def _trade(self, second: int, connection: HTTPConnection) -> None:
        some = list(itertools.islice(self._made, A_SECOND))
        if self.cents:
            some = [{**row, "amount": row["amount"] * 100} for row in some]
        now = time.time()
        told = [to_wire(record) for record in _what_rows_are_like(some, now)]
        reloaded, self._reloaded = self._reloaded, False
        if reloaded or second % 5 == 0:
            self._tell_lineage(emptied=reloaded)
        share = (
            sum(self._approved(some[at : at + AT_ONCE], connection) for at in range(0, A_SECOND, AT_ONCE)) / A_SECOND
        )
        self.approved.append(share)
        told.append(
            {"kind": "sample", "at": time.time(), "entity": "kpi/approvals", "metric": "approved_share", "value": share}
        )
        self._quell.post_lines("/records", b"".join(msgspec.json.encode(record) + b"\n" for record in told))

    def _approved(self, some: list[Row], connection: HTTPConnection) -> int:
        connection.request("POST", "/score", json.dumps(some), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        body = json.loads(answer.read())
        if answer.status != 200:
            raise ValueError(f"the endpoint answered {answer.status}: {body}")
        return sum(one["approved"] for one in body)

    def _tell_lineage(self, *, emptied: bool) -> None:
        """A run of the job that loads the table, as OpenLineage's clients post it."""
        body = json.dumps(_lineage(str(uuid.uuid4()), emptied=emptied)).encode()
        address = f"{self._quell.url}/api/v1/lineage"
        request = Request(address, body, {"Content-Type": "application/json"}, method="POST")
        with build_opener(ProxyHandler({})).open(request, timeout=10):
            pass


def _what_rows_are_like(some: list[Row], now: float) -> list[Any]:
    """Counts by column; no row leaves the shop."""
    chunk = {name: [row[name] for row in some] for name in (*FEATURES, "country")}  # type: ignore[literal-required]
    return records_of([chunk], entity=TABLE, version="v1", at=now)


def _lineage(run: str, *, emptied: bool) -> Mapping[str, Any]:
    producer = "https://github.com/quell-ops/quell/tree/main/examples/demo-ml"
    spec = "https://openlineage.io/spec"
    fields = [{"name": name, "type": kind} for name, kind in (*_COLUMNS.items(), ("country", "TEXT"))]
    facets: dict[str, Any] = {
        "schema": {
            "_producer": producer,
            "_schemaURL": f"{spec}/facets/1-1-1/SchemaDatasetFacet.json",
            "fields": fields,
        }
    }
    if emptied:
        facets["lifecycleStateChange"] = {
            "_producer": producer,
            "_schemaURL": f"{spec}/facets/1-0-1/LifecycleStateChangeDatasetFacet.json",
            "lifecycleStateChange": "TRUNCATE",
        }
    return {
        "eventType": "COMPLETE",
        "eventTime": datetime.now(UTC).isoformat(),
        "producer": producer,
        "schemaURL": f"{spec}/2-0-2/OpenLineage.json#/$defs/RunEvent",
        "run": {"runId": run},
        "job": {"namespace": "shop", "name": "load_transactions"},
        "inputs": [{"namespace": "shop", "name": "card_payments"}],
        "outputs": [{"namespace": "shop", "name": "transactions", "facets": facets}],
    }
