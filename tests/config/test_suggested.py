"""Suggestions as a rules file: it says what was meant, passes the check, and nothing in a text can break out of it."""

from __future__ import annotations

from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from quell.config.suggested import rules_file
from quell.model.habits import Suggestion

RULES: dict[str, dict[str, Any]] = {
    "dependency": {"from": "service/a", "to": ["service/b"], "type": "calls"},
    "hold": {"name": "h", "match": ['alertname="A"'], "verdict": "hold", "hold": "5m", "reason": "heals"},
    "digest": {"name": "d", "match": ['alertname="B"'], "verdict": "digest", "reason": "useless"},
    "inhibit": {"name": "i", "source": ['alertname="A"'], "target": ['alertname="B"'], "equal": ["service"]},
    "map": {"name": "m", "match": ['shelf!=""'], "entity": "service/${labels.shelf}"},
}


def suggestion(kind: str, text: str = "so it is", *evidence: str, **more: Any) -> Suggestion:
    given = {"rule": RULES[kind], "support": 3, "chance": 0.5, "confidence": 0.75, **more}
    return Suggestion(id=f"sug-{kind}", kind=kind, text=text, evidence=evidence, **given)  # type: ignore[arg-type]


def test_each_kind_stands_where_rules_files_have_it() -> None:
    text = rules_file([suggestion(kind) for kind in RULES], "to review")
    assert yaml.safe_load(text) == {
        "topology": {"dependencies": [RULES["dependency"]]},
        "triage": {"rules": [RULES["hold"], RULES["digest"]]},
        "inhibit": [RULES["inhibit"]],
        "map": [RULES["map"]],
    }
    assert "    # sug-hold, 75% sure: so it is" in text.splitlines()


def test_without_suggestions_there_is_only_the_comment() -> None:
    assert rules_file([], "nothing\nto see") == "# nothing\n# to see\n"


def test_long_evidence_is_folded_within_the_comment() -> None:
    text = rules_file([suggestion("map", "x", "word " * 80, "y" * 300)], "head")
    assert yaml.safe_load(text) == {"map": [RULES["map"]]}
    assert all(len(line) <= 120 for line in text.splitlines() if line.lstrip().startswith("#"))


@given(st.text(), st.text(), st.text(max_size=20))
def test_no_text_breaks_out_of_its_place(said: str, evidence: str, name: str) -> None:
    rule = {**RULES["hold"], "name": name, "match": [f"alertname={name}"]}
    text = rules_file([suggestion("hold", said, evidence, rule=rule)], said)
    assert yaml.safe_load(text) == {"triage": {"rules": [rule]}}
