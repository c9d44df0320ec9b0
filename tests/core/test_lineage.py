"""What a thing is made from, what needs it, and which data and code a version came from."""

from __future__ import annotations

from pathlib import Path

from core.lineage_story import MODEL, records
from core.scene import T0, rulebook
from quell.config.loading import load
from quell.core.engine import Engine
from quell.core.lineage import MOST_NODES, Lineage, lineage
from quell.model.records import DependencyRecord
from quell.model.times import format_time

TOPOLOGY = """\
topology:
  entities:
    - {entity: model/churn, owner: growth}
  dependencies:
    - {from: model/churn, to: pipeline/train, type: trained_by}
    - {from: pipeline/train, to: dataset/users, type: fed_by}
  versions:
    - entity: model/churn
      version: "3"
      at: 2026-03-01T03:00:00Z
      by: pipeline/train
      commit: 8f3c2d1
      inputs: {dataset/users: d9}
      labels: {auc: "0.8"}
      promoted:
        - {alias: champion, at: 2026-03-02T09:00:00Z, by: ana, previous: "2"}
"""


def engine() -> Engine:
    made = Engine(rulebook(entities=(), dependencies=()))
    for record in records():
        made.decide([record], record.at)
    return made


def told(entity: str, version: str = "") -> Lineage:
    made = engine()
    found = lineage(made.state, made.rulebook, entity, version)
    assert found is not None
    return found


def steps(found: Lineage) -> dict[str, int]:
    return {node.entity: node.step for node in found.nodes}


def hour(after: int) -> str:
    return format_time(T0 + after * 3600.0)


def test_a_model_stands_between_its_data_and_its_numbers() -> None:
    found = told(MODEL)
    assert steps(found) == {
        "dataset/raw": -5, "pipeline/load": -4, "dataset/payments": -3, "pipeline/views": -2, "feature/stats": -1,
        "pipeline/train": -1, MODEL: 0, "endpoint/score": 1, "kpi/approvals": 2, "service/checkout": 2,
    }  # fmt: skip
    owners = {node.entity: node.owner for node in found.nodes if node.owner}
    assert owners == {MODEL: "risk", "dataset/payments": "data", "kpi/approvals": "growth"}
    assert {edge.sources for edge in found.links} == {("lineage",), ("catalogue",), ("mlflow",), ("otlp",)}
    (model,) = (node for node in found.nodes if node.entity == MODEL)
    assert (model.aliases, [one.revision for one in model.changes]) == ({"champion": "6"}, ["6", "7"])


def test_a_number_leads_down_to_data_and_data_up_to_numbers() -> None:
    assert steps(told("kpi/approvals"))["dataset/raw"] == -7
    found = steps(told("dataset/raw"))
    assert (found["kpi/approvals"], min(found.values())) == (7, 0)


def test_a_version_says_which_data_and_code_it_was_made_of_and_who_promoted_it_when() -> None:
    found = told(MODEL, "7")
    assert found.text.splitlines() == [
        "model/fraud version 7",
        f"  made      {hour(2)} by pipeline/train, run r7",
        "  code      a41b90c (train.py)",
        f"  data      dataset/payments version 41 of {hour(1)} by pipeline/load, run run-1, code 8f3c2d1",
        f"            from dataset/raw version r1, the newest by then of {hour(0)}",
        "            dataset/users version d42",
        f"  promoted  champion at {hour(3)} by ana, in the place of version 6",
        f"            champion went on to version 6 at {hour(4)} by bea",
        "  facts     metric.auc 0.91, param.depth 6",
    ]
    assert found.versions == ("6", "7")


def test_without_a_version_it_is_the_one_in_use_and_an_alias_will_do() -> None:
    for asked in ("", "champion", "@champion", "6"):
        origin = told(MODEL, asked).origin
        assert origin is not None
        assert origin.made.version == "6"
    assert "code      not told" in told(MODEL).text
    assert f"champion since {hour(1)} or before" in told(MODEL).text


def test_what_is_not_known_is_said() -> None:
    made = engine()
    assert lineage(made.state, made.rulebook, "model/none") is None
    found = told(MODEL, "9")
    assert (found.origin, found.text) == (
        None, 'nothing is known of version "9" of model/fraud; known are: 6, 7',
    )  # fmt: skip


def test_what_has_no_api_is_told_by_the_rules(tmp_path: Path) -> None:
    (tmp_path / "quell.yaml").write_text("sources: {}\n")
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "topology.yaml").write_text(TOPOLOGY)
    rules = load(tmp_path, {}, {}).rulebook
    found = lineage(Engine(rules).state, rules, "model/churn", "champion")
    assert found is not None
    assert steps(found)["dataset/users"] == -2
    assert found.text.splitlines() == [
        "model/churn version 3",
        "  made      2026-03-01T03:00:00.000Z by pipeline/train",
        "  code      8f3c2d1",
        "  data      dataset/users version d9",
        "  promoted  champion at 2026-03-02T09:00:00.000Z by ana, in the place of version 2",
        "  facts     auc 0.8",
    ]


def test_columns_have_a_lineage_of_their_own() -> None:
    assert "column/payments.amount" not in steps(told(MODEL))
    assert steps(told("column/payments.amount"))["dataset/payments"] == -1


def test_circles_and_crowds_end() -> None:
    made = Engine(rulebook(entities=(), dependencies=()))
    edges = [(f"dataset/{at}", f"pipeline/{at % 2}") for at in range(2 * MOST_NODES)]
    edges += [(f"pipeline/{at % 2}", f"dataset/{at}") for at in range(2 * MOST_NODES)]
    made.decide([DependencyRecord(at=T0, from_=from_, to=to, type="fed_by") for from_, to in edges], T0)
    found = lineage(made.state, made.rulebook, "dataset/1")
    assert found is not None
    assert (len(found.nodes), found.more > 0) == (MOST_NODES, True)
