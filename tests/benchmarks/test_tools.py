"""The benchmarks' own arithmetic: means and goals, tables between markers, other tables, pairing and reliability."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
PARAMS = {
    "propagation": [["down", "calls", "up", "errors", 0.88, 10, 0.6]],
    "alerts": [
        ["NodeDown", ["host"], ["down"], 0.85, 120, "critical", "alertmanager", 0, "{name} is down."],
        ["Unheard", ["host"], ["down"], 1.0, 0, "info", "pagerduty", 0, "{name} hums."],
    ],
    "noise": [["NodeDown", ["host"], 60, "warning", "cloudevents", 0, 900, 4]],
    "faults": {"host_down": {"kinds": ["host"], "duration": [1500, 0.4]}},
    "delivery": {"alertmanager": [9, 0.6]},
}
PRESETS = {
    "presets": {
        "small": {"topology": {"files": ["shop.json"]}},
        "large": {"topology": {"layered": {"nodes": 2500, "seed": 21}}},
    }
}
SHOP = {
    "name": "shop",
    "nodes": [
        {"id": "az/eu-a", "kind": "az", "name": "eu-a", "cluster": "eu", "zone": "eu-a"},
        {
            "id": "host/n1", "kind": "host", "name": "n1", "cluster": "eu", "zone": "eu-a",
            "instance": "10.0.0.1:9100",
        },
        {"id": "svc/shop/cart", "kind": "service", "name": "cart", "namespace": "shop", "cluster": "eu", "team": "a"},
        {
            "id": "database/shop/db", "kind": "database", "name": "db", "namespace": "shop", "cluster": "eu",
            "instance": "db.shop.svc:5432",
        },
    ],
    "edges": [
        {"src": "svc/shop/cart", "dst": "host/n1", "type": "runs_on", "weight": 0.5},
        {"src": "svc/shop/cart", "dst": "database/shop/db", "type": "reads"},
        {"src": "host/n1", "dst": "az/eu-a", "type": "in_zone"},
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def tools():
    """Imports a benchmark's module by name; its folder is on the path only here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        yield importlib.import_module


@pytest.fixture
def storm(tmp_path):
    folder = tmp_path / "storm"
    for name, table in (
        ("config/params.json", PARAMS), ("config/presets.json", PRESETS), ("topologies/shop.json", SHOP),
    ):  # fmt: skip
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(json.dumps(table))
    return folder


def made(tools, storm, seed, out, **given):
    tools("other_tables").write(storm, seed, out, **given)
    files = ("params.json", "presets.json", "topologies/shop.json")
    return [json.loads((out / name).read_text()) for name in files]


def test_other_tables_are_the_same_for_the_same_seed_only(tools, storm, tmp_path):
    first = made(tools, storm, 7, tmp_path / "a")
    assert made(tools, storm, 7, tmp_path / "b") == first
    assert made(tools, storm, 8, tmp_path / "c") != first


@pytest.mark.parametrize("seed", range(5))
def test_other_tables_keep_what_the_generator_knows_and_nothing_else(tools, storm, tmp_path, seed):
    params, presets, shop = made(tools, storm, seed, tmp_path / "out", opaque=0.0)
    (node_down, unheard), (noise,) = params["alerts"], params["noise"]
    assert node_down[0] not in {"NodeDown", "Unheard"}
    assert noise[0] == node_down[0]
    assert unheard[0].startswith("monitor-")
    assert all("{name}" in row[8] for row in params["alerts"])
    assert all(0.0 < row[3] < 1.0 and row[4] >= 0 for row in params["alerts"])
    assert all(0.0 < row[4] < 1.0 and row[5] > 0 for row in params["propagation"])
    assert [row[:4] for row in params["propagation"]] == [row[:4] for row in PARAMS["propagation"]]
    large = presets["presets"]["large"]["topology"]["layered"]
    assert (large["nodes"], large["seed"] != 21) == (2500, True)
    text = json.dumps(shop["nodes"])
    assert not any(f'"{name}"' in text for name in ("eu", "eu-a", "n1", "cart", "shop", "db"))
    assert [node["kind"] for node in shop["nodes"]] == [node["kind"] for node in SHOP["nodes"]]
    ids = [node["id"] for node in shop["nodes"]]
    assert [(ids.index(edge["src"]), ids.index(edge["dst"])) for edge in shop["edges"]] == [(2, 1), (2, 3), (1, 0)]
    assert shop["nodes"][1]["zone"] == shop["nodes"][0]["name"]
    assert shop["nodes"][3]["instance"].startswith(shop["nodes"][3]["name"])


def test_every_rule_may_lose_its_meaning(tools, storm, tmp_path):
    params, *_ = made(tools, storm, 1, tmp_path / "out", opaque=1.0)
    assert all(row[0].startswith("monitor-") and row[8] == "Threshold crossed: {name}" for row in params["alerts"])


def test_a_row_has_means_and_spreads_and_says_what_is_not_known(tools):
    table = tools("storm_table")
    told = table.line("easy", "quell", [{"score": 0.9, "root_top1": None}, {"score": 0.8}], [1000.0])
    cells = [cell.strip() for cell in told.strip("|").split("|")]
    assert cells[:3] == ["easy", "quell", "0.850 ±0.07"]
    assert cells[5] == "-"
    assert cells[-1] == "1,000"
    assert len(cells) == table.head().splitlines()[0].count("|") - 1


def test_goals_are_for_what_has_to_be_more_and_what_has_to_be_less(tools):
    table = tools("storm_table")
    assert table.short_of("easy", [{"score": 0.5, "missed_share": 0.1, "pair_f1": 0.99}]) == [
        "score 0.500 < 0.96", "missed 0.100 > 0.00",
    ]  # fmt: skip
    assert not table.goal_line("a preset of mine")
    assert table.goal_line("easy").count("|") == table.head().splitlines()[0].count("|")


def test_a_table_is_put_between_the_markers_and_nowhere_else(tools, tmp_path):
    table = tools("storm_table")
    page = tmp_path / "page.md"
    page.write_text(f"before\n{table.BEGIN}\nold\n{table.END}\nafter\n")
    table.write_between(page, "| new |")
    assert page.read_text() == f"before\n{table.BEGIN}\n\n| new |\n\n{table.END}\nafter\n"
    page.write_text("nothing here")
    with pytest.raises(SystemExit, match="nothing was written"):
        table.write_between(page, "| new |")


def test_the_page_about_the_method_has_the_markers(tools):
    text = (BENCHMARKS.parent / "docs" / "explanation" / "correlation.md").read_text()
    assert text.count(tools("storm_table").BEGIN) == text.count(tools("storm_table").END) == 1


@pytest.mark.parametrize(("text", "seeds"), [("1-3", [1, 2, 3]), ("7", [7]), ("1,4-5", [1, 4, 5])])
def test_seeds_are_told_shortly(tools, text, seeds):
    assert tools("storm").seeds_of(text) == seeds


def _said(name, node, *, confidence=0.8, clear=True):
    cause = {"node": node, "confidence": confidence, "score": 4.0, "path": 2, "evidence": ["silent"]}
    return {
        "kind": "incident", "incident_id": name, "root_causes": [cause], "no_clear_cause": not clear, "entities": 3,
    }  # fmt: skip


def test_answers_are_paired_by_overlap(tools):
    truth = [{"kind": "incident", "incident_id": "i1", "root_node": "a"}]
    truth += [
        {"kind": "event", "event_id": f"e{at}", "alert_id": f"a{at}", "incident_id": "i1", "status": "firing"}
        for at in range(4)
    ]
    rows = [{"kind": "event", "event_id": f"e{at}", "incident_id": "X" if at else "Y"} for at in range(4)]
    found = tools("calibration").answers("p", 1, truth, [*rows, _said("X", "a"), _said("Y", "b", clear=False)])
    assert [(one.right, one.answered, one.clear, one.silent, one.path) for one in found] == [
        (True, True, True, True, 2), (False, False, False, True, 2),
    ]  # fmt: skip


def test_calibration_error_is_none_for_honest_confidences_and_large_for_boasts(tools):
    calibration = tools("calibration")
    rng = np.random.default_rng(3)
    confidence = rng.random(20_000)
    assert calibration.calibration_error(confidence, rng.random(20_000) < confidence) < 0.02
    assert calibration.calibration_error(np.full(100, 0.9), np.zeros(100)) == pytest.approx(0.9)
    assert calibration.chance_error(confidence[:100]) > calibration.chance_error(confidence)


def test_a_mapping_learns_what_told_right_from_wrong(tools):
    calibration = tools("calibration")
    name = "ln(1 + margin), silent, changed, ln entities, path, itself, asks, gaps, ln(1 + nats)"
    told = [
        calibration.Answer("p", 1, confidence=0.5, right=bool(at % 2), clear=True, margin=5.0 * (at % 2))
        for at in range(60)
    ]
    words, mapped = calibration.fitted(name, told, told)
    assert words.startswith("logistic over ln(1 + margin)")
    assert mapped[1] > 0.8
    assert mapped[0] < 0.2
