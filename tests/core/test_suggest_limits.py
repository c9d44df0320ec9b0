"""Better limits for detectors, from what people said of their alerts and what was told at the time."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.watching import CHECKOUT, T0, Watched, sample
from quell.core.detect.past import reach
from quell.core.suggest_limits import adjustable, limits, spells
from quell.core.suggest_tried import tried_limits
from quell.model.decision import AlertChanged, Audit
from quell.model.detect import DetectRule, Threshold
from quell.model.habits import Suggestion
from quell.model.incident import Incident
from quell.model.playbook import Place
from quell.model.records import AnyRecord, SampleRecord

PLACE = Place(file="rules/own.yaml", line=3)


def rule(need: int = 1, of: int = 1, **limit: float) -> DetectRule:
    return DetectRule(
        name="Slow", metric="latency", when=Threshold(**({"above": 0.8} | limit)), need=need, of=of, every_s=60.0,
        place=PLACE,
    )  # fmt: skip


class Lived:
    """A detector's life: stretches of values, what fired, and what people said of it."""

    def __init__(self, rule: DetectRule) -> None:
        self.rule = rule
        self.scene = Watched(rule)
        self.records: list[SampleRecord] = []
        self.audits: list[Audit] = []
        self.incidents: dict[str, Incident] = {}
        self.at = 0.0

    def values(self, values: Iterable[float], entity: str = CHECKOUT) -> float:
        """One a minute; returns when it began."""
        began = self.at
        for value in values:
            record = sample(self.at, value, entity=entity)
            self.records.append(record)
            self.scene.tell(self.at, record)
            self.at += 60.0
        return began

    def quiet(self, span: float = 3600.0) -> None:
        self.values([0.1] * 3)
        self.at += span
        self.scene.wait(self.at)

    def fired(self, *values: float, said: str) -> None:
        """What people said of what fires with these values."""
        self.values(values)
        self.scene.wait(self.at + 60.0)
        (alert,) = self.scene.firing
        name = f"INC-{len(self.incidents)}"
        self.note(name, said, (alert.fingerprint,), T0 + self.at)
        self.quiet()
        assert not self.scene.firing

    def missed(self, *values: float) -> None:
        began = self.values(values)
        self.note(f"INC-{len(self.incidents)}", "missed", (), T0 + began)
        self.quiet()

    def note(self, name: str, said: str, marks: tuple[str, ...], at: float) -> None:
        known = {"taken_up": {"acknowledged_by": "ana"}}.get(said, {})
        self.incidents[name] = Incident(
            id=name, title="t", status="resolved", opened_at=at, updated_at=at + 600.0, resolved_at=at + 600.0,
            alerts=marks, entities=(CHECKOUT,), **known,
        )  # fmt: skip
        if said != "taken_up":
            self.audits.append(Audit(at=at, who="ana", what=f"feedback:{said}", target=name, detail=""))

    def suggested(self) -> list[Suggestion]:
        state = self.scene.engine.state
        firings: dict[tuple[str, int], object] = {}
        for one in self.scene.decisions:
            if isinstance(one, AlertChanged):
                firings[one.alert.fingerprint, one.alert.episode] = one.alert
        of = [name for name, one in self.incidents.items() if one.alerts]
        alerts = [type(one)(**{**{n: getattr(one, n) for n in one.__struct_fields__}, "incident": name})
                  for name, one in zip(of, firings.values(), strict=True)]  # fmt: skip

        def between(begin: float, end: float) -> Iterable[AnyRecord]:
            return (one for one in self.records if begin <= one.arrived < end)

        found = spells([self.rule], self.audits, self.incidents.values(), alerts)
        book = self.scene.rulebook
        return [*limits(book, found, state.entities, between), *tried_limits(book, found, state.entities, between)]


def test_what_was_nothing_lies_below_the_new_limit_and_what_was_real_above() -> None:
    lived = Lived(rule())
    for peak in (0.85, 0.9, 0.95):
        lived.fired(peak, peak - 0.02, said="not_actionable")
    lived.fired(1.5, said="taken_up")
    (one,) = lived.suggested()
    limit = one.rule["when"]["threshold"]["above"]
    assert 0.95 <= limit < 1.5
    assert one.kind == "threshold"
    assert one.text == f"Slow: above {limit}, not 0.8"
    assert one.evidence[0] == (
        "3 alerts that people called not actionable (INC-0, INC-1, INC-2) reached 0.85 to 0.95; would not have fired"
    )
    assert one.evidence[1] == "1 alert that people took up (INC-3) reached 1.5; would have fired all the same"
    assert one.evidence[-1] == f"rules/own.yaml, line 3: above 0.8 becomes {limit}"
    again = Lived(rule(above=limit))
    again.values([0.95, 0.93])
    again.scene.wait(again.at + 60.0)
    assert not again.scene.firing


def test_nothing_is_suggested_where_no_limit_tells_them_apart_or_too_little_was_said() -> None:
    mixed = Lived(rule())
    for peak in (0.85, 0.9, 1.2):
        mixed.fired(peak, said="not_actionable")
    mixed.fired(1.0, said="right_cause")
    assert mixed.suggested() == []
    few = Lived(rule())
    few.fired(0.9, said="not_actionable")
    few.fired(0.9, said="not_actionable")
    assert few.suggested() == []
    assert Lived(rule()).suggested() == []


def test_what_was_missed_lies_beyond_the_new_limit_and_usual_days_do_not() -> None:
    lived = Lived(rule())
    lived.values([0.3] * 200)
    lived.missed(0.6, 0.7, 0.65)
    (one,) = lived.suggested()
    limit = one.rule["when"]["threshold"]["above"]
    assert 0.3 < limit < 0.7
    assert "1 incident that people called missed (INC-0) reached 0.7; would have fired" in one.evidence
    assert "in the day before, it would have fired at none of 1 series where it did not" in one.evidence
    loud = Lived(rule())
    loud.values([0.3, 0.75, 0.3] * 60)
    loud.missed(0.7)
    assert loud.suggested() == []
    unknown = Lived(rule())
    unknown.missed(0.7)  # of the day before nothing is known
    assert unknown.suggested() == []


def test_a_limit_from_below_goes_the_other_way() -> None:
    lived = Lived(rule(above=None, below=0.05))
    for low in (0.04, 0.03, 0.02):
        lived.fired(low, said="not_actionable")
    lived.fired(0.001, said="right_cause")
    (one,) = lived.suggested()
    assert 0.001 < one.rule["when"]["threshold"]["below"] <= 0.02


def test_three_of_five_windows_count_as_they_do_for_an_alert() -> None:
    lived = Lived(rule(3, 5))
    for _ in range(3):
        lived.fired(0.9, 5.0, 0.9, 0.9, said="not_actionable")
    lived.fired(2.0, 2.0, 2.0, said="right_cause")
    (one,) = lived.suggested()
    assert 0.9 <= one.rule["when"]["threshold"]["above"] < 2.0, "one high window is no alert"


def test_where_an_alert_ends_moves_along() -> None:
    lived = Lived(rule(until=0.75))
    lived.values([0.3] * 200)
    lived.missed(0.6)
    (one,) = lived.suggested()
    told = one.rule["when"]["threshold"]
    assert told["until"] == told["above"] < 0.6


def test_a_word_taken_back_counts_as_it_was_said_last() -> None:
    lived = Lived(rule())
    for peak in (0.85, 0.9, 0.95):
        lived.fired(peak, said="not_actionable")
    assert lived.suggested()
    lived.audits.append(Audit(at=T0, who="bo", what="feedback:right_cause", target="INC-1", detail=""))
    assert lived.suggested() == []


@pytest.mark.parametrize("off", [DetectRule(name="a", on=False, metric="m", when=Threshold(above=1)),
                                 DetectRule(name="a", log="*", when=Threshold(above=1))])  # fmt: skip
def test_what_is_off_or_counts_log_lines_is_left_alone(off: DetectRule) -> None:
    assert not adjustable(off)


@given(st.lists(st.floats(0, 10), min_size=1, max_size=12), st.integers(1, 4), st.integers(0, 3), st.floats(0, 10))
def test_a_reach_is_the_least_limit_at_which_nothing_fires(
    values: list[float], need: int, more: int, limit: float
) -> None:
    asked = rule(need, need + more, above=limit)
    far = reach(asked, dict(enumerate(values)))
    bad = [value > limit for value in values]
    fires = any(sum(bad[max(at - asked.of + 1, 0) : at + 1]) >= need for at in range(len(values)))
    assert fires is (far is not None and far > limit)
