"""The card of a run asks for a yes only while the run waits for one; that of an incident names its post-mortem."""

from __future__ import annotations

from core.scene import Scene, ends, outage
from core.stage import Stage, playbook, step
from quell.chatops.cards import approval_card, incident_card
from quell.chatops.marks import asked_mark, asking


def asked(**given: object) -> Stage:
    ask = step("ask", do="approve", timeout_s=3600.0, with_=given)
    stage = Stage(playbook(ask, step("act", effect="change")))
    stage.news()
    return stage


def yes(stage: Stage, by: str = "ana") -> None:
    assert stage.run.approval is not None
    stage.say("approve", by=by, mark=stage.run.approval.mark)


def test_a_run_that_has_its_yes_and_waits_for_something_else_asks_nobody() -> None:
    stage = asked()
    shown = asking(stage.run)
    stage.say("pause", "playbooks")
    yes(stage)
    assert (stage.run.state, stage.run.asks, asked_mark(stage.run)) == ("waiting", False, "")
    card = approval_card(stage.state, stage.run)
    assert (card.title, card.buttons, card.urgent) == ("rollback for INC-1: waiting", (), False)
    assert "Approved by ana" in [line.text for line in card.lines]
    assert asking(stage.run) != shown, "a click on the old card does not count"


def test_a_run_that_needs_another_yes_goes_on_asking() -> None:
    stage = asked(need=2)
    shown = asking(stage.run)
    yes(stage)
    card = approval_card(stage.state, stage.run)
    assert (stage.run.asks, [one.verb for one in card.buttons]) == (True, ["approve", "reject"])
    assert asking(stage.run) == shown, "what the other one was shown still is what is asked for"
    yes(stage, "bo")
    assert (stage.run.asks, stage.keys) == (False, ["act/1"])


def test_the_card_of_what_paged_and_is_over_names_the_draft_of_its_post_mortem() -> None:
    scene = Scene()
    scene.tell(*outage())
    scene.wait(120.0)
    assert "quell postmortem" not in str(incident_card(scene.engine.state, scene.incident).lines)
    scene.tell(*(ends(name, 600.0) for name in ("ledger", "payments", "checkout", "frontend")))
    scene.wait(900.0)
    (incident,) = scene.engine.state.incidents.values()
    assert incident.status == "resolved"
    card = incident_card(scene.engine.state, incident)
    assert f"Post-mortem draft: quell postmortem {incident.id}" in {line.text for line in card.lines}
