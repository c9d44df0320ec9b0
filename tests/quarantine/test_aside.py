"""What is kept of a delivery is enough to deliver the part that was not taken, alone, and nothing that is secret."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from quell.daemon.aside import MOST_QUARANTINED_BYTES, is_whole, kind_of, parts, request_of, whole
from quell.sdk.connector import Rejected, Request
from quell.store.port import Quarantined

scalars = st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3)
objects = st.dictionaries(st.text(max_size=3), scalars, min_size=1, max_size=3)
lists = st.lists(objects, min_size=1, max_size=4)


def sent(body: bytes, **headers: str) -> Request:
    return Request("POST", "/in/in", body, {name.replace("_", "-"): value for name, value in headers.items()})


def kept(body: bytes, *payloads: bytes, taken: bool = True) -> list[Quarantined]:
    return list(parts(1.0, "in", sent(body), [Rejected("bad", each) for each in payloads], taken=taken))


def delivered_again(entry: Quarantined) -> Any:
    return msgspec.json.decode(request_of(entry).body)


@given(lists, lists, objects, st.data())
def test_an_item_is_delivered_alone_in_all_that_was_around_it(
    bad: list[Any], others: list[Any], rest: dict[str, Any], data: st.DataObject
) -> None:
    body = {**rest, "good": others, "in": {"alerts": bad, "more": rest}}
    item = data.draw(st.sampled_from(bad))
    (entry,) = kept(msgspec.json.encode(body), msgspec.json.encode(item))
    assert kind_of(entry) == "delivery"
    again = delivered_again(entry)
    found = again["in"]["alerts"] if item not in others else [*again["in"]["alerts"], *again["good"]]
    assert found == [item]
    assert {name: again[name] for name in rest if name not in {"good", "in"}} == {
        name: value for name, value in rest.items() if name not in {"good", "in"}
    }
    assert again["in"]["more"] == rest


@given(lists, st.data())
def test_an_item_of_a_list_is_delivered_in_a_list(items: list[Any], data: st.DataObject) -> None:
    item = data.draw(st.sampled_from(items))
    (entry,) = kept(msgspec.json.encode(items), msgspec.json.encode(item, order="sorted"))
    assert delivered_again(entry) == [item]


def test_a_line_is_delivered_alone() -> None:
    (entry,) = kept(b'{"a": 1}\n{"b": \n{"c": 3}', b'{"b": ')
    assert (kind_of(entry), request_of(entry).body) == ("delivery", b'{"b": ')


def test_a_part_that_is_not_found_again_is_only_shown() -> None:
    (entry,) = kept(b'[{"a": "xxx"}]', b'{"a": "x')
    assert (kind_of(entry), entry.kind, entry.payload) == ("", "part", b'{"a": "x')


def test_the_only_thing_that_was_refused_is_kept_as_the_whole_delivery() -> None:
    (entry,) = kept(b'[{"a": "xxx"', b'[{"a": "x', taken=False)
    assert request_of(entry).body == b'[{"a": "xxx"'


def test_what_says_how_to_read_it_is_kept_and_what_proves_the_sender_is_not() -> None:
    request = Request(
        "PUT", "/in/in/x", b"{", query=(("kind", "a"), ("token", "s3cret")),
        headers={
            "content-type": "application/cloudevents+json", "ce-id": "1", "authorization": "Bearer s3cret",
            "x-hub-signature-256": "s3cret", "x-api-key": "s3cret", "cookie": "s3cret", "content-encoding": "gzip",
            "host": "h", "x-event": "push", "x-long": "x" * 10_000,
        },
    )  # fmt: skip
    entry = whole(1.0, "in", request, "bad")
    assert b"s3cret" not in msgspec.msgpack.encode(entry)
    again = request_of(entry)
    assert again.headers == {"content-type": "application/cloudevents+json", "ce-id": "1", "x-event": "push"}
    assert (again.method, again.path, tuple(again.query), again.body) == ("PUT", "/in/in/x", (("kind", "a"),), b"{")


def test_what_is_too_large_is_cut_and_says_so() -> None:
    entry = whole(1.0, "in", sent(b"x" * (MOST_QUARANTINED_BYTES + 1)), "bad")
    assert not is_whole(entry)
    assert entry.payload.endswith(b"cut off here; it had 1048577 bytes")
    assert is_whole(whole(1.0, "in", sent(b"x" * MOST_QUARANTINED_BYTES), "bad"))
    old = Quarantined(at=1.0, source="in", reason="bad", payload=entry.payload, path="/in/in")
    assert not is_whole(old)


def test_what_an_older_version_kept_is_read_by_its_path() -> None:
    def of(path: str, reason: str, payload: bytes = b"{}") -> str:
        return kind_of(Quarantined(at=1.0, source="in", reason=reason, payload=payload, path=path))

    assert of("/in/in", "not JSON") == "delivery"
    assert of("/records", "line 1: no kind") == "line"
    assert of("", "the core failed on this record: KeyError: 'x'") == "record"
    assert of("", "what was pulled cannot be read") == ""
    assert of("/in/in", "not JSON", b"") == ""
    assert of("/in/in", "content-encoding says gzip, but it is not: x") == "", "nobody had looked at who sent it"


def test_a_flood_of_parts_does_not_become_a_larger_one() -> None:
    bad = [{"n": n} for n in range(2_000)]
    body = msgspec.json.encode({"alerts": bad, "more": "x" * 10_000})
    entries = kept(body, *map(msgspec.json.encode, bad))
    assert len(entries) == 2_000
    assert sum(len(entry.request) for entry in entries) < 2 * len(body) + 1_200_000
    assert {kind_of(entry) for entry in entries} == {"delivery", ""}


def test_a_body_nested_beyond_reason_is_only_shown() -> None:
    (entry, _) = kept(b'{"a":' * 900 + b"1" + b"}" * 900, b'{"x": 1}', b"")
    assert kind_of(entry) == ""
