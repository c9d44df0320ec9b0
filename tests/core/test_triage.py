"""Who pages, who waits, who goes to the digest, and in which words."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quell.core.customs import NO_CUSTOM, observe
from quell.core.fold import fold
from quell.core.patience import Around
from quell.core.triage import judge
from quell.core.verdicts import DAY_S, Judgement
from quell.expressions.matchers import parse_matchers
from quell.model.alert import Alert, Muting, Reason
from quell.model.records import AlertRecord
from quell.model.rulebook import Triage, TriageRule
from quell.model.state import Custom, Triaged

TRIAGE = Triage()
CALM = Triaged()


def alert(severity: str = "critical", start: float = 0.0, **more: Any) -> Alert:
    labels = {"alertname": "A", "severity": severity} if severity else {"alertname": "A"}
    fields: dict[str, Any] = {
        "fingerprint": "f",
        "source": "test",
        "labels": labels,
        "severity": severity,
        "status": "firing",
        "starts_at": start,
        "updated_at": start,
        "onset_seen": start,
    }
    return Alert(**fields | more)


def verdict(
    known: Alert,
    now: float,
    behaviour: Triaged = CALM,
    triage: Triage = TRIAGE,
    **around: Any,
) -> Judgement:
    return judge(known, now, behaviour=behaviour, triage=triage, around=Around(**around))


def said(known: Alert, now: float, behaviour: Triaged = CALM, triage: Triage = TRIAGE, **more: Any) -> tuple[str, str]:
    judged = verdict(known, now, behaviour, triage, **more)
    return judged.handling, judged.reason.code


def ruled(verdict: str, **more: Any) -> Triage:
    return Triage(
        rules=(
            TriageRule(name="other", matchers=parse_matchers("alertname=B"), verdict="digest"),
            TriageRule(name="ours", matchers=parse_matchers("alertname=A"), verdict=verdict, **more),
        )
    )


def test_a_lone_severe_alert_waits_for_company_then_pages():
    waiting = verdict(alert(), 10)
    assert waiting == Judgement(
        "hold",
        Reason(code="waiting_for_company", text="critical, but alone so far; pages if it still fires after 10m"),
        600,
    )
    assert verdict(alert(), 599.9) == waiting
    page = Reason(code="still_firing", text="critical, on its own, and still firing after 10m")
    assert verdict(alert(), 600) == Judgement("page", page, None)


def test_an_old_alert_just_seen_gives_its_company_a_minute():
    known = alert(start=0, onset_seen=5000)
    assert verdict(known, 5000).hold_until == 5060
    assert said(known, 5060) == ("page", "still_firing")
    assert said(known, 5000, triage=Triage(lone_page_after_s=0)) == ("page", "still_firing")


def test_severities_are_compared_without_case():
    triage = Triage(page_severities=("P0",), digest_severities=("Blah",))
    assert said(alert("p0"), 600, triage=triage) == ("page", "still_firing")
    assert said(alert("blah"), 600, triage=triage) == ("digest", "low_severity")
    assert said(alert("critical"), 600, triage=triage) == ("digest", "not_severe")


@pytest.mark.parametrize(
    ("severity", "code", "text"),
    [
        ("info", "low_severity", 'severity "info" never pages'),
        ("warning", "not_severe", 'severity "warning" does not page on its own'),
        ("", "not_severe", "an alert without a severity does not page on its own"),
    ],
)
def test_other_severities_go_to_the_digest(severity, code, text):
    assert verdict(alert(severity), 10) == Judgement("digest", Reason(code=code, text=text), DAY_S)


@pytest.mark.parametrize(
    ("muting", "text"),
    [
        (Muting(kind="silence", by="s1", reason="ann: deploying"), "muted by silence s1 (ann: deploying)"),
        (Muting(kind="window", by="move", reason="racks"), 'muted by maintenance window "move" (racks)'),
        (Muting(kind="window", by="move"), 'muted by maintenance window "move"'),
        (Muting(kind="rule", by="dev", reason="nobody cares"), 'muted by rule "dev" (nobody cares)'),
        (
            Muting(kind="inhibition", by="f0", reason='while NodeDown fires (rule "r")'),
            'muted while NodeDown fires (rule "r")',
        ),
    ],
)
def test_the_muting_is_the_reason(muting, text):
    muted = verdict(alert(mutings=(muting,)), 9999, in_incident=True, owner="x", triage=ruled("page"))
    assert muted == Judgement("muted", Reason(code=muting.kind, text=text), None)


def test_more_mutings_are_counted():
    two = alert(mutings=(Muting(kind="silence", by="a", reason="x"), Muting(kind="rule", by="b")))
    assert verdict(two, 0).reason.text == "muted by silence a (x), and 1 more"


def test_a_teams_rule_comes_before_behaviour():
    page = verdict(alert("info"), 0, triage=ruled("page", reason="pays our wages"), in_incident=True, owner="x")
    assert page == Judgement("page", Reason(code="rule", text='rule "ours" says page: pays our wages'), None)
    digest = verdict(alert(), 9999, triage=ruled("digest"))
    assert digest == Judgement("digest", Reason(code="rule", text='rule "ours" says digest'), None)


def test_a_rules_hold_runs_out():
    triage = ruled("hold", hold_s=1800, reason="restarts take long")
    held = verdict(alert(), 1799, triage=triage)
    text = 'rule "ours" holds it for 30m: restarts take long'
    assert held == Judgement("hold", Reason(code="rule", text=text), 1800)
    assert said(alert(), 1800, triage=triage) == ("page", "still_firing")


def test_somebody_elses_incident():
    text = 'already being handled in "Payment provider down", an incident opened elsewhere'
    owned = verdict(alert(), 9999, owner=text, in_incident=True)
    assert owned == Judgement("hold", Reason(code="owned", text=text), None)


def test_alerts_of_an_incident_wait_for_it():
    assert said(alert("info"), 9999, in_incident=True) == ("hold", "in_incident")


def test_flapping_without_severity_goes_to_the_digest():
    behaviour = Triaged(returns=(1, 1000, 2000, 3000))
    flapping = verdict(alert("warning", 3000), 3100, behaviour)
    text = "came back 4 times in the last hour"
    assert flapping == Judgement("digest", Reason(code="flapping", text=text), 3601)
    assert said(alert("warning", 3000), 3601, behaviour) == ("digest", "not_severe")


def test_words_for_other_settings_of_flapping():
    triage = Triage(flap_count=1, flap_within_s=1800)
    assert verdict(alert("warning"), 60, Triaged(returns=(50,)), triage).reason.text == "came back once in the last 30m"


def test_a_severe_flapper_pages_once_then_goes_to_the_digest():
    behaviour = Triaged(returns=(100, 200, 300, 400))
    known = alert(start=400)
    held = verdict(known, 410, behaviour)
    assert (held.handling, held.reason.code, held.hold_until) == ("hold", "flapping", 700)
    page = verdict(known, 700, behaviour)
    text = "came back 4 times in the last hour; it pages once, then goes to the digest"
    assert page == Judgement("page", Reason(code="flapping", text=text), 3700)
    behaviour = observe(behaviour, "paged", known, 700)
    paged = msgspec.structs.replace(known, handling=page.handling, reason=page.reason)
    assert verdict(paged, 800, behaviour) == Judgement("page", page.reason, 700 + 6 * 3600), "this firing did page"
    back = verdict(alert(start=900), 1600, observe(behaviour, "flapped", alert(start=900), 910))
    text = "came back 5 times in the last hour; it has paged within the last day"
    assert back == Judgement("digest", Reason(code="flapping", text=text), 200 + 3600)


def test_a_flapper_pages_again_after_a_day():
    behaviour = Triaged(returns=tuple(DAY_S + at for at in (100, 200, 300, 400)), paged_at=1000.0)
    known = alert(start=DAY_S + 400)
    assert verdict(known, DAY_S + 500, behaviour).hold_until == DAY_S + 1000
    assert said(known, DAY_S + 1000, behaviour) == ("page", "flapping")


def test_what_heals_itself_gets_three_times_as_long_as_usual():
    behaviour = Triaged(durations_s=(200, 300, 300, 400, 5000))
    known = alert()
    held = verdict(known, 700, behaviour)
    text = "went away by itself within 10m in 4 of its last 5 firings, usually after 5m; it may do so again"
    assert held == Judgement("hold", Reason(code="self_healing", text=text), 900)
    assert said(known, 900, behaviour) == ("page", "still_firing")
    assert said(alert("warning"), 900, behaviour) == ("digest", "not_severe")
    assert said(known, 700, Triaged(durations_s=(200, 300, 300, 400))) == ("page", "still_firing"), "too few"
    assert said(known, 700, Triaged(durations_s=(200, 300, 300, 4000, 4000))) == ("page", "still_firing")
    quick = Triaged(durations_s=(5, 5, 5, 5, 5))
    assert verdict(known, 30, quick).hold_until == 600, "never sooner than anybody else"


def test_chronic_by_number():
    began = tuple(3000.0 * number for number in range(10))
    behaviour = Triaged(began=began)
    chronic = verdict(alert("warning", 27_000), 27_100, behaviour)
    assert chronic == Judgement("digest", Reason(code="chronic", text="fired 10 times within the last day"), DAY_S)
    severe = alert(start=27_000)
    assert said(severe, 27_059, behaviour) == ("hold", "chronic"), "company may be on its way"
    assert said(severe, 27_060, behaviour) == ("page", "chronic"), "must page once"
    brief = msgspec.structs.replace(behaviour, durations_s=(40.0,) * 9)
    assert verdict(severe, 27_000, brief).hold_until == 27_020, "before it is over"
    staging = alert(start=27_000, labels={"alertname": "A", "severity": "critical", "env": "staging"})
    assert said(staging, 27_600, brief) == ("hold", "environment"), "one sign asks for twice as many"
    often = msgspec.structs.replace(brief, began=tuple(1400.0 * number for number in range(20)))
    assert said(staging, 27_600, often) == ("page", "chronic")
    useless = msgspec.structs.replace(often, dismissed_at=5.0)
    assert said(staging, 27_600, useless)[0] == "digest"
    paged = msgspec.structs.replace(behaviour, paged_at=20_000.0)
    text = "fired 10 times within the last day; it has paged within the last day"
    assert verdict(severe, 28_000, paged) == Judgement("digest", Reason(code="chronic", text=text), DAY_S)
    assert said(severe, DAY_S, paged) == ("page", "still_firing")


def test_chronic_by_duration():
    chronic = verdict(alert("warning"), DAY_S)
    text = "has been firing for 1d; mentioned once a day"
    assert chronic == Judgement("digest", Reason(code="slow_burn", text=text), 2 * DAY_S)
    assert verdict(alert("warning"), 2 * DAY_S).reason.text.startswith("has been firing for 2d"), "a mention a day"
    paged = verdict(alert(), DAY_S, Triaged(paged_at=600.0))
    text = "has been firing for 1d and nobody has acted since it paged; mentioned once a day"
    assert paged == Judgement("digest", Reason(code="slow_burn", text=text), 2 * DAY_S)
    assert said(alert(), 600 + 6 * 3600, Triaged(paged_at=600.0)) == ("digest", "slow_burn")
    assert said(alert(), 2 * DAY_S) == ("page", "still_firing"), "never paged, so it must"


def test_a_page_stands_while_the_alert_fires():
    text = "paged already and is still firing"
    behaviour = Triaged(paged_at=600.0)
    assert verdict(alert(), 700, behaviour) == Judgement("page", Reason(code="still_firing", text=text), 600 + 6 * 3600)
    reason = Reason(code="rule", text="x")
    assert verdict(alert("info", handling="page", reason=reason), 700, behaviour).reason == reason


def test_what_is_over_keeps_its_verdict():
    reason = Reason(code="still_firing", text="x")
    gone = alert(status="resolved", ends_at=250.0, handling="page", reason=reason)
    assert verdict(gone, 300) == Judgement("page", reason)
    waiting = msgspec.structs.replace(gone, handling="hold")
    text = "ended after 4m10s, before it was due to page"
    assert verdict(waiting, 300) == Judgement("digest", Reason(code="over", text=text))
    endless = msgspec.structs.replace(waiting, ends_at=None)
    assert verdict(endless, 300).reason.text == "ended, before it was due to page"
    assert said(waiting, 300, in_incident=True) == ("hold", "in_incident")


def test_what_is_observed():
    seen = observe(CALM, "new", alert(start=5), 6)
    assert seen == Triaged(episodes=1, began=(5,))
    seen = observe(seen, "flapped", alert(start=50), 51)
    assert seen == Triaged(episodes=1, began=(5, 50), returns=(50,))
    seen = observe(seen, "returned", alert(start=5000), 5001)
    assert seen == Triaged(episodes=2, began=(5, 50, 5000), returns=(50,))
    seen = observe(seen, "resolved", alert(start=5000, status="resolved", ends_at=5100.0), 5200)
    assert seen.durations_s == (100,)
    assert observe(seen, "paged", alert(), 7).paged_at == 7
    for what in ("repeat", "updated", "stale", "ignored"):
        assert observe(seen, what, alert(), 9) is seen


def test_the_end_of_an_alert_that_paged_unheard_counts_as_its_page():
    gone = alert(start=100, status="resolved", handling="page")
    assert observe(CALM, "resolved", gone, 900) == Triaged(durations_s=(800,), paged_at=900, worst="critical")
    assert observe(Triaged(paged_at=50.0), "resolved", gone, 900).paged_at == 900
    assert observe(Triaged(paged_at=500.0), "resolved", gone, 900).paged_at == 500


def test_what_is_remembered_is_bounded():
    seen = CALM
    for number in range(200):
        seen = observe(seen, "flapped", alert(start=number), number)
        seen = observe(seen, "resolved", alert(start=number, status="resolved", ends_at=number + 1.0), number + 1)
    assert len(seen.returns) == len(seen.began) == 64
    assert len(seen.durations_s) == 20
    assert seen.returns[-1] == 199


# --- properties -----------------------------------------------------------------------------------------------------

TIMES = st.floats(0, 3 * DAY_S, allow_subnormal=False)
BEHAVIOURS = st.builds(
    lambda returns, began, durations, paged_at, worst, dismissed_at: Triaged(
        returns=tuple(sorted(returns)),
        began=tuple(sorted(began)),
        durations_s=tuple(durations),
        paged_at=paged_at,
        worst=worst,
        dismissed_at=dismissed_at,
    ),
    st.lists(TIMES, max_size=12),
    st.lists(TIMES, max_size=14),
    st.lists(st.sampled_from([3.7, 60.0, 300.1, 599.9, 4000.0]), max_size=8),
    st.none() | TIMES,
    st.sampled_from(["", "warning", "critical"]),
    st.none() | st.none() | TIMES,
)
CUSTOMS = st.sampled_from([NO_CUSTOM, Custom(alone_s=(700.0, 900.0, 1500.5, 2000.0), alone=4)])


@settings(max_examples=500, deadline=None)
@given(
    severity=st.sampled_from(["critical", "warning", "info", ""]),
    start=TIMES,
    behaviour=BEHAVIOURS,
    custom=CUSTOMS,
    after=st.floats(0, 2 * DAY_S),
    share=st.floats(0, 1, exclude_max=True),
    triage=st.sampled_from([TRIAGE, ruled("hold", hold_s=700.3), Triage(lone_page_after_s=0, flap_count=0)]),
)
def test_time_alone_changes_no_verdict_before_it_was_announced(
    severity, start, behaviour, custom, after, share, triage
):
    known, now = alert(severity, start), start + after
    judged = verdict(known, now, behaviour, triage, custom=custom)
    if judged.hold_until is None:
        then = now + share * 10 * DAY_S
    else:
        assert judged.hold_until > now
        then = min(now + share * (judged.hold_until - now), judged.hold_until - 1e-3)
    if then > now:
        again = verdict(known, then, behaviour, triage, custom=custom)
        assert again.handling == judged.handling
        assert again.reason.code == judged.reason.code


@settings(max_examples=300, deadline=None)
@given(
    pauses=st.lists(
        st.tuples(
            st.sampled_from([20.0, 90.0, 700.0, 5000.0]), st.sampled_from([30.0, 400.0, 800.0, 3000.0, 50_000.0])
        ),
        max_size=25,
    ),
    triage=st.sampled_from([TRIAGE, ruled("hold", hold_s=3600), Triage(lone_page_after_s=60, flap_count=2)]),
    heard=st.booleans(),
)
def test_a_severe_alert_that_keeps_firing_pages_at_last(pauses, triage, heard):
    """Whatever it did before: flapped, healed, fired all day. ``heard``: pages are told to `observe`."""
    behaviour, known, now, paged = CALM, None, 0.0, []

    def judged(known: Alert, now: float, behaviour: Triaged) -> tuple[Alert, float | None, Triaged]:
        found = verdict(known, now, behaviour, triage)
        if found.handling == "page" and known.firing:
            paged.append(now)
            behaviour = observe(behaviour, "paged", known, now) if heard else behaviour
        return (
            msgspec.structs.replace(known, handling=found.handling, reason=found.reason),
            found.hold_until,
            behaviour,
        )

    def told(status: str, start: float, until: float) -> None:
        nonlocal known, behaviour, now
        end = now if status == "resolved" else None
        record = AlertRecord(
            status=status, at=now, starts_at=start, ends_at=end, labels={"alertname": "A", "severity": "critical"}
        )
        folded = fold(known, record, now, flap_gap_s=triage.flap_gap_s, fingerprint="f")
        assert folded.alert is not None
        behaviour = observe(behaviour, folded.what, folded.alert, now)
        known, due, behaviour = judged(folded.alert, now, behaviour)
        while due is not None and due <= until:
            now = due
            known, due, behaviour = judged(known, now, behaviour)

    for lasts, pause in pauses:
        start = now
        told("firing", start, start + lasts)
        now = start + lasts
        told("resolved", start, now + pause)
        now = start + lasts + pause
    last = now
    told("firing", last, last + 1.2 * DAY_S)
    assert any(last <= at <= last + 1.2 * DAY_S for at in paged)


@settings(max_examples=300, deadline=None)
@given(
    severity=st.sampled_from(["critical", "warning", "info", ""]),
    behaviour=BEHAVIOURS,
    after=st.floats(0, 2 * DAY_S),
    flags=st.tuples(st.booleans(), st.booleans(), st.booleans()),
)
def test_every_verdict_has_a_code_and_a_sentence(severity, behaviour, after, flags):
    firing, in_incident, foreign = flags
    known = alert(severity, status="firing" if firing else "resolved")
    judged = verdict(known, after, behaviour, in_incident=in_incident, owner="ana has it in hand" if foreign else None)
    assert re.fullmatch(r"[a-z_]+", judged.reason.code)
    assert len(judged.reason.text) > 10
    assert not judged.reason.text.endswith(".")
