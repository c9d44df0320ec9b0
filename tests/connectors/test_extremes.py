"""Numbers and times that JSON can write and the rest of quell could not keep: answered by every receiver."""

from __future__ import annotations

import pytest

from connectors.deliveries import built, never_chokes, posted
from quell.sdk.connector import Request
from quell_connectors.cloudevents import CloudEvents
from quell_connectors.pagerduty import PagerDuty
from quell_connectors.topology import TopologyFile
from quell_connectors.webhook import Webhook

VALUES = [
    "1" + "0" * 400,
    "1" + "0" * 5000,
    "18446744073709551616",
    "-9223372036854775809",
    "1e308",
    "1e400",
    "-0.0",
    '"1e30"',
    '"nan"',
    '"infinity"',
    '"1960-01-01T00:00:00Z"',
    '"0001-01-01T00:00:00+14:00"',
    '"9999-12-31T23:59:59-14:00"',
    '"10000-01-01T00:00:00Z"',
]
MAPPING = {"alerts": "body.items", "at": "item.at", "starts_at": "item.at", "key": "item.x", "value": "item.x"}
ALERT = """{"specversion":"1.0","id":"1","source":"s","type":"a.alert","time":TEXT,
            "data":{"value":X,"monitor":X,"tags":{"a":X},"starts_at":X,"threshold":X}}"""
CHANGE = '{"specversion":"1.0","id":"1","source":"s","type":"a.changed","data":{"value":X,"change":X}}'
EVENT = """{"routing_key":"kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk","event_action":"trigger","payload":{"summary":"s",
            "source":"x","severity":"info","timestamp":X,"custom_details":{"a":X,"b":[X]}}}"""
ITEM = '{"items":[{"at":X,"x":X}]}'
SAMPLE = '{"kind":"sample","entity":"a","metric":"m","at":X,"value":X,"points":[[X,X]]}'
POINTS = '{"kind":"sample","entity":"a","metric":"m","points":[[X,1]]}'
FIRED = '{"kind":"alert","status":"firing","labels":{"a":"b"},"at":X,"value":X,"starts_at":X,"ends_at":X}'
ENDED = '{"kind":"alert","status":"firing","labels":{"a":"b"},"ends_at":X}'
LOG = '{"kind":"log","entity":"a","count":X}'
GRAPH = '{"nodes":[{"id":"a","tier":X}],"edges":[{"src":"a","dst":"b","weight":X}]}'


@pytest.mark.parametrize("value", VALUES, ids=lambda value: value[:24])
def test_extreme_values_are_answered(value: str) -> None:
    def body(text: str) -> bytes:
        return text.replace("TEXT", value if value[0] == '"' else "null").replace("X", value).encode()

    for text in (ALERT, CHANGE):
        never_chokes(built(CloudEvents), posted(body(text)))
    never_chokes(built(PagerDuty), posted(body(EVENT)))
    never_chokes(built(Webhook, mapping=MAPPING), posted(body(ITEM)))
    for text in (SAMPLE, POINTS, FIRED, ENDED, LOG):
        never_chokes(built(Webhook), posted(body(text.replace("\n", "")), content_type="application/x-ndjson"))
    never_chokes(built(TopologyFile), posted(body(GRAPH)))


@pytest.mark.parametrize("value", ["\udce4", "%ff", "%ed%a0%80", "\x00", "%"])
def test_headers_that_are_not_text_are_answered(value: str) -> None:
    headers = {"ce-specversion": "1.0", "ce-id": value, "ce-source": value, "ce-type": "a.alert"}

    received = never_chokes(built(CloudEvents), Request("POST", "/in/src", b'{"monitor":"a"}', headers))

    assert received is not None
    assert len(received.records) == 1
