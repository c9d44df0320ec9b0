"""What people read: why an incident is what it is, why an alert did not page, and the page itself."""

from __future__ import annotations

import pytest

from core.scene import Scene, deploy, ends, fires, matcher, outage, playbook, rulebook, says, silence
from quell.core.explain import counted
from quell.model.rulebook import MuteRule

FAULT = ("ledger", "payments", "checkout", "frontend")


def why_not(scene: Scene, service: str, *more: str) -> str:
    return scene.engine.why_not(scene.alert(service, *more).fingerprint) or ""


def test_the_page_says_the_cause_first_and_fits_a_small_screen():
    scene = Scene()
    scene.tell(deploy("ledger", -60.0, summary="new driver"), *outage())
    scene.wait(60.0)
    first, cause, path, change, reaches, count = scene.calls[0].params["text"].splitlines()
    assert first == f"{scene.incident.id} [critical] service/ledger: HighErrorRate at 3 entities"
    assert cause.startswith("first cause: service/ledger (")
    assert path == "path: service/ledger → service/payments → service/checkout"
    assert change.startswith("nearby change: deploy v9 of service/ledger at 2023-11-14T22:12:20")
    assert change.endswith("by ana: new driver (deploy-ledger)")
    assert reaches == "reaches: service/frontend"
    assert count == "3 alerts at 3 entities"


def test_the_page_of_a_lone_alert_claims_nothing():
    scene = Scene()
    scene.tell(fires("disk"))
    scene.wait(601.0)
    assert scene.calls[0].params["text"].splitlines() == [
        f"{scene.incident.id} [critical] service/disk: HighErrorRate",
        "no clear cause: only service/disk alerts",
        "1 alert at 1 entity",
    ]


def test_an_unclear_cause_is_called_unclear():
    book = rulebook()
    book = rulebook(correlate=type(book.correlate)(clear_cause_bar=1.0))
    scene = Scene(book)
    scene.tell(*outage())
    scene.wait(60.0)
    assert scene.incident.no_clear_cause
    assert "No clear cause; the best candidate is service/ledger (confidence " in scene.text()
    assert "no clear cause; most likely service/ledger (" in scene.calls[0].params["text"]


def test_an_explanation_tells_the_whole_story():
    scene = Scene(rulebook(playbooks=(playbook(), playbook("later", on=("resolved",)), playbook("idle", mode="off"))))
    scene.tell(deploy("ledger", -60.0), *outage(), silence("s1", 50.0, 900.0, matcher("service", "frontend")))
    scene.wait(120.0)
    text = scene.text()
    assert f"{scene.incident.id} is open: service/ledger" in text
    assert "  path: service/ledger → service/payments → service/checkout → service/frontend" in text
    assert "Runner-up: service/payments (<1%): " in text
    assert "Paged at 2023-11-14T22:13:50.000Z for HighErrorRate." in text
    assert "Held back: 2 alerts: part of an incident, which pages once for all its alerts" in text
    assert "Muted: 1 alert: muted by silence s1 (ana: planned work)" in text
    assert "playbook ticket" in text
    assert "playbook later did not run: has no condition, but it waits until the incident is resolved" in text
    assert "playbook idle did not run: is off" in text


def test_playbooks_that_are_off_are_one_line():
    off = [playbook(name, mode="off") for name in ("abort", "drain", "page")]
    scene = Scene(rulebook(playbooks=(*off, playbook("later", on=("resolved",)))))
    scene.tell(*outage())
    scene.wait(120.0)
    lines = scene.text().splitlines()
    assert lines[-2].startswith("playbook later did not run: ")
    assert lines[-1] == "playbooks that are off: abort, drain, page"


def test_a_condition_that_came_true_too_late_says_so():
    late = playbook(on=("opened",), if_="size(incident.alerts) > 3")
    scene = Scene(rulebook(playbooks=(late,)))
    scene.tell(*outage())
    scene.wait(120.0)
    assert "playbook ticket did not run: its condition holds now, but did not when it was asked" in scene.text()


def test_a_condition_that_must_still_hold_says_until_when():
    settling = playbook(on=("opened",), if_="true", settled_for_s=600.0)
    scene = Scene(rulebook(playbooks=(settling,)))
    scene.tell(*outage())
    scene.wait(120.0)
    assert "its condition holds, and must hold until 2023-11-14T22:23:50.000Z" in scene.text()


def test_there_is_no_explanation_of_what_is_not_there():
    scene = Scene()
    assert scene.engine.explain("INC-nowhere") is None
    assert scene.engine.why_not("nobody") is None


def test_why_an_incident_that_is_over_did_not_page():
    book = rulebook(mute=(MuteRule(name="quiet", matchers=(matcher("alertname", "Slow"),), reason="tuned soon"),))
    scene = Scene(book)
    scene.tell(
        *(fires(name, 1.0, severity="info") for name in FAULT), *(ends(name, 20.0, severity="info") for name in FAULT)
    )
    scene.wait(60.0)
    assert "Has not paged: none of its alerts fires any more." in scene.text()
    scene.tell(says("resolve", scene.incident.id, 70.0))
    assert "Has not paged" not in scene.text()


@pytest.mark.parametrize(("count", "text"), [(0, "0 entities"), (1, "1 entity"), (2, "2 entities")])
def test_counts_are_said_as_people_do(count: int, text: str):
    assert counted(count, "entity", "entities") == text


def test_why_not_says_what_became_of_each_alert():
    scene = Scene()
    scene.tell(*outage(), fires("ledger", 1.0, "Slow", "info"), fires("disk", 40.0))
    scene.wait(120.0)
    assert "It paged: stands for the page of incident INC-" in why_not(scene, "ledger")
    held = why_not(scene, "payments")
    assert "It did not page, it is held: part of an incident" in held
    assert f"It belongs to {scene.incident.id} (service/ledger" in held
    assert "which paged at 2023-11-14T22:13:40.000Z" in held
    assert "It is judged again at 2023-11-14T22:24:00.000Z." in why_not(scene, "disk")
    assert "was told once" in why_not(scene, "disk")
