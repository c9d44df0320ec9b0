"""Signatures: right ones of every kind are believed, everything else is refused with a reason and never raises."""

from __future__ import annotations

import base64
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quell.sdk.connector import Request
from quell.sdk.secret import Secret
from quell.sdk.signatures import Basic, Bearer, Hmac, Scheme, refusal
from quell.sdk.testkit import NOW

KEY, OLD = "key-one", "key-two"
BOTH = (Secret(KEY), Secret(OLD))
BODY = b'{"a": 1}'


def signed(message: bytes, key: str = KEY, algorithm: str = "sha256") -> bytes:
    return hmac.new(key.encode(), message, algorithm).digest()


def request(body: bytes = BODY, **headers: str) -> Request:
    return Request("POST", "/in/x", body, {name.replace("_", "-"): value for name, value in headers.items()})


GITHUB = Hmac(secrets=BOTH, header="x-hub-signature-256", prefix="sha256=")
PAGERDUTY = Hmac(secrets=BOTH, header="x-pagerduty-signature", prefix="v1=")
GRAFANA = Hmac(secrets=BOTH, header="x-grafana-signature", signed="{timestamp}:{body}", timestamp_header="x-time")
MLFLOW = Hmac(
    secrets=BOTH,
    header="x-mlflow-signature",
    prefix="v1,",
    encoding="base64",
    signed="{header:X-MLflow-Delivery-Id}.{timestamp}.{body}",
    timestamp_header="X-MLflow-Timestamp",
)


@pytest.mark.parametrize(
    ("how", "shown"),
    [
        (GITHUB, request(x_hub_signature_256="sha256=" + signed(BODY).hex())),
        (GITHUB, request(x_hub_signature_256="sha256=" + signed(BODY, OLD).hex().upper())),
        (PAGERDUTY, request(x_pagerduty_signature=f"v0=00,v1={'00' * 32},v1={signed(BODY).hex()}")),
        (GRAFANA, request(x_grafana_signature=signed(b"1772359190:" + BODY).hex(), x_time="1772359190")),
        (GRAFANA, request(x_grafana_signature=signed(b"1772359190123:" + BODY).hex(), x_time="1772359190123")),
        (
            MLFLOW,
            request(
                x_mlflow_signature="v1," + base64.b64encode(signed(b"d1.1772359200." + BODY)).decode(),
                x_mlflow_timestamp="1772359200",
                x_mlflow_delivery_id="d1",
            ),
        ),
        (Hmac(secrets=BOTH, algorithm="sha1"), request(x_signature=signed(BODY, algorithm="sha1").hex())),
        (Bearer(secrets=BOTH), request(authorization=f"Bearer {OLD}")),
        (Bearer(secrets=BOTH, header="X-Token"), request(x_token=KEY)),
        (Basic(user="am", secrets=BOTH), request(authorization="Basic " + base64.b64encode(b"am:key-one").decode())),
        (None, request()),
    ],
)
def test_the_right_sender_is_believed(how: Scheme | None, shown: Request) -> None:
    assert refusal(shown, how, NOW) == ""


@pytest.mark.parametrize(
    ("how", "shown", "reason"),
    [
        (GITHUB, request(), "no signature in header x-hub-signature-256"),
        (GITHUB, request(x_hub_signature_256=signed(BODY).hex()), "does not match"),
        (GITHUB, request(b"{}", x_hub_signature_256="sha256=" + signed(BODY).hex()), "does not match"),
        (GITHUB, request(x_hub_signature_256="sha256=zz"), "does not match"),
        (GITHUB, request(x_hub_signature_256="sha256=\u2028\ud800"), "does not match"),
        (GITHUB, request(x_hub_signature_256="sha256=" + signed(BODY, "other").hex()), "does not match"),
        (GRAFANA, request(x_grafana_signature="00"), "header x-time holds no time"),
        (GRAFANA, request(x_grafana_signature="00", x_time="now"), "holds no time"),
        (GRAFANA, request(x_time="1772358800", x_grafana_signature="00"), "signed 400 s from now; at most 300 s"),
        (GRAFANA, request(x_time="9" * 16, x_grafana_signature="00"), "from now"),
        (Hmac(secrets=()), request(x_signature=signed(BODY, "").hex()), "does not match"),
        (Hmac(secrets=(Secret(""),)), request(x_signature=signed(BODY, "").hex()), "does not match"),
        (Bearer(secrets=BOTH), request(), "no bearer token"),
        (Bearer(secrets=BOTH), request(authorization="Basic abc"), "no bearer token"),
        (Bearer(secrets=BOTH), request(authorization="Bearer "), "not the right one"),
        (Bearer(secrets=()), request(authorization="Bearer "), "not the right one"),
        (Bearer(secrets=(Secret(""),)), request(authorization="Bearer "), "not the right one"),
        (Basic(user="am", secrets=BOTH), request(authorization="Basic %%%"), "cannot be read"),
        (Basic(user="am", secrets=BOTH), request(authorization="Basic /w=="), "cannot be read"),
        (Basic(user="am", secrets=BOTH), request(authorization="Basic YW06bm8="), "not the right one"),
        (Basic(user="am", secrets=BOTH), request(), "no user name and password"),
    ],
)
def test_everybody_else_is_refused_with_a_reason(how: Scheme, shown: Request, reason: str) -> None:
    said = refusal(shown, how, NOW)
    assert reason in said
    assert KEY not in said


SCHEMES = [GITHUB, PAGERDUTY, GRAFANA, MLFLOW, Bearer(secrets=BOTH), Basic(user="am", secrets=BOTH)]


@given(st.sampled_from(SCHEMES), st.text(), st.text(), st.binary())
def test_no_header_makes_it_raise_or_believe(how: Scheme, one: str, two: str, body: bytes) -> None:
    names = ["x-hub-signature-256", "x-pagerduty-signature", "x-grafana-signature", "x-mlflow-signature"]
    headers = dict.fromkeys([*names, "authorization"], one) | {"x-time": two, "x-mlflow-timestamp": two}
    assert refusal(Request("POST", "/", body, headers), how, NOW)
