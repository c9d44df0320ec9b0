"""What is told of once and never again, though its rule's firings are told of all the time, has probably ended."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.scene import T0, Scene, ends, fires, rulebook
from quell.core.customs import bounded
from quell.core.hearings import (
    KEPT,
    LEAST,
    LISTENED,
    NOTHING_HEARD,
    SPELLS,
    heard,
    longest_s,
    others_heard,
    silent_at,
    teaches,
)
from quell.core.neighbours import Company
from quell.core.patience import Around
from quell.core.triage import judge
from quell.model.alert import Alert
from quell.model.rulebook import Triage
from quell.model.state import Hearing, Triaged

AGAIN_S = 300.0


def alert(told: int = 1, at: float = 0.0, **more: Any) -> Alert:
    given: dict[str, Any] = {
        "fingerprint": "f", "source": "test", "labels": {"alertname": "Slow", "severity": "critical"},
        "severity": "critical", "status": "firing", "starts_at": 0.0, "updated_at": at, "onset_seen": 0.0,
        "count": told,
    }  # fmt: skip
    return Alert(**given | more)


def learned(*spells: float, told: int = 1, at: float = 1e6) -> Hearing:
    """What is left of firings of which the next news came so many seconds later; below 0: that it was over."""
    found = Hearing(at=at)
    for spell in spells:
        what = "repeat" if spell > 0.0 else "resolved"
        found = heard(found, alert(told), alert(told + 1, abs(spell)), what)
    return found


def test_silence_says_something_once_enough_were_told_of_again():
    assert longest_s(learned(*[AGAIN_S] * (LEAST - 1)), alert()) is None
    known = learned(*[AGAIN_S] * (LEAST - 1), 360.0)
    assert longest_s(known, alert()) == 360.0
    assert silent_at(known, alert(at=1000.0)) == 1450.0
    assert silent_at(known, alert(at=1000.0, ends_at=9000.0)) is None, "what it says of its own end counts"


def test_nothing_is_said_while_nothing_else_of_its_rule_is_told_of_again():
    known = learned(*[AGAIN_S] * LEAST, at=1299.0)
    assert not others_heard(known, alert(at=1000.0)), "the sender may be gone"
    assert others_heard(learned(*[AGAIN_S] * LEAST, at=1301.0), alert(at=1000.0))


def test_what_fired_for_long_without_a_word_counts_and_what_was_soon_over_does_not():
    assert longest_s(learned(*[AGAIN_S] * LEAST, -10.0), alert()) == AGAIN_S
    assert longest_s(learned(*[AGAIN_S] * LEAST, -4000.0), alert()) == 4000.0
    assert longest_s(learned(*[AGAIN_S] * LEAST, -4000.0, *[AGAIN_S] * KEPT), alert()) == AGAIN_S, "it is forgotten"
    assert longest_s(learned(*[-AGAIN_S] * KEPT), alert()) is None, "of that sender nothing is told again"


def test_how_often_it_was_told_of_makes_a_difference():
    known = learned(*[AGAIN_S] * LEAST)
    assert longest_s(known, alert(2)) is None
    later = learned(*[900.0] * LEAST, told=9)
    assert longest_s(later, alert(SPELLS)) == longest_s(later, alert(40)) == 900.0
    assert longest_s(later, alert(SPELLS - 1)) is None
    assert longest_s(known, alert(6, before=5)) == AGAIN_S, "earlier firings of it do not count"


def test_what_teaches():
    for what in ("repeat", "updated", "resolved"):
        assert teaches(alert(), what)
        assert teaches(alert(LISTENED), what)
        assert not teaches(alert(LISTENED + 1), what)
    assert not teaches(alert(), "flapped")
    assert not teaches(alert(), "stale")
    assert not teaches(alert(ends_at=500.0), "repeat")
    assert heard(NOTHING_HEARD, alert(at=50.0), alert(2, 50.0), "repeat") is NOTHING_HEARD, "it came late, or twice"


def test_rules_are_bounded():
    known = {"a": Hearing(at=3.0), "b": Hearing(at=1.0), "c": Hearing(at=2.0)}
    bounded(known, 2)
    assert set(known) == {"a", "c"}


@given(st.lists(st.tuples(st.integers(1, 9), st.floats(0.0, 1e5), st.booleans()), max_size=200))
def test_what_is_remembered_is_bounded_and_no_longer_than_what_was_seen(news: list[tuple[int, float, bool]]):
    known = NOTHING_HEARD
    for told, spell, again in news:
        known = heard(known, alert(told), alert(told + 1, spell), "repeat" if again else "resolved")
    assert len(known.spells) <= SPELLS
    assert all(len(spells) <= KEPT for spells in known.spells)
    for told in range(1, SPELLS + 1):
        longest = longest_s(known, alert(told))
        assert longest is None or longest <= max(spell for _, spell, _ in news)


def estate(scene: Scene, firings: int = LEAST + 2, *, reminded: bool = True) -> float:
    """So many firings of one rule, one after the other, each told of again after five minutes; when it is quiet."""
    at = 0.0
    for number in range(firings):
        at = 2000.0 * number
        where = {"labels": {"shard": f"s{number}"}}
        if reminded:
            scene.tell(fires("disk", at, **where), fires("disk", at + AGAIN_S, starts_at=T0 + at, **where))
        else:
            scene.tell(fires("disk", at, **where))
        scene.tell(ends("disk", at + 400.0, **where))
    return at + 2000.0


def test_a_lone_alert_that_is_told_of_no_more_pages_nobody_until_it_is_told_of_again():
    scene = Scene()
    at = estate(scene)
    pages = len(scene.pages)
    scene.tell(fires("frontend", at), fires("disk", at + 100.0))
    scene.tell(fires("disk", at + 100.0 + AGAIN_S, starts_at=T0 + at + 100.0), ends("disk", at + 450.0))
    scene.wait(at + 7200.0)
    lone = scene.alert("frontend")
    assert (lone.handling, lone.reason.code, lone.firing) == ("digest", "unheard", True)
    assert lone.reason.text == (
        "all of the last firings of HighErrorRate were told of again within 5m, if they lasted; "
        "this one was not, so it has probably ended; pages if it is told of again"
    )
    assert len(scene.pages) == pages
    scene.restart()
    scene.tell(fires("frontend", at + 9000.0, starts_at=T0 + at))
    scene.wait(at + 9001.0)
    assert scene.alert("frontend").handling == "page"
    assert len(scene.pages) == pages + 1


@pytest.mark.parametrize(
    "told",
    [
        {"source": "pagerduty"},
        {"labels": {"cluster": "edge"}},
        {"labels": {"site": "dc2"}},
        {"labels": {"zone": "z9"}, "source": "pagerduty"},
    ],
)
def test_what_one_sender_or_site_does_says_nothing_of_another(told: dict[str, Any]):
    scene = Scene()
    at = estate(scene)
    pages = len(scene.pages)
    scene.tell(fires("frontend", at, **told))
    for number in range(12):
        began, where = at + 30.0 + 600.0 * number, {"labels": {"shard": f"z{number}"}}
        scene.tell(fires("disk", began, **where), fires("disk", began + AGAIN_S, starts_at=T0 + began, **where))
        scene.tell(ends("disk", began + 400.0, **where))
    assert [page.alert for page in scene.pages[pages:]] == [
        scene.alert("frontend", **told.get("labels", {})).fingerprint
    ]


def test_silence_among_others_that_fire_is_no_calm():
    known = learned(*[AGAIN_S] * LEAST)

    def verdict(company: Company) -> str:
        around = Around(hearing=known, company=lambda: company)
        return judge(alert(), 5000.0, behaviour=Triaged(), triage=Triage(), around=around).reason.code

    assert verdict(Company()) == "unheard"
    assert verdict(Company(count=2)) != "unheard"
    assert verdict(Company(incident="INC-1")) != "unheard"


def test_one_that_would_mostly_have_been_told_of_again_by_now_waits_for_that():
    scene = Scene()
    for number in range(LEAST + 2):
        at, shard = 3000.0 * number, {"labels": {"shard": f"s{number}"}}
        scene.tell(fires("disk", at, **shard), fires("disk", at + 550.0, starts_at=T0 + at, **shard))
        scene.tell(ends("disk", at + 560.0, **shard))
    at = 3000.0 * (LEAST + 2)
    pages = len(scene.pages)
    scene.tell(fires("frontend", at), at=at)
    scene.wait(at + 640.0)
    late = scene.alert("frontend")
    assert (late.handling, late.reason.code, late.hold_until) == ("hold", "unheard", T0 + at + 687.5)
    assert late.reason.text.endswith("most of them by now; pages as soon as this one is, or after 11m28s")
    scene.wait(at + 687.5)
    assert scene.alert("frontend").reason.code != "unheard", "nothing else was told of meanwhile"
    scene.wait(at + 1800.0)
    assert len(scene.pages) == pages + 1


def test_one_that_is_told_of_again_pages_at_its_time():
    scene = Scene()
    at = estate(scene)
    pages = len(scene.pages)
    scene.tell(*(fires("frontend", at + AGAIN_S * n, starts_at=T0 + at) for n in range(4)))
    scene.wait(at + 1500.0)
    assert len(scene.pages) == pages + 1


@pytest.mark.parametrize("reminded", [True, False])
def test_it_pages_where_nothing_is_reminded_of_or_nothing_else_was_since(reminded: bool):
    scene = Scene()
    at = estate(scene, reminded=reminded)
    pages = len(scene.pages)
    scene.tell(fires("frontend", at))
    scene.wait(at + 3600.0)
    assert len(scene.pages) == pages + 1


def test_nothing_is_learned_where_triage_must_not():
    scene = Scene(rulebook(triage=Triage(learn=False)))
    at = estate(scene)
    pages = len(scene.pages)
    scene.tell(fires("frontend", at), fires("disk", at + 100.0))
    scene.tell(fires("disk", at + 100.0 + AGAIN_S, starts_at=T0 + at + 100.0), ends("disk", at + 450.0))
    scene.wait(at + 600.0)
    assert len(scene.pages) == pages + 1


STORY = st.lists(
    st.tuples(st.integers(0, 4), st.sampled_from(["fires", "again", "ends"]), st.integers(0, 400), st.booleans()),
    min_size=5,
    max_size=40,
)


@settings(deadline=None, max_examples=25)
@given(STORY)
def test_what_is_learned_does_not_depend_on_the_order_within_a_delivery_nor_on_restarts(
    story: list[tuple[int, str, int, bool]],
):
    whole, parts = Scene(), Scene()
    at, began, batch = 0.0, dict.fromkeys(range(5), 0.0), []
    for number, what, later, together in story:
        where = {"labels": {"shard": f"s{number}"}}
        if what == "fires":
            began[number] = at
        if what == "ends":
            batch.append(ends("disk", at, **where))
        else:
            batch.append(fires("disk", at, starts_at=T0 + began[number], **where))
        if not together:
            whole.tell(*batch, at=at)
            parts.tell(*reversed(batch), at=at)
            parts.restart()
            at, batch = at + 1.0 + later, []
    for scene in (whole, parts):
        scene.wait(at + 7200.0)
    assert parts.engine.state.hearings == whole.engine.state.hearings
    assert parts.engine.state.passings == whole.engine.state.passings
    assert parts.engine.snapshot() == whole.engine.snapshot()
