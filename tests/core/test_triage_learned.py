"""What triage learns, doubts and sees around an alert; and that none of it ever loses a page."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.scene import T0, Scene, ends, fires, outage, rulebook, says, silence
from quell.core.both_ends import WITHIN_S
from quell.core.customs import (
    KEPT_CUSTOMS,
    NEVER_S,
    End,
    aloofness,
    bounded,
    ended,
    observe,
    page_over,
    rarely_alone,
    told,
    usual,
    valued,
)
from quell.core.neighbours import Company
from quell.core.patience import Around
from quell.core.triage import judge
from quell.core.verdicts import DAY_S, Judgement
from quell.expressions.matchers import parse_matchers
from quell.model.alert import Alert
from quell.model.decision import AlertChanged
from quell.model.records import FeedbackRecord
from quell.model.rulebook import Triage, TriageRule
from quell.model.state import Custom, Triaged

TRIAGE = Triage()
CALM = Triaged()
HOUR_S = 3600.0


def alert(severity: str = "critical", start: float = 0.0, name: str = "SlowQueries", **more: Any) -> Alert:
    labels = {"alertname": name, "severity": severity, **more.pop("labels", {})}
    fields: dict[str, Any] = {
        "fingerprint": "f", "source": "test", "labels": labels, "severity": severity, "status": "firing",
        "starts_at": start, "updated_at": start, "onset_seen": start,
    }  # fmt: skip
    return Alert(**fields | more)


def verdict(known: Alert, now: float, behaviour: Triaged = CALM, triage: Triage = TRIAGE, **around: Any) -> Judgement:
    company = around.pop("company", Company())
    return judge(known, now, behaviour=behaviour, triage=triage, around=Around(company=lambda: company, **around))


def said(
    known: Alert, now: float, behaviour: Triaged = CALM, triage: Triage = TRIAGE, **around: Any
) -> tuple[str, str]:
    judged = verdict(known, now, behaviour, triage, **around)
    return judged.handling, judged.reason.code


# --- what is learned of a rule --------------------------------------------------------------------------------------

HEALER = Custom(alone_s=(240, 300, 480, 360, 200))


def test_a_lone_alert_of_a_rule_that_heals_itself_waits_a_little_longer_than_that_took():
    held = verdict(alert(), 600, custom=HEALER)
    assert (held.handling, held.reason.code, held.hold_until) == ("hold", "self_healing", 1080)
    assert held.reason.text == (
        "nothing else fires near it, and 5 of the last 5 such firings of SlowQueries went away by themselves; "
        "pages if it still fires after 18m"
    )
    page = verdict(alert(), 1080, custom=HEALER)
    assert (page.handling, page.reason.text) == ("page", "critical, on its own, and still firing after 18m")


def test_what_is_learned_counts_only_for_what_is_alone_and_can_be_switched_off():
    assert said(alert(), 600, custom=HEALER, company=Company(count=1)) == ("page", "still_firing")
    assert said(alert(), 600, triage=Triage(learn=False), custom=HEALER) == ("page", "still_firing")
    assert said(alert("warning"), 600, custom=HEALER) == ("digest", "not_severe")


def test_it_never_waits_for_longer_than_the_most():
    slow = Custom(alone_s=(3000, 3100, 3200))
    assert verdict(alert(), 600, custom=slow).hold_until == HOUR_S
    assert said(alert(), HOUR_S, custom=slow) == ("page", "still_firing")
    assert verdict(alert(), 600, triage=Triage(lone_page_most_s=700), custom=HEALER).hold_until == 700
    assert said(alert(), 600, triage=Triage(lone_page_most_s=60), custom=HEALER) == ("page", "still_firing")


@pytest.mark.parametrize(
    ("custom", "everyone", "known"),
    [
        (Custom(), HEALER, False),
        (Custom(alone_s=(200, 300)), Custom(), False),
        (Custom(alone_s=(200, 300, 400)), Custom(), True),
        (Custom(alone_s=(200, 300, NEVER_S)), Custom(), False),
        (Custom(alone_s=(200, 300, 300, 300, NEVER_S)), Custom(), True),
        (Custom(alone_s=(200,)), Custom(alone_s=(100,) * 8), True),
        (Custom(alone_s=(200,)), Custom(alone_s=(100,) * 7), False),
        (Custom(alone_s=(5000,)), Custom(alone_s=(100,) * 20), False),
    ],
    ids=["never seen", "too few", "enough", "people ended one", "mostly", "like all others", "few at all", "stays"],
)
def test_what_makes_a_rule_one_that_heals_itself(custom: Custom, everyone: Custom, known: bool):
    assert (usual(custom, everyone, HOUR_S) is not None) == known


def test_words_for_a_rule_that_is_taken_for_one_like_all_others():
    held = verdict(alert(), 600, custom=Custom(alone_s=(200,)), everyone=Custom(alone_s=(100,) * 8))
    assert "8 of the last 8 such firings of alerts of its severity" in held.reason.text


def test_beside_an_incident_that_has_paged_it_waits_for_half_of_the_most():
    company = Company(count=3, incident="INC-1")
    held = verdict(alert(), 600, company=company)
    assert (held.handling, held.reason.code, held.hold_until) == ("hold", "near_incident", 1800)
    assert "3 of what fires near it began with it, and incident INC-1 has paged" in held.reason.text
    assert said(alert(), 1800, company=company) == ("page", "still_firing")


SOCIAL = Custom(occasions=12, alone=1, alone_s=(900.0,))


def test_a_lone_alert_of_a_rule_that_is_rarely_alone_waits_for_half_of_the_most():
    held = verdict(alert(), 600, custom=SOCIAL)
    assert (held.handling, held.reason.code, held.hold_until) == ("hold", "without_company", 1800)
    assert held.reason.text == (
        "nothing else fires near it, though SlowQueries was part of something larger 12 of 13 times; "
        "pages if it still fires after 30m"
    )
    assert said(alert(), 1800, custom=SOCIAL) == ("page", "still_firing")
    assert said(alert(), 600, custom=SOCIAL, company=Company(count=1)) == ("page", "still_firing")
    assert said(alert(), 600, triage=Triage(learn=False), custom=SOCIAL) == ("page", "still_firing")
    assert said(alert(), 600, triage=Triage(lone_page_most_s=600), custom=SOCIAL) == ("page", "still_firing")
    assert said(alert(labels={"page": "burn"}), 600, custom=SOCIAL) == ("page", "still_firing")
    assert said(alert(entity="kpi/revenue"), 600, custom=SOCIAL) == ("page", "still_firing")
    at_once = Triage(rules=(TriageRule(name="now", matchers=parse_matchers("{}"), verdict="page"),))
    assert said(alert(), 0, triage=at_once, custom=SOCIAL) == ("page", "rule")


@pytest.mark.parametrize(
    ("custom", "everyone", "known"),
    [
        (Custom(), Custom(occasions=90), False),
        (Custom(alone=1, alone_s=(60.0,)), Custom(occasions=90), False),
        (Custom(occasions=2), Custom(), False),
        (Custom(occasions=2), Custom(occasions=4, alone=1), False),
        (Custom(occasions=3), Custom(), True),
        (Custom(occasions=2), Custom(occasions=15, alone=1), True),
        (Custom(occasions=2), Custom(occasions=8, alone=15), False),
        (Custom(occasions=9, alone=5), Custom(occasions=90), False),
        (Custom(occasions=40, alone=2, alone_s=(60.0, NEVER_S)), Custom(occasions=90), False),
    ],
    ids=[
        "never seen", "only alone", "too few", "few at all", "enough", "like all others", "few, unlike others",
        "often alone", "people ended one",
    ],
)  # fmt: skip
def test_what_makes_a_rule_one_that_is_rarely_alone(custom: Custom, everyone: Custom, known: bool):
    assert rarely_alone(custom, everyone) == known


def test_however_many_end_together_it_is_one_occasion():
    over = alert(status="resolved", ends_at=250.0)
    custom = Custom()
    for at in (300, 310, 900, 1199, 1200, 2000, 2800, 3700, 5000):
        custom = ended(custom, over, at, alone=False, acted=False)
    assert (custom.joined, custom.occasions, custom.alone) == (9, 3, 0)


def test_what_is_rarely_alone_is_learned_from_incidents_and_pages_when_it_lasts():
    scene = Scene()
    for n in range(4):
        at = 4000.0 * n
        scene.tell(*outage(at))
        scene.tell(*(ends(service, at + 900.0) for service in ("ledger", "payments", "checkout", "frontend")))
    assert scene.engine.state.customs["HighErrorRate"].occasions == 4
    pages = len(scene.pages)
    scene.tell(fires("warehouse", 20_000.0))
    scene.wait(20_700.0)
    scene.restart()
    alone = scene.alert("warehouse")
    assert (alone.handling, alone.reason.code, alone.hold_until) == ("hold", "without_company", T0 + 21_800.0)
    scene.wait(21_799.0)
    assert len(scene.pages) == pages
    scene.wait(21_801.0)
    assert len(scene.pages) == pages + 1


def test_how_customs_are_learned():
    over = alert(status="resolved", ends_at=250.0)
    custom = ended(ended(Custom(), over, 300, alone=True, acted=False), over, 300, alone=True, acted=True)
    assert (custom.alone_s, custom.alone, custom.joined) == ((250, NEVER_S), 2, 0)
    custom = ended(custom, over, 300, alone=False, acted=False)
    assert (custom.alone_s, custom.alone, custom.joined) == ((250, NEVER_S), 2, 1)
    for _ in range(50):
        custom = ended(custom, over, 300, alone=True, acted=False)
    assert (len(custom.alone_s), custom.alone) == (20, 52)
    custom = valued(valued(Custom(), alert(value=3.0, threshold=2.0), 1), alert(value=1.0, threshold=2.0), 2)
    assert (custom.above, custom.below) == (1, 1)
    assert valued(custom, alert(), 3) is custom
    assert valued(custom, alert(value=2.0, threshold=2.0), 3) is custom


def test_a_rule_that_fires_for_itself_speaks_less_for_a_cause():
    assert aloofness(None) == aloofness(Custom()) == aloofness(Custom(alone=3, joined=9)) == 0.0
    assert aloofness(Custom(alone=2)) < aloofness(Custom(alone=20)) < 1.0


def test_customs_are_bounded_and_the_oldest_are_forgotten():
    customs = {"": Custom(at=0.0), **{f"R{n}": Custom(at=float(n)) for n in range(KEPT_CUSTOMS + 10)}}
    bounded(customs)
    assert len(customs) == KEPT_CUSTOMS
    assert "" in customs
    assert "R10" not in customs
    assert "R11" in customs


def test_what_people_ended_is_no_healer():
    behaviour = Triaged(durations_s=(60,) * 9)
    over = alert(status="resolved", ends_at=100.0)
    assert observe(behaviour, "resolved", over, 120, end=End(acted=True)).durations_s == ()
    assert observe(behaviour, "resolved", over, 120).durations_s == (60,) * 9 + (100,)


def test_what_may_have_been_ended_with_its_incident_tells_nothing_of_healing():
    behaviour = Triaged(durations_s=(60,) * 9)
    over = alert(status="resolved", ends_at=100.0)
    assert observe(behaviour, "resolved", over, 120, end=End(called=True)).durations_s == (60,) * 9


@pytest.mark.parametrize("restarts", [False, True])
def test_alerts_that_were_part_of_incidents_are_no_healers_when_they_fire_alone(restarts: bool):
    """Half an hour each time, until whoever was called had mended it, perhaps without a word to quell."""
    scene = Scene()
    for n in range(6):
        began = 10_000.0 * n
        scene.tell(*outage(began))
        scene.wait(began + 300.0)
        assert scene.open
        scene.tell(*(ends(one, began + 1800.0) for one in ("ledger", "payments", "checkout", "frontend")))
        scene.wait(began + 9_000.0)
    if restarts:
        scene.restart()
    before = len(scene.pages)
    scene.tell(fires("frontend", 60_000.0), fires("checkout", 60_000.0))
    scene.wait(60_000.0 + 1_801.0)
    assert len(scene.pages) > before


def test_firings_that_were_part_of_incidents_make_no_nuisance_of_it():
    """Twelve outages within a day reach the frontend; then it fails alone with what stands before it."""
    scene = Scene()
    for n in range(12):
        began = 6_000.0 * n
        scene.tell(*outage(began))
        scene.wait(began + 300.0)
        assert scene.open
        scene.tell(*(ends(one, began + 1800.0) for one in ("ledger", "payments", "checkout", "frontend")))
        scene.wait(began + 5_000.0)
    behaviour = scene.engine.state.behaviour[scene.alert("frontend").fingerprint]
    assert behaviour.began == ()
    assert behaviour.called_at == T0 + 66_000.0 + 36.0
    before = len(scene.pages)
    scene.tell(fires("frontend", 72_000.0), fires("checkout", 72_005.0))
    scene.wait(72_000.0 + 1_801.0)
    assert len(scene.pages) == before + 1


def test_what_is_known_of_an_alert_outlives_it_though_all_its_firings_were_part_of_incidents():
    scene = Scene()
    scene.tell(*outage())
    scene.wait(300.0)
    scene.tell(*(ends(one, 1800.0) for one in ("ledger", "payments", "checkout", "frontend")))
    mark = scene.alert("ledger").fingerprint
    scene.wait(3.0 * DAY_S)
    assert mark not in scene.engine.state.alerts
    assert scene.engine.state.behaviour[mark].episodes == 1
    scene.tell(fires("ledger", 3.0 * DAY_S + 1.0))
    assert scene.alert("ledger").episode == 2
    scene.tell(ends("ledger", 3.0 * DAY_S + 30.0))
    scene.wait(12.0 * DAY_S)
    assert mark not in scene.engine.state.behaviour


def test_two_that_would_page_alone_and_need_one_another_are_told_as_one():
    scene = Scene()
    scene.tell(fires("checkout", 0.0), fires("frontend", WITHIN_S + 9.0))
    scene.wait(595.0)
    assert not scene.pages
    scene.wait(3600.0)
    (page,) = scene.pages
    assert scene.services(scene.incident) == {"checkout", "frontend"}
    assert page.incident == scene.incident.id
    assert scene.incident.suspects[0].entity == "service/checkout"


def test_two_that_have_nothing_to_do_with_one_another_page_each():
    scene = Scene()
    scene.tell(fires("checkout", 0.0), fires("warehouse", 9.0))
    scene.wait(3600.0)
    assert len(scene.pages) == len(scene.open) == 2


# --- doubts ---------------------------------------------------------------------------------------------------------

STAGING = {"env": "staging"}
SLOW_BURN = {"long_window": "3d", "window": "6h"}


@pytest.mark.parametrize(
    ("given", "code", "text"),
    [
        ({"labels": STAGING}, "environment", 'label env says "staging"'),
        ({"labels": {"namespace": "shop-qa"}}, "environment", 'label namespace says "shop-qa"'),
        ({"labels": SLOW_BURN, "name": "CheckoutErrorBudgetBurn"}, "slow_budget", "burns slowly, over 3d"),
        ({"name": "PageUnacknowledged"}, "about_pages", "nobody acknowledged another alert"),
    ],
)
def test_one_sign_makes_it_wait(given: dict[str, Any], code: str, text: str):
    held = verdict(alert(**given), 600)
    assert (held.handling, held.reason.code, held.hold_until) == ("hold", code, HOUR_S)
    assert text in held.reason.text
    assert said(alert(**given), HOUR_S) == ("page", "still_firing")


@pytest.mark.parametrize(
    "given",
    [
        {"labels": {"env": "production", "namespace": "staging"}},
        {"labels": {"service": "staging"}},
        {"labels": {"namespace": "latest-orders"}},
        {"name": "ErrorBudgetBurn"},
        {"name": "ErrorBudgetBurn", "labels": {"window": "1h"}},
        {"name": "ErrorBudgetBurn", "labels": {"window": "soon"}},
        {"name": "SlowQueries", "labels": {"window": "3d"}},
        {"name": "AcknowledgedOrdersMissing"},
    ],
)
def test_what_is_no_sign(given: dict[str, Any]):
    assert said(alert(**given), 600) == ("page", "still_firing")


def test_two_signs_send_it_to_the_digest_until_it_goes_on_for_hours():
    both = alert(labels={**STAGING, **SLOW_BURN}, name="ErrorBudgetBurn")
    judged = verdict(both, 600)
    assert (judged.handling, judged.reason.code, judged.hold_until) == ("digest", "meta_noise", 4 * HOUR_S)
    assert judged.reason.text == (
        'label env says "staging"; it is about a budget that burns slowly, over 3d; pages if it still fires after 4h'
    )
    page = verdict(both, 4 * HOUR_S)
    assert (page.handling, page.reason.text) == ("page", "critical, on its own, and still firing after 4h")
    assert said(alert(labels={"env": "test", "cluster": "ci-3"}), 600) == ("digest", "meta_noise"), "two labels are two"
    assert said(both, 599) == ("hold", "waiting_for_company")
    assert said(both, 600, company=Company(count=4)) == ("digest", "meta_noise")


def test_places_are_the_teams_own_words():
    triage = Triage(quiet_places=("Playground",))
    assert said(alert(labels=STAGING), 600, triage=triage) == ("page", "still_firing")
    assert said(alert(labels={"stage": "playground"}), 600, triage=triage) == ("hold", "environment")


def test_a_value_that_does_not_support_the_severity():
    above, below = Custom(above=9, below=1), Custom(above=1, below=9)
    low = alert(value=0.4, threshold=0.9)
    held = verdict(low, 600, custom=above)
    assert (held.handling, held.reason.code, held.hold_until) == ("hold", "unsupported", HOUR_S)
    assert "its own value 0.4 does not exceed its threshold 0.9" in held.reason.text
    assert said(low, HOUR_S, custom=above) == ("page", "still_firing")
    assert said(low, 600, custom=below) == ("page", "still_firing"), "this rule fires when something falls short"
    assert said(low, 600, custom=Custom(above=2)) == ("page", "still_firing"), "nobody knows yet how it fires"
    assert said(low, 600, custom=Custom(above=5, below=5)) == ("page", "still_firing")
    high = alert(value=0.95, threshold=0.9)
    assert said(high, 600, custom=above) == ("page", "still_firing")
    assert "does not fall below its threshold 0.9" in verdict(high, 600, custom=below).reason.text


def test_pages_that_nobody_acts_on_count_where_people_act_on_pages():
    ignored = Triaged(unheeded=3)
    assert said(alert(), 600, ignored, everyone=Custom(heeded=5, ignored=9)) == ("hold", "unheeded")
    assert said(alert(), 600, ignored, everyone=Custom(heeded=4, ignored=4)) == ("page", "still_firing")
    assert said(alert(), 600, ignored, everyone=Custom(heeded=5, ignored=90)) == ("page", "still_firing")
    assert said(alert(), 600, Triaged(unheeded=2), everyone=Custom(heeded=50)) == ("page", "still_firing")
    assert page_over(page_over(CALM, acted=False), acted=False).unheeded == 2
    assert page_over(ignored, acted=True).unheeded == 0


def test_a_persons_word_is_enough_and_can_be_taken_back():
    dismissed = told(CALM, "not_actionable", 5.0)
    judged = verdict(alert(), 600, dismissed)
    assert (judged.handling, judged.reason.code, judged.hold_until) == ("digest", "not_actionable", 4 * HOUR_S)
    assert said(alert(), 4 * HOUR_S, dismissed) == ("page", "still_firing"), "what goes on for so long is news"
    usual_long = msgspec.structs.replace(dismissed, durations_s=(2 * HOUR_S,) * 5)
    assert verdict(alert(), 2 * HOUR_S, usual_long).hold_until == 8 * HOUR_S
    for verdict_ in ("right_cause", "missed"):
        assert told(usual_long, verdict_, 9.0) == CALM
    assert told(dismissed, "should_split", 9.0) is dismissed


# --- worse than usual -----------------------------------------------------------------------------------------------

NUISANCE = Triaged(
    began=tuple(1000.0 * n for n in range(10)), durations_s=(60.0, 120.0, 90.0, 700.0, 60.0), paged_at=5000.0,
    worst="high",
)  # fmt: skip


def test_a_nuisance_pages_when_it_is_not_as_usual():
    known = alert("high", 9000)
    judged = verdict(known, 9100, NUISANCE)
    assert (judged.handling, judged.reason.code, judged.hold_until) == ("hold", "self_healing", 9600)
    judged = verdict(known, 9600, NUISANCE)
    assert (judged.handling, judged.reason.code, judged.hold_until) == ("digest", "chronic", 9700)
    longer = verdict(known, 9700, NUISANCE)
    assert (longer.handling, longer.reason.code) == ("page", "worse_than_usual")
    assert longer.reason.text == "fires for longer than ever in its last 5 firings, though it paged within the last day"
    assert said(alert("critical", 9000), 9600, NUISANCE) == ("page", "worse_than_usual")
    assert said(known, 9600, NUISANCE, company=Company(count=2)) == ("page", "worse_than_usual")
    assert said(known, 9600, NUISANCE, company=Company(count=1)) == ("digest", "chronic")
    assert said(known, 9600, NUISANCE, company=Company(count=9, incident="INC-1")) == ("digest", "chronic")
    assert said(alert("warning", 9000), 9700, NUISANCE) == ("digest", "chronic")


# --- in the whole core ----------------------------------------------------------------------------------------------


def short_ones(service: str, times: int, every: float = 2000.0, lasts: float = 200.0) -> list[Any]:
    """Firings of one alert that nothing joins, each over by itself."""
    pairs = [(fires(service, every * n), ends(service, every * n + lasts)) for n in range(times)]
    return [record for pair in pairs for record in pair]


@pytest.mark.parametrize("restarts", [False, True])
def test_a_rule_learned_at_one_place_counts_at_another(restarts: bool):
    scene = Scene()
    scene.tell(*short_ones("cache", 3))
    if restarts:
        scene.restart()
    scene.tell(fires("ledger", 9000.0))
    scene.wait(9700.0)
    assert (scene.alert("ledger").handling, scene.alert("ledger").reason.code) == ("hold", "self_healing")
    if restarts:
        scene.restart()
    scene.wait(9799.0)
    assert not scene.pages
    scene.wait(9800.0)
    (page,) = scene.pages
    assert page.reason == "critical, on its own, and still firing after 13m20s"


def test_a_learned_hold_ends_when_company_comes():
    scene = Scene()
    scene.tell(*short_ones("cache", 3))
    scene.tell(fires("ledger", 9000.0))
    scene.wait(9605.0)
    assert scene.alert("ledger").reason.code == "self_healing"
    scene.tell(fires("payments", 9500.0, "Saturated", "warning"), at=9620.0)
    scene.wait(9640.0)
    assert scene.pages, "it is no longer alone"


def test_the_same_again_in_an_incident_that_somebody_has_taken_does_not_page():
    scene = Scene()
    scene.tell(*outage())
    scene.wait(300.0)
    taken = scene.incident.id
    scene.tell(says("ack", taken, 310.0), at=310.0)
    scene.tell(fires("checkout", 9000.0, labels={"pod": "checkout-7"}))
    scene.restart()
    scene.wait(10_000.0)
    again = scene.alert("checkout", pod="checkout-7")
    assert (again.handling, again.reason.code) == ("hold", "owned")
    whose = f"ana has incident {taken} in hand, in which the same fires at the same place"
    assert again.reason.text == f"{whose}; pages if it still fires after 4h"
    assert len(scene.pages) == 1
    scene.tell(says("resolve", taken, 10_010.0), at=10_010.0)
    assert len(scene.pages) == 2, "nobody has it in hand any more, and it still fires"


def test_what_fires_anew_while_somebody_has_its_incident_in_hand_does_not_page():
    scene = Scene()
    scene.tell(*outage())
    scene.wait(300.0)
    scene.tell(says("ack", scene.incident.id, 310.0), ends("payments", 400.0), at=400.0)
    scene.wait(2000.0)
    scene.tell(fires("payments", 9000.0))
    scene.restart()
    scene.wait(10_000.0)
    assert scene.alert("payments").episode == 2
    assert (scene.alert("payments").handling, scene.alert("payments").reason.code) == ("hold", "owned")
    scene.tell(*(ends(service, 10_010.0) for service in ("ledger", "checkout", "frontend")), at=10_010.0)
    assert len(scene.pages) == 1
    scene.wait(10_200.0)
    assert len(scene.pages) == 2, "the incident is over, and this still fires"
    assert not scene.engine.state.taken


def test_a_lone_alert_beside_a_paged_incident_waits_for_half_an_hour():
    scene = Scene()
    scene.tell(*outage(), fires("cache", 300.0, "Odd"))
    scene.wait(940.0)
    odd = scene.alert("cache", "Odd")
    assert (odd.handling, odd.reason.code) == ("hold", "near_incident")
    assert f"incident {scene.incident.id} has paged; pages if it still fires after 30m" in odd.reason.text
    assert len(scene.pages) == 1
    scene.wait(2100.0)
    assert len(scene.pages) == 2


def test_without_a_name_nothing_is_learned():
    scene = Scene()
    for n in range(4):
        scene.tell(fires("cache", 2000.0 * n, ""), ends("cache", 2000.0 * n + 60.0, ""))
    assert list(scene.engine.state.customs) == [""]
    assert len(scene.engine.state.customs[""].alone_s) == 4


def test_a_mention_lies_always_ahead():
    """Of 89,344.76102953372 the days since are counted a little too low."""
    known = alert("warning", start=89_344.76102953372)
    judged = verdict(known, known.starts_at + 2 * DAY_S)
    assert judged.hold_until is not None
    assert judged.hold_until > known.starts_at + 2 * DAY_S


def test_other_trouble_at_the_same_place_pages_though_somebody_is_there():
    scene = Scene()
    scene.tell(*outage())
    scene.wait(300.0)
    scene.tell(says("ack", scene.incident.id, 310.0), at=310.0)
    scene.tell(fires("checkout", 9000.0, "DiskFull"), fires("catalog", 9000.0))
    scene.wait(10_900.0)
    assert len(scene.pages) == 3


def test_a_page_that_nobody_acknowledges_is_told_again():
    scene = Scene()
    scene.tell(*outage())
    scene.wait(300.0)
    scene.restart()
    (page,) = scene.pages
    scene.wait(3600.0)
    (again,) = scene.reminders
    assert (again.incident, again.alert) == (page.incident, page.alert)
    assert again.reason == "nobody has acknowledged it for 30m"
    assert again.at == page.at + 1800
    assert len(scene.calls) == 2
    assert scene.calls[0].key != scene.calls[1].key
    assert "told again: nobody has acknowledged it since" in scene.calls[1].params["text"]


def repeated(scene: Scene, until: float, *, restarts: bool = False) -> list[float]:
    """Hours from the page to each reminder, of an outage that is told of every hour until then."""
    scene.tell(*outage())
    at = 300.0
    while at < until:
        scene.wait(at)
        if restarts:
            scene.restart()
        scene.tell(*(fires(name, 12.0 * n, seen=T0 + at) for n, name in enumerate(("ledger", "payments", "checkout"))))
        at += HOUR_S
    scene.wait(until)
    assert len(scene.pages) == 1
    return [(again.at - scene.pages[0].at) / HOUR_S for again in scene.reminders]


@pytest.mark.parametrize("restarts", [False, True])
def test_reminders_become_rarer_and_end_within_a_day(restarts: bool):
    told = repeated(Scene(), 4 * DAY_S, restarts=restarts)
    assert told == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5]


def test_reminders_end_when_somebody_takes_it():
    scene = Scene()
    assert repeated(scene, 4 * HOUR_S) == [0.5, 1.5, 3.5]
    scene.tell(says("ack", scene.incident.id, 4 * HOUR_S))
    scene.wait(DAY_S)
    assert len(scene.reminders) == 3


def test_how_often_and_how_soon_can_be_said():
    triage = Triage(remind_after_s=6 * HOUR_S, remind_times=3)
    assert repeated(Scene(rulebook(triage=triage)), 3 * DAY_S) == [6.0, 12.0, 18.0]
    assert repeated(Scene(rulebook(triage=Triage(remind_times=0))), DAY_S) == []
    quick = Triage(remind_after_s=300.0, remind_times=4)
    assert repeated(Scene(rulebook(triage=quick)), DAY_S) == [5 / 60, 15 / 60, 35 / 60, 75 / 60]


def test_a_reminder_that_came_late_is_followed_by_the_next_at_its_distance():
    scene = Scene()
    scene.tell(*outage())
    scene.wait(300.0)
    scene.tell(silence("s", 310.0, 5 * HOUR_S), at=310.0)
    scene.wait(11 * HOUR_S)
    first, second, third = [(again.at - T0) / HOUR_S for again in scene.reminders]
    assert (first, second - first, third - second) == (5.0, 1.0, 2.0)


@pytest.mark.parametrize("why", ["acknowledged", "over", "switched off"])
def test_no_reminder(why: str):
    triage = Triage(remind_after_s=0.0 if why == "switched off" else 1800.0)
    scene = Scene(rulebook(triage=triage))
    scene.tell(*outage())
    scene.wait(300.0)
    if why == "acknowledged":
        scene.tell(says("ack", scene.incident.id, 310.0), at=310.0)
    if why == "over":
        scene.tell(*(ends(service, 400.0) for service in ("ledger", "payments", "checkout", "frontend")), at=400.0)
    scene.wait(36_000.0)
    assert len(scene.pages) == 1
    assert not scene.reminders


@pytest.mark.parametrize("heard", [True, False])
def test_what_fires_for_hours_after_its_page_goes_to_the_digest_and_is_mentioned_daily(heard: bool):
    """Also when nothing is heard of it, so that its incident ends after a day."""
    scene = Scene()
    scene.tell(fires("ledger", 0.0))
    scene.wait(HOUR_S)
    assert scene.alert("ledger").handling == "page"
    scene.restart()
    scene.wait(7 * HOUR_S)
    assert (scene.alert("ledger").handling, scene.alert("ledger").reason.code) == ("digest", "slow_burn")
    told_before = len(scene.decisions)
    for day in range(1, 4):
        if heard:
            scene.tell(fires("ledger", 0.0, seen=T0 + day * DAY_S - 10.0, annotations={"n": str(day)}))
        scene.wait(day * DAY_S + 10.0)
    mentions = [
        one.alert.reason.text
        for one in scene.decisions[told_before:]
        if isinstance(one, AlertChanged) and one.alert.reason.code == "slow_burn" and not one.repeat
    ]
    assert {text.split(" and ")[0] for text in mentions} >= {f"has been firing for {day}d" for day in (1, 2, 3)}
    assert len(scene.pages) == 1
    assert len(scene.reminders) <= 8


def test_what_somebody_has_taken_is_no_slow_burn():
    scene = Scene()
    scene.tell(fires("ledger", 0.0))
    scene.wait(700.0)
    scene.tell(says("ack", scene.incident.id, 710.0), at=710.0)
    scene.wait(8 * HOUR_S)
    assert scene.alert("ledger").handling == "page"


def test_feedback_counts_from_now_on():
    scene = Scene()
    scene.tell(fires("ledger", 0.0))
    scene.wait(700.0)
    name = scene.incident.id
    scene.tell(ends("ledger", 800.0))
    scene.wait(1000.0)
    scene.tell(FeedbackRecord(at=0.0, verdict="not_actionable", incident=name, by="ana"), at=1100.0)
    scene.tell(fires("ledger", 9000.0))
    scene.wait(9700.0)
    assert (scene.alert("ledger").handling, scene.alert("ledger").reason.code) == ("digest", "not_actionable")
    why = scene.engine.why_not(scene.alert("ledger").fingerprint)
    assert why is not None
    assert "a person said of it that there is nothing to do" in why
    mark = scene.alert("ledger").fingerprint
    scene.tell(FeedbackRecord(at=0.0, verdict="missed", alert=mark, by="bo"), at=9710.0)
    assert len(scene.pages) == 2, "a person wanted it, so it pages at once"


# --- properties -----------------------------------------------------------------------------------------------------

LABELS = st.dictionaries(
    st.sampled_from(["env", "namespace", "cluster", "window", "long"]),
    st.sampled_from(["staging", "ci-1", "prod", "3d", "5m", ""]),
)
DURATIONS = st.lists(st.sampled_from([3.7, 60.0, 599.9, 2400.0, 4000.0, NEVER_S]), max_size=12).map(tuple)
CUSTOMS = st.builds(
    Custom, alone_s=DURATIONS, above=st.integers(0, 9), below=st.integers(0, 9), heeded=st.integers(0, 9)
)
SHORT = st.lists(st.sampled_from([3.7, 60.0, 599.9, 2400.0, 9000.0]), max_size=9).map(tuple)
COMPANIES = st.sampled_from([Company(), Company(count=1), Company(count=3, incident="INC-1")])


@settings(max_examples=500, deadline=None)
@given(
    name=st.sampled_from(["SlowQueries", "ErrorBudgetBurn", "PageUnacknowledged"]),
    labels=LABELS,
    behaviour=st.builds(
        Triaged,
        durations_s=SHORT,
        unheeded=st.integers(0, 5),
        dismissed_at=st.none() | st.just(1.0),
        worst=st.sampled_from(["", "high", "critical"]),
        began=st.just(tuple(100.0 * n for n in range(12))) | st.just(()),
        returns=st.just((1.0, 2.0, 3.0, 4.0, 5.0)) | st.just(()),
    ),
    custom=CUSTOMS,
    everyone=CUSTOMS,
    company=COMPANIES,
    value=st.sampled_from([None, 1.0, 3.0]),
    triage=st.sampled_from([TRIAGE, Triage(lone_page_after_s=0.0), Triage(lone_page_most_s=7200.0)]),
)
def test_a_severe_alert_that_goes_on_pages_whatever_speaks_against_it(
    name: str, labels: dict[str, str], behaviour: Triaged, custom: Custom, everyone: Custom,
    company: Company, value: float | None, triage: Triage,
):  # fmt: skip
    """Within an hour, or hours if two signs or a person speak against it; every verdict on the way has its reason."""
    known = alert(name=name, labels=labels, start=2000.0, value=value, threshold=2.0)
    now, steps = known.starts_at, 0
    latest = known.starts_at + 4 * max(triage.lone_page_most_s, *behaviour.durations_s, 0.0)
    while True:
        judged = verdict(known, now, behaviour, triage, custom=custom, everyone=everyone, company=company)
        assert judged.reason.code
        assert len(judged.reason.text) > 10
        if judged.handling == "page":
            break
        assert judged.hold_until is not None, "what does not page says when it is judged again"
        assert judged.hold_until > now
        now, steps = judged.hold_until, steps + 1
        assert steps < 20
    assert now <= latest


@settings(max_examples=200, deadline=None)
@given(labels=LABELS, behaviour=st.builds(Triaged, durations_s=SHORT, dismissed_at=st.none() | st.just(1.0)),
       custom=CUSTOMS, company=COMPANIES, severity=st.sampled_from(["critical", "info", ""]))  # fmt: skip
def test_what_the_team_says_must_page_pages_at_once(
    labels: dict[str, str], behaviour: Triaged, custom: Custom, company: Company, severity: str
):
    rules = (TriageRule(name="money", matchers=parse_matchers("alertname=SlowQueries"), verdict="page"),)
    known = alert(severity, labels=labels)
    judged = verdict(known, 0.0, behaviour, Triage(rules=rules), custom=custom, company=company, owner="ana has it")
    assert (judged.handling, judged.reason.code) == ("page", "rule")


SERVICES = ("ledger", "cache", "disk", "catalog")


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    story=st.lists(
        st.tuples(st.sampled_from(SERVICES), st.integers(0, 60), st.sampled_from([100.0, 500.0, 2500.0]),
                  st.sampled_from(["critical", "warning"]), st.booleans()),
        min_size=4, max_size=14,
    ),
    restart_every=st.integers(1, 5),
)  # fmt: skip
def test_what_is_learned_survives_restarts_and_every_alert_has_its_reason(
    story: list[tuple[str, int, float, str, bool]], restart_every: int
):
    records = []
    for service, step, lasts, severity, over in story:
        begin = 900.0 * step
        records.append((begin, fires(service, begin, "SlowQueries", severity)))
        if over:
            records.append((begin + lasts, ends(service, begin + lasts, "SlowQueries", severity)))
    whole, parted = Scene(), Scene()
    for number, (at, record) in enumerate(sorted(records, key=lambda pair: pair[0])):
        whole.tell(record, at=at)
        parted.tell(record, at=at)
        if number % restart_every == 0:
            parted.restart()
    whole.wait(70_000.0)
    parted.wait(70_000.0)
    assert whole.engine.snapshot() == parted.engine.snapshot()
    assert whole.decisions == parted.decisions
    for known in whole.engine.state.alerts.values():
        assert known.reason.code not in {"", "new"}
        if known.firing and known.severity == "critical":
            assert known.handling in {"page", "digest"} or known.incident, "by now it has paged"
            assert whole.pages
