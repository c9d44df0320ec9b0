"""Pictures of drift reports: well-formed whatever is in them, and the same for the same report."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from profiles.data import amounts, currencies, fine, profile
from quell.core.profiles.arrays import numbers
from quell.core.profiles.judge import Present, compared
from quell.model.drift_report import Bars, Distance, DriftReport, FieldReport, Limits, Trouble, report_of
from quell.picture.drift import page, svg

TEXT = st.text(max_size=20)
SHARES = st.lists(st.floats(0, 1), min_size=1, max_size=30).map(tuple)
EDGE = st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def bars(draw: st.DrawFn) -> Bars:
    before = draw(SHARES)
    after = tuple(draw(st.lists(st.floats(0, 1), min_size=len(before), max_size=len(before))))
    if draw(st.booleans()):
        names = tuple(draw(st.lists(TEXT, min_size=len(before), max_size=len(before))))
        return Bars(before=before, after=after, names=names)
    edges = tuple(sorted(draw(st.lists(EDGE, min_size=len(before) + 1, max_size=len(before) + 1))))
    return Bars(before=before, after=after, edges=edges)


FIELDS = st.builds(
    FieldReport,
    field=TEXT,
    type=st.sampled_from(("number", "text", "time")),
    drifted=st.booleans(),
    size=st.floats(0, 1e300),
    said=TEXT,
    rows=st.integers(0, 10**12),
    bars=st.one_of(st.none(), bars()),
    distances=st.lists(
        st.builds(
            Distance,
            test=st.sampled_from(("ks", "psi", "chi2", "js")),
            effect=st.floats(0, 1e9),
            most=st.floats(0, 1),
            least=st.floats(0, 1),
            chance=st.floats(0, 1),
            drifted=st.booleans(),
        ),
        max_size=2,
    ).map(tuple),
)
REPORTS = st.builds(
    DriftReport,
    entity=TEXT,
    profile=TEXT,
    version=TEXT,
    rows=st.integers(0, 10**12),
    fields=st.lists(FIELDS, max_size=5).map(tuple),
    troubles=st.lists(st.builds(Trouble, code=st.just("new"), text=TEXT), max_size=3).map(tuple),
)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(REPORTS)
def test_every_report_can_be_drawn(report: DriftReport) -> None:
    drawn = svg(report, every=True)
    ET.fromstring(drawn)
    assert svg(report, every=True) == drawn
    assert "</html>" in page(report)


def test_a_field_before_and_after() -> None:
    now = fine(5_000, 4) | {"amount": numbers(amounts(5_000) * 100.0), "currency": currencies(5_000, 0.2)}
    report = compared(profile(), Present(now, "v4"), Limits())
    root = ET.fromstring(svg(report))
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"2 of 3 fields drifted", "amount", "values ×100 (unit change?)", "currency", "EUR"} <= {*texts}
    assert "age" not in texts


def test_a_report_is_read_from_an_alert_and_what_cannot_be_drawn_is_left_out() -> None:
    good = FieldReport(field="a", type="number", drifted=True, bars=Bars(before=(1.0,), after=(1.0,), names=("x",)))
    bad = FieldReport(field="b", type="number", drifted=True, bars=Bars(before=(1.0,), after=()))
    told = DriftReport(entity="dataset/x", profile="v1", fields=(good, bad))
    found = report_of({"drift_report": msgspec.json.encode(told).decode()})
    assert found is not None
    assert [field.field for field in found.fields] == ["a"]
    ET.fromstring(svg(found))
    for text in ("", "{}", "[]", "nonsense"):
        assert report_of({"drift_report": text}) is None
    assert report_of({}) is None
