"""The figures as a card: all that the issue of a weekly digest wants to know, in Slack, in mail and as text."""

from __future__ import annotations

import importlib.util
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quell.chatops.html import html_card
from quell.chatops.plain import plain_card
from quell.sdk.chat import Button, Card, Line
from quell.sdk.connector import Call, Context
from quell.sdk.secret import Secret
from quell.sdk.testkit import NOW, run
from quell.stats.card import figures_card
from quell.stats.figures import Figures, Noisy
from quell.testing.slack import FakeSlack, InProcess
from quell_connectors.email.letter import letter_of
from quell_connectors.slack import Slack


def _week() -> Figures:
    """Those of the pictures in the docs."""
    place = Path(__file__).parents[2] / "docs" / "sample_figures.py"
    spec = importlib.util.spec_from_file_location("sample_figures", place)
    assert spec is not None
    assert spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    week: Figures = module.WEEK
    return week


WEEK = _week()
CARD = figures_card(WEEK, "digest/2026-03-09")
WANTED = (
    "41,380 events → 2,114 alerts → 37 incidents → 29 pages", "Held back: 1,440, 21 wanted later",
    "Waiting for company (hold): 377 alerts, 21 wanted later", "Wrong merges: 1 of 33", "Detected: 48s",
    "Acknowledged: 4m20s", "Resolved: 31m", "First cause right: 11 of 14 (79%)", "5 done, 1 failed",
    "minutes saved: 96", "QueueBlip: fired 214 times, 9 pages, 9 of them for nothing", "--- a/rules/triage.yaml",
    "hold: 5m",
)  # fmt: skip


def slack() -> tuple[Slack, FakeSlack]:
    workspace = FakeSlack(limits=False)
    options = {"bot_token": Secret(workspace.bot_token), "channel": "#incidents", "api_url": f"{workspace.base}api/"}
    return Slack(options, Context("slack", InProcess(workspace))), workspace


def test_a_digest_says_all_that_is_wanted_of_it() -> None:
    shown = plain_card(CARD)
    for wanted in WANTED:
        assert wanted in shown


def test_in_slack_it_is_blocks_that_slack_takes_and_a_repeat_posts_nothing() -> None:
    shows, workspace = slack()
    call = Call("digest/1", "post", {"text": "in words", "title": "t", "card": msgspec.to_builtins(CARD)}, NOW)
    for asked in (call, replace(call, again=True)):
        run(shows.act(asked))
    (message,) = workspace.messages
    assert {block["type"] for block in message.blocks} == {"header", "section", "context"}
    assert any("fields" in block for block in message.blocks)
    shown = re.sub(r"[*`]", "", str(message.blocks).replace("\\n", "\n").replace("\u200b", ""))
    for wanted in WANTED:
        assert wanted in shown


class Read(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.text, self.tags = "", set[str]()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        assert not {name for name, _ in attrs} - {
            "style",
            "lang",
            "charset",
            "href",
            "role",
            "cellspacing",
            "cellpadding",
        }

    def handle_data(self, data: str) -> None:
        self.text += data


def read(html: str) -> Read:
    reader = Read()
    reader.feed(html)
    return reader


def test_in_mail_it_is_html_beside_its_text_and_loads_nothing() -> None:
    html = html_card(CARD)
    shown = read(html).text
    for wanted in WANTED:
        assert wanted in shown
    options = {"sender": "quell@example.org", "to": ["ana@example.org"]}
    raw = letter_of({"text": "in words", "title": CARD.title, "html": html}, options, "mail", "k", NOW).raw
    assert b"multipart/alternative" in raw
    assert raw.index(b"text/plain") < raw.index(b"text/html")


@given(st.text(max_size=60), st.sampled_from(["lead", "cause", "fact", "item", "quote", "note"]))
def test_nobody_s_text_becomes_markup(text: str, kind: str) -> None:
    hostile = f"<script>alert(1)</script>{text}<img src=x onerror=y>"
    made = Card(
        key="k", version=1, title=hostile, severity=hostile, status=hostile, link="javascript:alert(1)",
        lines=(Line(hostile, kind), Line("f: " + hostile)),  # type: ignore[arg-type]
        buttons=(Button(verb="ack", label="Acknowledge"),),
    )  # fmt: skip
    assert not read(html_card(made)).tags & {"script", "img", "a", "button"}


def test_names_of_rules_cannot_format() -> None:
    noisy = Figures(from_time=0.0, to_time=86_400.0, noisiest=(Noisy(rule="**@channel** `x`", firings=3),))
    item = next(line for line in figures_card(noisy).lines if line.kind == "item")
    assert item.text == "* *@channel* * 'x': fired 3 times, 0 pages"


def test_a_week_in_which_nothing_came_in_is_told_too() -> None:
    assert "0 events → 0 alerts → 0 incidents → 0 pages" in plain_card(
        figures_card(Figures(from_time=0.0, to_time=604_800.0))
    )


@pytest.mark.parametrize(
    "card", [{"title": 5}, {"lines": []}, {"key": "k", "version": 1, "title": "t", "lines": ["x"]}]
)
def test_a_card_that_is_none_is_refused(card: dict[str, object]) -> None:
    shows, workspace = slack()
    with pytest.raises(Exception, match=r"^card: .*nothing was posted"):
        run(shows.act(Call("k", "post", {"text": "x", "card": card}, NOW)))
    assert workspace.messages == []
