"""``follow:`` of a page."""

from __future__ import annotations

from pathlib import Path

import pytest

from quell.config import load
from quell.errors import Misconfigured
from quell.model.rulebook import Route
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
