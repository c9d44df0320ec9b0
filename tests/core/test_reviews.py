"""What is looked at again because something ended: nobody who is needed is forgotten, and nothing hangs on luck."""

from __future__ import annotations

import pytest

from core.scene import Scene, consistent, ends, fires

INFO = ("ledger", "payments", "checkout", "cart")


@pytest.mark.parametrize("began", [40.0, 400.0, 700.0])
def test_who_was_paged_by_what_fires_on_finds_it_in_an_open_incident(began: float) -> None:
    scene = Scene()
    scene.tell(*(fires(one, 12.0 * at, severity="info") for at, one in enumerate(INFO)))
    scene.tell(fires("frontend", began, "HighLatency"), fires("frontend", began, "SlowRequests", "warning"))
    scene.wait(900.0)
    assert len(scene.pages) == 1
    scene.tell(ends("frontend", 1000.0, "SlowRequests", "warning"))
    scene.tell(*(ends(one, 2000.0 + 5.0 * at, severity="info") for at, one in enumerate(INFO)))
    for until in (2100.0, 2400.0, 5600.0):
        scene.wait(until)
        consistent(scene.engine)
        paging = scene.alert("frontend", "HighLatency")
        (incident,) = scene.open
        assert (paging.incident, paging.handling) == (incident.id, "page")
    assert len(scene.pages) == 1
    assert scene.reminders
    scene.tell(ends("frontend", 5700.0, "HighLatency"))
    scene.wait(7200.0)
    assert not scene.open
