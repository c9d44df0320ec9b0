"""Slack in mode http: requests that Slack signed, and nobody else's."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from connectors.slackland import ANA, HOME, card, connector
from quell.errors import BadPayload
from quell.sdk.chat import Answer, Hears
from quell.sdk.connector import Request
from quell.sdk.secret import Secret
from quell.sdk.testkit import NASTY_BODIES, run
from quell.testing.slack import Envelope, FakeSlack, click, command, direct, mention, signed, submit

NOW = 1_772_359_200.0


def _slack() -> FakeSlack:
    return FakeSlack(lambda: NOW)


def test_commands_mentions_clicks_and_dialogs_are_heard_as_by_socket_and_once() -> None:
    slack = _slack()
    hears = connector(slack, mode="http")
    assert isinstance(hears, Hears)
    placed = run(hears.show(card(), HOME, None, "root"))
    view = {
        "id": "V1", "hash": "h1", "callback_id": "quell", "blocks": [],
        "private_metadata": json.dumps({"verb": "approve", "value": "R-1|7|waiting", "channel": HOME}),
    }  # fmt: skip
    deliveries = [
        command(slack, "why INC-1", ANA),
        mention(slack, "ack", ANA, thread=placed.ts),
        direct(slack, "help", ANA),
        click(slack, slack.at(HOME, placed.ts), "Acknowledge", ANA),
        submit(slack, view, ANA),
    ]
    for envelope in deliveries:
        first = hears.heard(signed(slack, envelope), NOW)
        again = hears.heard(signed(slack, envelope, retry=1), NOW)
        assert (first.reply.status, first.reply.body) == (200, b"")
        assert len(first.said) == 1
        assert again.said == ()
        assert again.reply.status == 200


def test_what_was_heard_is_answered_afterwards() -> None:
    slack = _slack()
    hears = connector(slack, mode="http")
    (said,) = hears.heard(signed(slack, command(slack, "incidents", ANA)), NOW).said
    run(hears.answer(said, Answer(text="none is open")))
    assert [(one.text, one.only_for) for one in slack.private] == [("none is open", ANA)]


def test_slack_is_told_back_its_challenge() -> None:
    slack = _slack()
    challenge = Envelope("e", "events_api", {"type": "url_verification", "challenge": "3eZbrw1aB"})
    heard = connector(slack).heard(signed(slack, challenge), NOW)
    assert (heard.reply.status, heard.reply.body, heard.said) == (200, b"3eZbrw1aB", ())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-slack-signature", ""),
        ("x-slack-signature", "v0=" + "0" * 64),
        ("x-slack-signature", "v0=nonsense"),
        ("x-slack-signature", "v1=\ud800"),
        ("x-slack-request-timestamp", "soon"),
        ("x-slack-request-timestamp", ""),
        ("x-slack-request-timestamp", "٣"),
        ("x-slack-request-timestamp", "9" * 400),
        ("x-slack-request-timestamp", str(int(NOW) - 301)),
        ("x-slack-request-timestamp", str(int(NOW) + 301)),
    ],
)
def test_what_slack_did_not_sign_just_now_is_answered_with_401(name: str, value: str) -> None:
    slack = _slack()
    request = signed(slack, command(slack, "pause all", ANA))
    forged = replace(request, headers={**request.headers, name: value})
    heard = connector(slack).heard(forged, NOW)
    assert heard.reply.status == 401
    assert heard.said == ()


def test_a_changed_body_and_a_source_without_secret_are_refused() -> None:
    slack = _slack()
    request = signed(slack, command(slack, "help", ANA))
    changed = replace(request, body=request.body.replace(b"help", b"pause"))
    assert connector(slack).heard(changed, NOW).reply.status == 401
    assert connector(slack, signing_secret=Secret("")).heard(request, NOW).reply.status == 401


@pytest.mark.parametrize("body", NASTY_BODIES)
@pytest.mark.parametrize("sort", ["application/json", "application/x-www-form-urlencoded", ""])
def test_signed_nonsense_is_quarantined_or_passed_over(body: bytes, sort: str) -> None:
    _no_surprise(body, sort)


@given(st.binary(max_size=300), st.sampled_from(["payload=", ""]))
def test_no_signed_bytes_are_a_surprise(body: bytes, start: str) -> None:
    _no_surprise(start.encode() + body, "application/x-www-form-urlencoded")


def _no_surprise(body: bytes, sort: str) -> None:
    import hashlib  # noqa: PLC0415 -- what Slack does with any body
    import hmac  # noqa: PLC0415

    slack = _slack()
    stamp = str(int(NOW))
    made = hmac.digest(slack.signing_secret.encode(), f"v0:{stamp}:".encode() + body, hashlib.sha256).hex()
    headers = {"content-type": sort, "x-slack-request-timestamp": stamp, "x-slack-signature": f"v0={made}"}
    try:
        heard = connector(slack).heard(Request("POST", "/in/slack", body, headers), NOW)
    except BadPayload:
        return
    assert heard.reply.status == 200
    assert heard.said == ()
