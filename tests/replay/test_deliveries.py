"""Recorded deliveries: the connector that owns the path decodes them, as it would have at the daemon."""

import json

import msgspec
import pytest

from quell.errors import BadPayload
from quell.model.records import AlertRecord, DeliveryRecord
from quell.replay.deliveries import Deliveries
from quell.replay.reader import Reader
from quell.sdk.connector import Received, Rejected, Reply


class Pushy:
    """One alert per name in ``names``; "bad" is rejected, a body without names cannot be read."""

    def receive(self, request, now):
        if request.headers.get("x-key") == "wrong":
            return Received(reply=Reply(status=401, body=b"who are you?"))
        body = msgspec.json.decode(request.body)
        if "names" not in body:
            raise BadPayload("expected a list", request.body, "names")
        fine = [name for name in body["names"] if name != "bad"]
        records = [
            AlertRecord(at=now - 1, source="pushy", status="firing", labels={"alertname": name}, id=body.get(name, ""))
            for name in fine
        ]
        return Received(records=records, rejected=[Rejected("a bad one", b"bad")] * (len(body["names"]) - len(fine)))


@pytest.fixture
def deliveries():
    return Deliveries({"/in/pushy": Pushy(), "/in/pushy/deep": object()})


def test_records_arrive_with_their_delivery_and_get_ids(deliveries):
    delivery = DeliveryRecord(at=100.0, seen=103.0, path="/in/pushy", body={"names": ["a", "b"], "b": "own"}, id="d1")
    first, second = deliveries.decode(delivery).records
    assert (first.id, first.at, first.seen) == ("d1#0", 102.0, 103.0)
    assert second.id == "own"


def test_a_path_owns_what_lies_below_it_and_the_longest_wins(deliveries):
    assert isinstance(deliveries.owner("/in/pushy/x/y?z=1"), Pushy)
    assert not isinstance(deliveries.owner("/in/pushy/deep/y"), Pushy)
    assert deliveries.owner("/in/pushyx") is None


def test_a_body_may_be_text(deliveries):
    delivery = DeliveryRecord(at=1.0, path="/in/pushy/", body='{"names": ["a"]}')
    assert deliveries.decode(delivery, "7").records[0].id == "7#0"


@pytest.mark.parametrize(
    ("path", "body", "headers", "message"),
    [
        ("/in/nobody", {}, {}, 'no connector owns the path "/in/nobody"; known paths: /in/pushy'),
        ("/in/pushy", {}, {}, "names: expected a list"),
        ("/in/pushy", {"names": ["a"]}, {"X-Key": "wrong"}, "answered 401: who are you?"),
    ],
)
def test_what_cannot_be_decoded_is_a_problem_of_its_line(tmp_path, deliveries, path, body, headers, message):
    file = tmp_path / "in.jsonl"
    line = {"kind": "delivery", "at": "2026-03-02T06:00:00Z", "path": path, "body": body, "headers": headers}
    file.write_text(json.dumps(line) + "\n" + '{"kind": "tick", "at": 5}\n')
    reader = Reader(deliveries)
    assert len(list(reader.read(file))) == 1
    assert message in reader.problems[0].message


def test_a_rejected_part_is_a_problem_and_the_rest_goes_on(tmp_path, deliveries):
    file = tmp_path / "in.jsonl"
    body = {"names": ["a", "bad", "c"]}
    file.write_text(json.dumps({"kind": "delivery", "at": 5, "path": "/in/pushy", "body": body}))
    reader = Reader(deliveries)
    assert [record.id for record in reader.read(file)] == ["1#0", "1#1"]
    assert "a bad one" in reader.problems[0].message
