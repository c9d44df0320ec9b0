"""The picture of a lineage, and the same for Graphviz."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from core.lineage_story import MODEL, records
from core.scene import T0, rulebook
from quell.core.engine import Engine
from quell.core.lineage import Lineage, lineage
from quell.model.records import DependencyRecord, EntityRecord
from quell.picture.lineage import MOST_BOXES, dot, svg


def told(version: str = "", *more: DependencyRecord | EntityRecord) -> Lineage:
    made = Engine(rulebook(entities=(), dependencies=()))
    for record in (*records(), *more):
        made.decide([record], max(record.at, made.state.now))
    found = lineage(made.state, made.rulebook, MODEL, version)
    assert found is not None
    return found


def words(picture: str) -> str:
    return " ".join("".join(one.itertext()) for one in ET.fromstring(picture).iter() if one.tag.endswith("text"))


def test_everything_is_in_the_picture_and_it_is_the_same_each_time() -> None:
    picture = svg(told("7"))
    assert picture == svg(told("7"))
    shown = words(picture)
    for part in (
        "raw", "payments", "stats", "train", "fraud", "approvals", "owner risk", "champion → version 6", "fed by",
        "model/fraud version 7", "by ana, in the place of version 6", "uses features", "trained by",
    ):  # fmt: skip
        assert part in shown, part


def test_names_that_are_no_xml_and_very_many_boxes_are_drawn() -> None:
    odd = [DependencyRecord(at=T0, from_=MODEL, to=f'dataset/<&"\x00{at}', type="trained_on") for at in range(90)]
    picture = svg(told("", *odd))
    assert "more are not shown" in words(picture)
    assert picture.count("<g>") == MOST_BOXES


def test_graphviz_gets_arrows_the_way_that_data_go() -> None:
    written = dot(told("", EntityRecord(at=T0, entity="dataset/raw", owner='the "raw" team')))
    assert written.startswith("digraph lineage {")
    assert '"dataset/payments" -> "model/fraud" [label="trained_on", tooltip="says mlflow"];' in written
    assert '\\"raw\\" team' in written
