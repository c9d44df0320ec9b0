"""What kind of trouble a summary tells of, whatever the numbers in it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.scene import T0
from quell.core.families import _NUMBER, Family, _told_by, family
from quell.model.alert import Alert

WORDS = (
    "p99",
    "latency",
    "5xx",
    "errors",
    "f1",
    "null",
    "0",
    "17",
    "4_2",
    "n0de",
    "is",
    "ok",
    "9",
    "p5",
    "Ü1",
    "1Ü",
    "3.5",
    "rate",
)


def _saying(summary: str) -> Alert:
    return Alert(
        fingerprint="a", source="", labels={"alertname": "X"}, status="firing", starts_at=T0, updated_at=T0,
        onset_seen=T0, annotations={"summary": summary},
    )  # fmt: skip


@given(st.lists(st.sampled_from(WORDS), max_size=5).map(" ".join) | st.text(max_size=20))
def test_numbers_that_stand_for_themselves_count_for_nothing(summary: str) -> None:
    asked = _told_by(_NUMBER.sub("0", summary))
    assert family(_saying(summary)) == (Family.FAILING if asked is None else asked)


@pytest.mark.parametrize(("summary", "kind"), [
    ("p99 is 12", Family.SLOW),
    ("p00 is 12", Family.FAILING),
    ("f1 is 0.4", Family.DATA),
    ("f0 is 0.4", Family.FAILING),
    ("High latency on instance 10456", Family.SLOW),
    ("\ud800 latency 4", Family.SLOW),
])  # fmt: skip
def test_digits_within_words_do(summary: str, kind: Family) -> None:
    assert family(_saying(summary)) == kind
    assert family(_saying(re.sub(r"\b12\b", "7", summary))) == kind
