"""What is late waits for who makes it; what drifted may have done so by itself."""

from __future__ import annotations

import msgspec
import pytest

from quell.core.families import overdue
from quell.model.alert import Alert


def _alert(name: str, summary: str = "") -> Alert:
    told = {"labels": {"alertname": name}, "annotations": {"summary": summary}}
    at = {"starts_at": 1.0, "updated_at": 1.0, "onset_seen": 1.0}
    return msgspec.convert({"fingerprint": "f", "source": "s", "status": "firing", **told, **at}, Alert)


@pytest.mark.parametrize(
    ("name", "summary"),
    [
        ("FeatureFreshness", ""),
        ("feature_stale", ""),
        ("Check17", "The table was not updated since yesterday."),
        ("DatasetOverdue", ""),
    ],
)
def test_lateness_is_read_from_the_words(name: str, summary: str) -> None:
    assert overdue(_alert(name, summary))


@pytest.mark.parametrize(("name", "summary"), [("FeatureDriftPSI", "PSI of amount is above 0.25."), ("NullRate", "")])
def test_other_trouble_with_data_is_no_lateness(name: str, summary: str) -> None:
    assert not overdue(_alert(name, summary))
