"""Pictures of explanations: well-formed, bounded, the same bytes again, and nothing runs out of its box."""

import struct
import sys
import time
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.scene import Scene, deploy, outage, rulebook
from quell.core.explain import Explanation
from quell.core.story import Actor, Happening, Link, Showing, Story
from quell.core.trial import Candidate, Point
from quell.errors import PictureError
from quell.model.incident import Suspect
from quell.picture import png as painter
from quell.picture.cast import MOST_BOXES, cast
from quell.picture.draw import svg
from quell.picture.layout import BOX_WIDTH, WIDTH, lay_out
from quell.picture.png import png
from quell.picture.words import fit, offset, width, wrap

SVG = "{http://www.w3.org/2000/svg}"


def explained(*records, **given):
    scene = Scene(rulebook(**given))
    scene.tell(*records)
    scene.wait(120.0)
    return scene.engine.explain(scene.incident.id)


def explanation(story, candidates=(), **given):
    cause = Suspect(entity=story.actors[0].entity, confidence=0.8) if story.actors else None
    fields = {
        "incident": "INC-1", "title": "trouble", "no_clear_cause": False, "cause": cause, "runners_up": (),
        "change": None, "impact": (), "held": (), "runs": (), "playbooks": (), "text": "", "candidates": candidates,
        "story": story,
    }  # fmt: skip
    return Explanation(**{**fields, **given})


def crowd(count, step=1):
    """A cause and so many symptoms that depend on it."""
    alerts = (Showing(name="HighErrorRate", at=5.0),)
    cause = Actor(entity="host/h", kind="host", name="h", role="cause", step=0, suspect=1, onset=0.0, alerts=alerts)
    rest = [
        Actor(
            entity=f"service/s{at}", kind="service", name=f"s{at}", role="symptom", step=step, onset=5.0, alerts=alerts
        )
        for at in range(count)
    ]  # fmt: skip
    links = [Link(from_="host/h", to=one.entity, type="runs_on") for one in rest]
    return Story(started_at=0.0, actors=(cause, *rest), links=tuple(links))


def texts(picture):
    return [element.text or "" for element in ET.fromstring(picture).iter(f"{SVG}text")]


def test_it_shows_the_cause_the_path_the_change_and_who_lost():
    told = texts(svg(explained(deploy("ledger", -60.0), *outage())))
    assert "first cause service/ledger" in " ".join(told)
    assert "◆ deploy v9 −1 min" in told
    assert {"ledger", "payments", "checkout", "frontend"} <= set(told)
    assert {"+12 s", "+24 s", "+36 s", "calls ↑", "path from the cause", "Rejected", "Against"} <= set(told)
    assert any("is itself explained by service/ledger" in one for one in told)


def test_what_is_small_is_not_nothing():
    found = explained(deploy("ledger", -60.0), *outage())
    assert any(0.0 < one.confidence < 0.005 for one in found.candidates)
    shown = texts(svg(found))
    assert "<1%" in shown
    assert "lost: <1%" in " ".join(shown)
    assert shown.count("0%") == sum(one.confidence == 0.0 for one in found.candidates)


def test_a_silent_entity_is_dashed_and_said_to_be_silent():
    story = crowd(1)
    silent = Actor(entity="host/h", kind="host", name="h", role="silent", step=0)
    picture = svg(explanation(Story(started_at=0.0, actors=(silent, story.actors[1]), links=story.links)))
    assert "no alert of its own" in texts(picture)
    assert 'stroke-dasharray="5 4"' in picture


def test_no_clear_cause_is_not_called_a_cause():
    book = rulebook()
    told = texts(svg(explained(*outage(), correlate=type(book.correlate)(clear_cause_bar=1.0))))
    assert any(one.startswith("best candidate, not clear") for one in told)
    assert not any(one.startswith("first cause") for one in told)


def test_alerts_without_an_entity_are_told_of_in_words():
    told = texts(svg(explanation(Story(started_at=None, actors=(), links=()))))
    assert any("none of the alerts names an entity" in one for one in told)


def test_one_alert_alone_is_told_as_that():
    story = crowd(0)
    lonely = Suspect(entity="host/h")
    told = texts(svg(explanation(story, no_clear_cause=True, cause=lonely)))
    assert any(one.startswith("no clear cause: only host/h alerts") for one in told)


def test_what_no_known_way_leads_to_stands_apart_and_is_said_to():
    alone = Actor(entity="service/x", kind="service", name="x", role="symptom", onset=1.0)
    story = crowd(1)
    told = texts(svg(explanation(Story(started_at=0.0, actors=(*story.actors, alone), links=story.links))))
    assert any("no known way leads there" in one for one in told)


def test_rivals_stand_above_what_they_could_have_reached_or_are_left_out():
    story = crowd(1)
    rivals = [
        Actor(entity=f"az/{name}", kind="az", name=name, role="rival", suspect=2, confidence=sure)
        for name, sure in (("near", 0.3), ("far", 0.2), ("faint", 0.001))
    ]
    links = [
        Link(from_="az/near", to="host/h", type="in_zone", rival=True),
        Link(from_="az/far", to="host/h", type="in_zone", rival=True, skips=2),
        Link(from_="az/faint", to="host/h", type="in_zone", rival=True),
    ]
    told = cast(Story(started_at=0.0, actors=(*story.actors, *rivals), links=(*story.links, *links)))
    assert {box.key: box.step for box in told.boxes} == {"host/h": 0, "service/s0": 1, "az/near": -1, "az/far": -1}
    drawn = texts(
        svg(explanation(Story(started_at=0.0, actors=(*story.actors, *rivals), links=(*story.links, *links))))
    )
    assert "2 between" in drawn
    assert "in zone ↑" in drawn
    assert "faint" not in drawn


def test_a_crowd_of_many_kinds_names_those_that_fit():
    cause, *_ = crowd(0).actors
    rest = [
        Actor(
            entity=f"kind{at % 9}/x{at}", kind=f"kind-number-{at % 9}", name=f"x{at}", role="symptom", step=1, onset=1.0
        )
        for at in range(60)
    ]
    links = tuple(Link(from_="host/h", to=one.entity, type="runs_on") for one in rest)
    told = texts(svg(explanation(Story(started_at=0.0, actors=(cause, *rest), links=links))))
    assert any(one.endswith(" other") for one in told)
    assert "57 more entities" in told


def test_the_same_explanation_gives_the_same_bytes():
    records = (deploy("ledger", -60.0), *outage())
    assert svg(explained(*records)) == svg(explained(*records))


@pytest.mark.parametrize("count", [3, 19, 20, 200, 5000])
def test_large_incidents_are_counted_and_not_drawn_out(count):
    story = crowd(count)
    told = cast(story)
    assert len(told.boxes) <= MOST_BOXES + 4
    shown = sum(len(box.crowd) or 1 for box in told.boxes)
    assert shown == count + 1
    assert len(svg(explanation(story))) < 60_000


def test_boxes_do_not_overlap_and_lines_join_what_is_there():
    told = cast(crowd(7))
    layout = lay_out(told, {box.key: 60.0 for box in told.boxes}, 10.0)
    for at, one in enumerate(layout.boxes):
        assert 0 <= one.x <= WIDTH - BOX_WIDTH
        for other in layout.boxes[at + 1 :]:
            apart = abs(one.x - other.x) >= BOX_WIDTH or abs(one.y - other.y) >= 60.0
            assert apart
    for route in layout.routes:
        for (x0, y0), (x1, y1) in pairwise(route.points):
            if x0 == x1:
                inside = [one for one in layout.boxes if one.x < x0 < one.x + BOX_WIDTH]
                assert not any(min(y0, y1) < one.y + 60.0 and max(y0, y1) > one.y for one in inside)


NAMES = st.text(min_size=1, max_size=80)


@st.composite
def stories(draw):
    names = draw(st.lists(NAMES, min_size=1, max_size=9, unique=True))
    actors, links = [], []
    for at, name in enumerate(names):
        alerts = tuple(Showing(name=draw(NAMES), at=float(at)) for _ in range(draw(st.integers(0, 4))))
        came = draw(st.integers(0, at - 1)) if at else None
        step = 0 if came is None else draw(st.sampled_from([None, actors[came].step]))
        step = None if step is None else step + (came is not None)
        role = "cause" if not at else draw(st.sampled_from(["symptom", "silent", "rival"]))
        change = (Happening(id="c", what=draw(NAMES), at=-60.0),) if draw(st.booleans()) else ()
        actors.append(
            Actor(
                entity=f"k/{name}", kind=draw(NAMES), name=name, role=role, scope=draw(NAMES), step=step,
                onset=alerts[0].at if alerts else None, alerts=alerts, changes=change, suspect=draw(st.integers(0, 3)),
            )
        )  # fmt: skip
        if came is not None:
            kind = {"type": draw(NAMES), "main": draw(st.booleans()), "against": draw(st.booleans())}
            links.append(Link(from_=actors[came].entity, to=actors[-1].entity, **kind))
    return Story(started_at=draw(st.sampled_from([None, 0.0])), actors=tuple(actors), links=tuple(links))


@settings(max_examples=60, deadline=None)
@given(stories(), st.lists(NAMES, max_size=6))
def test_whatever_things_are_called_the_picture_is_xml_and_text_stays_in_it(story, said):
    points = tuple(Point(code="any", text=one) for one in said)
    candidates = tuple(
        Candidate(
            entity=actor.entity, confidence=0.5, score=1.0, points_for=points, points_against=points,
            lost_because="less",
        )
        for actor in story.actors[:3]
    )  # fmt: skip
    picture = ET.fromstring(svg(explanation(story, candidates, impact=tuple(said))))
    for group in picture.iter(f"{SVG}g"):
        box = list(group.iter(f"{SVG}rect"))[-1]
        right = float(box.get("x")) + float(box.get("width"))
        for text in group.iter(f"{SVG}text"):
            wide = width(text.text or "", float(text.get("font-size")), bold=text.get("font-weight") is not None)
            start = float(text.get("x")) - (wide if text.get("text-anchor") == "end" else 0.0)
            assert start >= float(box.get("x"))
            assert start + wide <= right + 0.5
    assert float(picture.get("width")) == WIDTH


@given(st.text(max_size=200), st.floats(20, 400))
def test_text_is_made_to_fit(text, room):
    assert width(fit(text, room, 11.0), 11.0) <= max(room, width("…", 11.0))
    lines = wrap(text, room, 11.0, 2)
    assert len(lines) <= 2
    assert all(width(line, 11.0) <= max(room, width("…", 11.0)) for line in lines)


def test_a_name_as_long_as_a_book_is_cut_at_once():
    began = time.perf_counter()
    assert width(fit("x" * 10**6, 180.0, 11.0), 11.0) <= 180.0
    assert time.perf_counter() - began < 5.0  # a width for each length that it may be cut to would take a day


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.0, "start"), (35.0, "+35 s"), (-133.0, "−2 min 13 s"), (4000.0, "+1 h 7 min"), (172_800.0, "+2 d")],
)
def test_times_are_told_from_the_beginning(seconds, said):
    assert offset(seconds) == said


def test_a_png_is_twice_as_large_and_shows_text():
    picture = svg(explained(*outage()))
    painted = png(picture)
    assert painted.startswith(b"\x89PNG")
    assert struct.unpack(">I", painted[16:20])[0] == 2 * WIDTH
    assert painted == png(picture)


def test_without_the_renderer_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    with pytest.raises(PictureError, match=r'pip install "quell\[png\]"'):
        png("<svg/>")


def test_without_fonts_the_message_says_so(monkeypatch):
    monkeypatch.setattr(painter, "_LETTER", "")
    painter._has_font.cache_clear()
    with pytest.raises(PictureError, match="needs a font"):
        png("<svg/>")
    painter._has_font.cache_clear()
