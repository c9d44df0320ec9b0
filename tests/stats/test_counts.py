"""Whatever happened, the figures add up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from core.scene import T0, Scene, ends, fires, rulebook
from quell.model.alert import Alert, Reason
from quell.model.decision import Audit
from quell.model.incident import Incident, Suspect, TimelineEntry
from quell.model.rulebook import Route
from quell.stats.counting import FOLDED, MOST_RULES, OTHERS, Counting
from quell.stats.figures import Figures
from quell.stats.spans import MOST_KEPT, Spans, share
from quell.stats.text import plain, title
from stats.telling import counted

END = 1000.0
NAMES = ("INC-1", "INC-2", "INC-3")
MARKS = ("a", "b", "c", "d")
moments = st.floats(0.0, END - 1.0)
people = st.sampled_from(("quell", "ana"))
deeds = st.sampled_from(
    ("opened", "paged", "early sign", "reminded", "acknowledged", "snoozed", "resolved", "split", "reopened")
)


@st.composite
def an_alert(draw: Any) -> Alert:
    at = draw(moments)
    paged = draw(st.booleans())
    before = draw(st.integers(0, 5))
    return Alert(
        fingerprint=draw(st.sampled_from(MARKS)), source="s", labels={"alertname": draw(st.sampled_from("XYZ"))},
        status=draw(st.sampled_from(("firing", "resolved"))), starts_at=draw(moments), updated_at=at, onset_seen=at,
        count=before + draw(st.integers(1, 9)), before=before, incident=draw(st.sampled_from((None, *NAMES))),
        handling="page" if paged else draw(st.sampled_from(("hold", "digest", "muted"))),
        reason=Reason(code="paged" if paged else draw(st.sampled_from((FOLDED, "flapping", "rule"))), text="because"),
        paged_at=at + 10.0 if paged else None,
        held_for=draw(st.sampled_from(("", "flapping", FOLDED))) if paged else "",
    )  # fmt: skip


@st.composite
def an_incident(draw: Any, name: str) -> Incident:
    at = draw(moments)
    status = draw(st.sampled_from(("open", "acknowledged", "resolved", "merged", "withdrawn")))
    timeline = tuple(
        TimelineEntry(at=at + number, what=draw(deeds), text="t", by=draw(people))
        for number in range(draw(st.integers(0, 5)))
    )
    return Incident(
        id=name, title="t", status=status, opened_at=at, updated_at=at, timeline=timeline,
        alerts=MARKS[: draw(st.integers(1, 3))], suspects=(Suspect(entity="e", onset=draw(moments)),),
        resolved_at=at + draw(st.floats(0.0, 500.0)) if status in {"resolved", "merged"} else None,
    )  # fmt: skip


def an_audit() -> st.SearchStrategy[Audit]:
    verdicts = ("right_cause", "wrong_cause", "should_split", "should_merge", "missed", "not_actionable")
    return st.builds(
        Audit, at=moments, who=st.just("ana"), what=st.sampled_from([f"feedback:{one}" for one in verdicts] + ["ack"]),
        target=st.sampled_from((*NAMES, *MARKS)),
    )  # fmt: skip


@dataclass
class Past:
    """What a store would give."""

    audits: list[Audit]
    incidents: list[Incident]
    alerts: list[Alert]

    def figures(self, since: float = 0.0, until: float = END) -> Figures:
        counting = Counting(since, until)
        for audit in self.audits:
            counting.audit(audit)
        for incident in self.incidents:
            counting.incident(incident)
        for alert in self.alerts:
            counting.alert(alert)
        return counting.figures()


pasts = st.builds(
    Past,
    audits=st.lists(an_audit(), max_size=8),
    incidents=st.tuples(*(an_incident(name) for name in NAMES)).map(list),
    alerts=st.lists(an_alert(), max_size=25),
)


@given(pasts)
def test_every_firing_is_counted_once(past: Past) -> None:
    told = past.figures()
    funnel = told.funnel
    assert funnel.alerts == len(past.alerts) == sum(one.firings for one in told.noisiest)
    assert funnel.events == sum(one.events for one in told.noisiest) >= funnel.alerts
    assert funnel.rules == len(told.noisiest)
    paged = sum(one.pages for one in told.noisiest)
    never = sum(one.firings - one.paged_later for one in told.held)
    assert paged + funnel.folded + never == funnel.alerts
    assert never == sum(one.held for one in told.noisiest)
    for held in told.held:
        assert held.wanted == held.paged_later + held.acted_on + held.said <= held.firings
    assert funnel.incidents + funnel.merged + funnel.withdrawn == len(past.incidents)
    judged = told.judged
    assert judged.first_cause.hits <= judged.first_cause.of <= len(NAMES) + len(MARKS)
    times = told.times
    assert times.detect.count == funnel.incidents >= times.page.count
    for span in (times.detect, times.page, times.acknowledge, times.resolve):
        assert (span.median_s is None) == (span.count == 0)
        assert span.median_s is None or (span.p90_s is not None and 0.0 <= span.median_s <= span.p90_s)
    assert plain(told)
    assert title(told)


@given(pasts, moments)
def test_two_whiles_are_one_after_the_other(past: Past, cut: float) -> None:
    whole, first, second = past.figures(), past.figures(0.0, cut), past.figures(cut, END)
    for name in ("events", "alerts", "incidents", "merged", "withdrawn", "pages", "reminders", "firing", "folded"):
        assert getattr(whole.funnel, name) == getattr(first.funnel, name) + getattr(second.funnel, name)


@given(pasts, st.randoms(use_true_random=False))
def test_the_order_of_alerts_does_not_matter(past: Past, random: Any) -> None:
    mixed = list(past.alerts)
    random.shuffle(mixed)
    assert Past(past.audits, past.incidents, mixed).figures() == past.figures()


steps = st.lists(
    st.tuples(st.sampled_from(("cache", "ledger", "cart")), st.booleans(), st.floats(1.0, 5000.0)), max_size=30
)


@settings(max_examples=40)
@given(steps, st.sampled_from(("critical", "warning", "info")))
def test_each_delivery_to_the_core_is_one_event(course: list[tuple[str, bool, float]], severity: str) -> None:
    scene, at, known = Scene(), 0.0, set()
    sent = 0
    for service, on, gap in course:
        at += gap
        if on or service in known:
            known.add(service)
            sent += 1
            record = fires(service, at, severity=severity) if on else ends(service, at, severity=severity)
            scene.tell(record)
    funnel = counted(scene).funnel
    assert funnel.events == sent
    assert funnel.pages == len(scene.pages)
    assert funnel.reminders == len(scene.reminders)
    restarted = scene.restart()
    assert counted(restarted).funnel == funnel
    assert T0


@given(st.lists(st.floats(0.0, 1e6), min_size=1, max_size=200))
def test_a_median_is_in_the_middle(seconds: list[float]) -> None:
    spans = Spans()
    for one in seconds:
        spans.add(one)
    told = spans.value()
    assert told.count == len(seconds)
    assert told.median_s is not None
    below = sum(one <= told.median_s + 0.001 for one in seconds)
    above = sum(one >= told.median_s - 0.001 for one in seconds)
    assert min(below, above) * 2 >= len(seconds)


def test_many_lengths_are_kept_in_little_memory() -> None:
    spans = Spans()
    for number in range(10 * MOST_KEPT):
        spans.add(float(number))
    told = spans.value()
    assert told.count == 10 * MOST_KEPT
    assert told.median_s is not None
    assert abs(told.median_s / (5 * MOST_KEPT) - 1) < 0.01
    assert len(spans._kept) <= MOST_KEPT


def test_rules_beyond_bearing_are_counted_together() -> None:
    counting = Counting(0.0, END)
    for number in range(MOST_RULES + 5):
        counting.alert(Alert(fingerprint=str(number), source="s", labels={"alertname": f"r{number}"}, status="resolved",
                             starts_at=1.0, updated_at=1.0, onset_seen=1.0))  # fmt: skip
    told = counting.figures()
    assert told.funnel.alerts == MOST_RULES + 5
    assert next(one for one in told.noisiest if one.rule == OTHERS).firings == 5


@given(st.integers(0, 500), st.integers(0, 500))
def test_a_share_lies_within_its_bounds(hits: int, misses: int) -> None:
    told = share(hits, hits + misses)
    if not hits + misses:
        assert told.rate is None
        return
    assert told.rate is not None
    assert told.low is not None
    assert told.high is not None
    assert 0.0 <= told.low <= told.rate <= told.high <= 1.0


def test_early_signs_are_no_pages() -> None:
    """People see them in a quiet place or in lists; only what they are called for is a page."""
    for action in ("", "chat.say"):
        quiet = Route(name="quiet", action=action, early=True)
        scene = Scene(rulebook(routes=(Route(name="on-call", action="pager.call"), quiet)))
        scene.tell(
            *(fires(name, 12.0 * n, severity="warning") for n, name in enumerate(("ledger", "payments", "checkout")))
        )
        scene.wait(300.0)
        early = counted(scene)
        assert (early.funnel.pages, early.funnel.paged_incidents, early.funnel.early) == (0, 0, 1)
        assert "1 incident told of as early signs only" in plain(early)
        assert sum(one.pages for one in early.noisiest) == 0
        assert [(one.code, one.handling) for one in early.held][:1] == [("early", "digest")]
        scene.tell(*(ends(name, 400.0, severity="warning") for name in ("ledger", "payments", "checkout")))
        scene.wait(900.0)
        assert all(one.unheeded == 0 for one in scene.engine.state.behaviour.values()), "nobody was to act"
        scene.tell(fires("ledger", 1000.0, "Down"))
        scene.wait(2000.0)
        later = counted(scene)
        assert (later.funnel.pages, later.funnel.early) == (1, 0)
