"""The connector's own tests; they need quell and this package installed."""

from __future__ import annotations

import pytest
from quell_statuspage import StatusPage

from quell.errors import BadPayload
from quell.sdk.connector import Context
from quell.sdk.http import Answer
from quell.sdk.testkit import NOW, FakeHttp, check_connector, run

PAGE = b"""{"components": [{"id": "c1", "name": "API", "status": "major_outage"},
                           {"id": "c2", "name": "Mail", "status": "operational"}]}"""


def test_the_rules_of_the_house_hold() -> None:
    """Every verb and action, with every failure injected."""
    check_connector(StatusPage)


def test_components_become_alerts() -> None:
    """One observation per component, by the vendor's own key."""
    page = StatusPage({"url": "https://status.vendor.example"}, Context("vendor", FakeHttp(Answer(200, {}, PAGE))))

    api, mail = run(page.pull(None, NOW)).records

    assert (api.status, api.key, api.labels["severity"]) == ("firing", "c1", "critical")
    assert mail.status == "resolved"


def test_a_page_that_cannot_be_read_is_not_an_empty_page() -> None:
    """Could not read is told apart from nothing to report."""
    page = StatusPage({"url": "https://status.vendor.example"}, Context("vendor", FakeHttp()))

    with pytest.raises(BadPayload):
        run(page.pull(None, NOW))
