"""``follow:`` of a page."""

from __future__ import annotations

from pathlib import Path

import pytest

from quell.config import load
from quell.errors import Misconfigured
from quell.model.rulebook import Route, Rulebook
from quell.sdk.registry import find_connectors

SPECS = {name: connector.spec for name, connector in find_connectors().connectors.items()}
SOURCES = 'sources:\n  pd: {use: pagerduty, routing_key: "env:KEY"}\n  console: {use: console}\n'


def routes(tmp_path: Path, page: str) -> tuple[Route, ...]:
    (tmp_path / "quell.yaml").write_text(f"{SOURCES}pages:\n  - {page}\n")
    return load(tmp_path, SPECS, {"KEY": "k" * 32}).rulebook.routes


def test_a_page_that_follows_knows_how(tmp_path: Path) -> None:
    (route,) = routes(tmp_path, "{to: pd.trigger, follow: true, with: {component: cart}}")
    assert (route.source, route.taken, route.over) == ("pd", "pd.acknowledge", "pd.resolve")
    assert route.shared == ("incident", "key", "routing_key")
    (plain,) = routes(tmp_path, "{to: pd.trigger}")
    assert (plain.source, plain.taken, plain.over, plain.shared) == ("", "", "", ())


def test_what_cannot_follow_is_said(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r'what "console\.print" does cannot follow the incident'):
        routes(tmp_path, "{to: console.print, follow: true}")


ALONG = "routes: [{name: b, escalation: a}]"
RULES = """\
escalations:
  - name: web
    by: pd.trigger
    follow: true
    steps:
      - {to: person/ana}
      - {to: person/ana, follow: false}
      - {to: person/ana, by: console.print}
      - {to: pd.trigger, with: {component: web}, follow: true}
routes:
  - {name: all, to: pd.trigger, follow: true, with: {component: cart}}
  - {name: along, escalation: web}
"""


def in_rules(tmp_path: Path, rules: str) -> Rulebook:
    (tmp_path / "quell.yaml").write_text(SOURCES)
    (tmp_path / "people.yaml").write_text("people: [{id: ana}]\n")
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "oncall.yaml").write_text(rules)
    return load(tmp_path, SPECS, {"KEY": "k" * 32}).rulebook


def test_routes_in_rules_and_steps_of_chains_follow_too(tmp_path: Path) -> None:
    book = in_rules(tmp_path, RULES)
    route, along = book.routes
    assert (route.source, route.taken, route.over) == ("pd", "pd.acknowledge", "pd.resolve")
    assert route.shared == ("incident", "key", "routing_key")
    assert along.source == ""
    (chain,) = book.chains
    assert [(one.source, one.taken, one.over) for one in chain.stages] == [
        ("pd", "pd.acknowledge", "pd.resolve"),
        ("", "", ""),
        ("", "", ""),
        ("pd", "pd.acknowledge", "pd.resolve"),
    ]
    assert chain.stages[0].shared == route.shared


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ("routes: [{name: a, to: console.print, follow: true}]", r'what "console\.print" does cannot follow'),
        ("routes: [{name: a, to: digest, early: true, follow: true}]", '"follow" goes with an action'),
        (
            "escalations: [{name: a, follow: true, steps: [{to: console.print}]}]\n" + ALONG,
            '"follow" of a chain goes with its "by"',
        ),
        (
            "escalations: [{name: a, by: console.print, follow: true, steps: [{to: person/ana}]}]\n" + ALONG,
            r'what "console\.print" does cannot follow',
        ),
        (
            "escalations: [{name: a, steps: [{to: console.print, follow: true}]}]\n" + ALONG,
            r'what "console\.print" does cannot follow',
        ),
        ("routes: [{name: a, escalation: b, follow: true}]", '"follow" goes with an action'),
    ],
)
def test_what_cannot_follow_in_rules_is_said(tmp_path: Path, rules: str, said: str) -> None:
    with pytest.raises(Misconfigured, match=said):
        in_rules(tmp_path, rules)
