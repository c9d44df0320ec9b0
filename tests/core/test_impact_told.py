"""What trouble harms is said wherever people look: in the page, in lists, and in the figures of a while."""

from __future__ import annotations

from msgspec.structs import replace

from core.scene import T0, Scene, fires, says
from quell.chatops.cards import digest_card, in_a_line, incident_card
from quell.core.explain import page_text
from quell.model.impact import IMPACTS, LABEL
from quell.model.state import State
from quell.stats.card import figures_card
from quell.stats.counting import Counting
from quell.stats.text import plain


def scene() -> Scene:
    told = Scene()
    told.tell(fires("disk"))
    told.wait(601.0)
    return told


def test_every_tier_is_said_in_pages_cards_and_lists() -> None:
    told = scene()
    for harm in IMPACTS:
        incident = replace(told.incident, harm=harm)
        state = State(incidents={incident.id: incident}, alerts=told.engine.state.alerts)
        said = harm != "system"
        assert (f"impact: {harm}" in page_text(state, incident).splitlines()) is said
        assert (f"impact {harm})" in in_a_line(incident)) is said
        assert (f"impact {harm})" in str(digest_card("digest", [incident], 0).lines)) is said
        assert (f"Impact: {harm}" in str(incident_card(state, incident).lines)) is said


def test_the_figures_count_incidents_by_what_they_harmed() -> None:
    told = scene()
    counting = Counting(0.0, 2e9)
    for number, harm in enumerate(("model", "business", "business", "system", "fairness")):
        counting.incident(replace(told.incident, id=f"INC-{number}", harm=harm))
    figures = counting.figures({})
    wanted = "Incidents by impact: 1 fairness, 2 business, 1 model, 1 system"
    assert wanted in plain(figures)
    assert wanted in [line.text for line in figures_card(figures).lines]
    quiet = Counting(0.0, 2e9)
    quiet.incident(replace(told.incident, harm="system"))
    assert "by impact" not in plain(quiet.figures({}))


def test_an_alert_with_a_key_may_say_later_that_more_is_harmed() -> None:
    told = Scene()
    first = fires("payments", 12.0, key="k1", source="pd")
    told.tell(fires("ledger"), fires("checkout", 24.0), fires("frontend", 36.0), first)
    told.wait(120.0)
    assert told.incident.harm == "system"
    labels = {**first.labels, LABEL: "business"}
    told.tell(replace(first, labels=labels, at=T0 + 130.0))
    told.tell(says("ack", told.incident.id, 140.0))
    assert told.incident.harm == "business"
