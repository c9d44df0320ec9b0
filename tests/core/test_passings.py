"""How long a lone alert may wait follows from how often those of its rule come to nothing anywhere."""

from __future__ import annotations

from typing import Any

import pytest

from core.scene import T0, Scene, ends, fires, says
from quell.core.customs import bounded
from quell.core.neighbours import Company
from quell.core.passings import KEPT, LEAST, NOTHING_PASSED, outlasted_s, passed, rate
from quell.core.patience import Around
from quell.core.triage import judge
from quell.core.verdicts import DAY_S, Judgement
from quell.model.alert import Alert
from quell.model.rulebook import Triage
from quell.model.state import Passing, Triaged


def alert(**more: Any) -> Alert:
    given: dict[str, Any] = {
        "fingerprint": "f", "source": "test", "labels": {"alertname": "Slow", "severity": "critical"},
        "severity": "critical", "status": "firing", "starts_at": 0.0, "updated_at": 0.0, "onset_seen": 0.0,
    }  # fmt: skip
    return Alert(**given | more)


def verdict(now: float, known: Passing, triage: Triage | None = None, **around: Any) -> Judgement:
    near = Around(passing=known, company=Company, **around)
    return judge(alert(), now, behaviour=Triaged(), triage=triage or Triage(), around=near)


def of(count: int, *, each_s: float = 60.0, longest_s: float = 4000.0) -> Passing:
    """So many in the last day, of which one lasted longest."""
    known = NOTHING_PASSED
    for number in range(count):
        known = passed(known, longest_s if number == count // 2 else each_s, 0.0, acted=False)
    return known


def test_few_say_nothing_and_what_people_ended_takes_it_all_back():
    assert outlasted_s(of(LEAST - 1), 0.0) is None
    assert outlasted_s(of(LEAST), 0.0) == 4000.0
    assert outlasted_s(of(LEAST), 2 * DAY_S) is None, "they come no more"
    assert outlasted_s(passed(of(LEAST), 60.0, 0.0, acted=True), 0.0) is None


def test_less_than_one_a_day_lasts_as_long():
    known = Passing(past_s=tuple(float(number) for number in range(1, KEPT + 1)), rate=20.0)
    assert outlasted_s(known, 0.0) == 96.0, "four in a hundred last longer, and twenty come a day"
    assert outlasted_s(Passing(past_s=known.past_s, rate=1000.0), 0.0) == 100.0
    assert outlasted_s(Passing(past_s=known.past_s, rate=9.0), 0.0) is None


def test_the_older_the_less_they_count():
    known = of(KEPT + 5)
    assert len(known.past_s) == KEPT
    assert rate(known, 0.0) == pytest.approx(KEPT + 5)
    assert rate(known, DAY_S) == pytest.approx((KEPT + 5) / 2.718281828)
    assert rate(known, -DAY_S) == pytest.approx(KEPT + 5), "what was told late counts from when it was heard of"


def test_rules_are_bounded():
    known = {"a": Passing(at=3.0), "b": Passing(at=1.0), "c": Passing(at=2.0)}
    bounded(known, 2)
    assert set(known) == {"a", "c"}


def test_a_lone_alert_waits_until_it_lasts_longer_than_such_do_and_ten_minutes_more():
    known = of(LEAST)
    held = verdict(3600.0, known)
    assert (held.handling, held.reason.code, held.hold_until) == ("hold", "comes_to_nothing", 4600.0)
    assert held.reason.text == (
        "Slow fires alone 50 times a day and goes away by itself, less than one a day of them after 1h6m40s; "
        "pages if it still fires after 1h16m40s"
    )
    assert verdict(4600.0, known).handling == "page"
    assert verdict(600.0, of(9)).handling == "page"
    assert verdict(600.0, known, Triage(learn=False)).handling == "page"


def test_it_waits_for_twice_the_longest_wait_at_most():
    known = of(LEAST, longest_s=50_000.0)
    assert verdict(7199.0, known).hold_until == 7200.0
    assert verdict(7200.0, known).handling == "page"
    assert verdict(1199.0, known, Triage(lone_page_most_s=600.0)).hold_until == 1200.0


def test_what_tells_of_harm_waits_for_the_longest_wait_and_what_has_company_not_at_all():
    triage = Triage(lone_page_most_s=3600.0)
    known = of(100, each_s=90_000.0)
    harm = alert(labels={"alertname": "Slow", "severity": "critical", "impact": "business"})
    around = Around(passing=known, company=Company)
    alone = judge(harm, 700.0, behaviour=Triaged(), triage=triage, around=around)
    assert (alone.reason.code, alone.hold_until) == ("comes_to_nothing", 3600.0)
    beside = judge(
        alert(), 700.0, behaviour=Triaged(), triage=triage, around=around._replace(company=lambda: Company(3))
    )
    assert beside.handling == "page"


def test_what_ends_alone_is_learned_over_the_whole_estate():
    scene = Scene()
    for number in range(LEAST):
        at, where = 900.0 * number, {"labels": {"shard": f"s{number}"}}
        scene.tell(fires("disk", at, **where), ends("disk", at + (420.0 if number in {9, 19} else 120.0), **where))
    at = 900.0 * LEAST
    scene.tell(fires("frontend", at))
    scene.wait(at + 650.0)
    scene.restart()
    alone = scene.alert("frontend")
    assert (alone.handling, alone.reason.code) == ("hold", "comes_to_nothing")
    scene.wait(at + 1019.0)
    assert not scene.pages
    scene.wait(at + 1021.0)
    assert scene.alert("frontend").handling == "page"
    assert len(scene.pages) == 1


def test_what_people_end_is_worth_a_call():
    scene = Scene()
    for number in range(LEAST):
        at, where = 900.0 * number, {"labels": {"shard": f"s{number}"}}
        scene.tell(fires("disk", at, **where), ends("disk", at + 120.0, **where))
    at = 900.0 * LEAST
    scene.tell(fires("frontend", at))
    scene.wait(at + 1000.0)
    scene.tell(says("ack", scene.incident.id, at + 1010.0), ends("frontend", at + 1100.0))
    assert scene.engine.state.passings["HighErrorRate"] == Passing(at=T0 + at + 1100.0)
