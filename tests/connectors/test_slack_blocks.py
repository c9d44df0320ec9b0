"""Cards as Block Kit: word for word, within Slack's limits, and with nobody's text taken for a command to Slack."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.deliveries import GOLDEN
from connectors.slackland import card
from quell.sdk.chat import Button, Card, Field, Line, Modal, Said
from quell.testing.slack import kit
from quell_connectors.slack.blocks import blocks, picture_block, summary, text_blocks
from quell_connectors.slack.modal import view
from quell_connectors.slack.text import cut, mrkdwn, plain, preformatted, typed

VALUE = "INC-3f9a1c|7|open"
FULL = card(
    7,
    title="checkout fails for <everyone> & more",
    lines=(
        Line("Users feel it at checkout, cart", "lead"),
        Line("First cause: **payments-db** (81% sure)", "cause"),
        Line("Path: payments-db → payments → checkout"),
        Line("Change: deploy 3f9c2d1 (was 77ab001) by ana, 4m before it began"),
        Line("Playbook: `rollback-bad-deploy` R-0c7e is waiting"),
        Line("checkout 5xx ratio 34%", "item"),
        Line("see https://grafana.example/d/1?a=1&b=2.", "item"),
        Line("undo: argocd.rollback(app=checkout, id=41)", "quote"),
        Line("INC-3f9a1c, opened 21 Nov 03:12 UTC", "note"),
    ),
    buttons=(
        Button(verb="ack", label="Acknowledge", value=VALUE, style="primary"),
        Button(verb="resolve", label="Resolve", value=VALUE),
        Button(verb="silence", label="Silence 1h", value=VALUE),
        Button(verb="why", label="Why?", value=VALUE),
        Button(verb="run", label="Run…", value=VALUE),
        Button(verb="merge", label="Merge…", value=VALUE),
        Button(verb="split", label="Split…", value=VALUE),
        Button(verb="noise", label="Not actionable", value=VALUE, confirm="Was there nothing to do?"),
    ),
)
APPROVAL = Card(
    key="R-0c7e5f91",
    version=3,
    title="Approve rollback-bad-deploy for INC-3f9a1c?",
    severity="critical",
    status="waiting",
    lines=(
        Line("checkout broke 4m after deploy 3f9c2d1", "lead"),
        Line("undo: argocd.rollback(app=checkout)", "quote"),
    ),
    buttons=(
        Button(verb="approve", label="Approve…", value="R-0c7e5f91|3|waiting", style="primary"),
        Button(verb="reject", label="Reject…", value="R-0c7e5f91|3|waiting", style="danger", confirm="Sure?"),
    ),
    urgent=True,
)
OVER = card(
    9, status="resolved", buttons=(), link="", lines=(Line("Resolved by ana at 21 Nov 03:40 UTC: rolled back"),)
)


@pytest.mark.parametrize(("name", "shown"), [("incident", FULL), ("approval", APPROVAL), ("resolved", OVER)])
def test_cards_are_word_for_word_what_was_agreed(name: str, shown: Card) -> None:
    golden = json.loads((GOLDEN / "slack" / f"{name}.json").read_text())
    assert {"text": summary(shown), "blocks": blocks(shown)} == golden


def test_the_lock_screen_says_how_bad_what_and_why() -> None:
    told = "🔴 checkout fails — Users feel it at checkout — First cause: payments-db (81% sure) [CRITICAL · open]"
    assert summary(card()) == told


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("<!channel> <@U1> <https://evil|x>", "&lt;!channel&gt; &lt;@U1&gt; &lt;<https://evil>|x&gt;"),
        ("**bold** and `a & b`", "*bold* and `a &amp; b`"),
        ("my_long_name and 3 * 4 * 5", "my_long_name and 3 * 4 * 5"),
        ("*not bold* _nor this_ ~nor that~", "*\u200bnot bold\u200b* _\u200bnor this\u200b_ ~\u200bnor that\u200b~"),
        ("> not a quote", "\u200b&gt; not a quote"),
        ("a**b**c", "a\u200b*b*\u200bc"),
        ("https://a.example/x?y=1&z=2, then", "<https://a.example/x?y=1&amp;z=2>, then"),
        ("bell\x07 and turn\u202e", "bell and turn"),
    ],
)
def test_only_our_two_marks_mean_anything(text: str, written: str) -> None:
    assert mrkdwn(text, 3000) == written


def test_what_is_cut_is_counted() -> None:
    assert cut("x" * 500, 100).endswith("characters)")
    kept = cut("x" * 500, 100)
    told = re.search(r"\+(\d+)", kept)
    assert told is not None
    assert int(told[1]) == 500 - kept.count("x")
    assert len(kept) <= 100
    assert plain("a\nb **c**", 50) == "a b c"


def test_lines_that_do_not_fit_are_left_out_from_the_end_and_counted() -> None:
    many = card(lines=tuple(Line(f"{'&' * 400} {number}", "note" if number % 2 else "item") for number in range(90)))
    made = blocks(many)
    assert len(made) <= 50
    assert kit.characters(made) <= 13_200
    note = str(made[-2])
    assert "more lines left out here; open in quell" in note
    assert made[-1]["type"] == "actions"


def test_buttons_beyond_a_row_stand_in_a_menu_unless_they_ask_first() -> None:
    made = blocks(FULL)[-1]["elements"]
    labels = [one["text"]["text"] for one in made if one["type"] == "button"]
    assert labels == ["Acknowledge", "Resolve", "Silence 1h", "Why?", "Run…", "Not actionable"]
    assert [one["value"] for one in made[-1]["options"]] == [f"merge {VALUE}", f"split {VALUE}"]


@pytest.mark.parametrize("text", ["", "one", "line & more\n" * 300, "&" * 20_000, "\n" * 9])
def test_a_long_text_is_several_sections(text: str) -> None:
    made = text_blocks(text)
    assert kit.problems(made, kit.MESSAGE_BLOCKS, {}) == []
    assert kit.characters(made) <= kit.MOST_IN_ALL


_TEXT = st.text(st.characters(codec="utf-8"), max_size=400) | st.sampled_from(["", "&" * 4000, "`" * 90, "**a**" * 700])
_LINES = st.builds(Line, _TEXT, st.sampled_from(["lead", "cause", "fact", "item", "quote", "note"]))
_BUTTONS = st.builds(
    Button, verb=st.sampled_from(["ack", "why"]), label=_TEXT, value=_TEXT, confirm=st.sampled_from(["", "Sure?"])
)


@settings(max_examples=60)
@given(
    _TEXT, st.lists(_LINES, max_size=70), st.lists(_BUTTONS, max_size=12), st.sampled_from(["", "https://q.example/i"])
)
def test_slack_takes_every_card(title: str, lines: list[Line], buttons: list[Button], link: str) -> None:
    shown = Card(key="k", version=1, title=title, lines=tuple(lines), buttons=tuple(buttons), link=link)
    made = blocks(shown, picture_block("walk", url="https://q.example/p.png"))
    assert kit.problems(made, kit.MESSAGE_BLOCKS, {}) == []
    assert kit.characters(made) <= kit.MOST_IN_ALL
    assert not re.search(r"<[!@#]", json.dumps(made))


@settings(max_examples=40)
@given(
    _TEXT,
    st.lists(_LINES, max_size=130),
    st.lists(st.builds(Field, name=st.just("n"), label=_TEXT, value=_TEXT), max_size=1),
)
def test_slack_takes_every_dialog(title: str, lines: list[Line], fields: list[Field]) -> None:
    modal = Modal(title=title, submit=Button(verb="approve", label=title), lines=tuple(lines), fields=tuple(fields))
    made = view(modal, Said(id="1", who="U1"))
    assert kit.problems(made["blocks"], kit.VIEW_BLOCKS, {}) == []
    assert all(0 < len(made[name]["text"]) <= 24 for name in ("title", "submit", "close"))


@given(_TEXT, st.integers(40, 3000))
def test_texts_stay_within_their_length(text: str, most: int) -> None:
    assert len(mrkdwn(text, most)) <= most
    assert len(plain(text, most)) <= most
    assert len(preformatted(text, most)) <= most


@pytest.mark.parametrize(
    ("sent", "seen"),
    [
        ("assign INC-1 <@U0BO|bo>", "assign INC-1 @U0BO"),
        ("look at <#C1|general> <!here>", "look at #general here"),
        ("silence service=<http://checkout.example|checkout.example> &gt;", "silence service=checkout.example >"),
        ("see <https://a.example/x>", "see https://a.example/x"),
    ],
)
def test_what_is_typed_reads_as_it_was_typed(sent: str, seen: str) -> None:
    assert typed(sent) == seen


def _written(shown: Card) -> dict[str, Any]:
    return {"text": summary(shown), "blocks": blocks(shown)}


if __name__ == "__main__":
    for name, shown in (("incident", FULL), ("approval", APPROVAL), ("resolved", OVER)):
        path = GOLDEN / "slack" / f"{name}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(_written(shown), indent=1, ensure_ascii=False) + "\n")
