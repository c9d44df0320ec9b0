"""Draws docs/pictures/slack-*.png and mail-*.png: cards and dialogs as people see them, by Debian's chromium.

    python docs/draw_cards.py [--out FOLDER] [--html]

The recorded storm is replayed, and the incident is taken that blames a change with most confidence. What is drawn are
the blocks that the Slack connector sends. With --html the pages are written as well.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quell.chatops.cards import approval_card, digest_card, incident_card, story
from quell.chatops.html import html_card
from quell.core.blast import Estate, reach
from quell.core.engine import Engine
from quell.model.incident import Incident
from quell.model.playbook import Place
from quell.model.rulebook import Rulebook
from quell.model.run import Approval, Run, StepRun
from quell.picture.draw import svg
from quell.replay.deliveries import deliveries_for
from quell.replay.reader import Reader
from quell.replay.run import replayed
from quell.sdk.chat import Button, Card, Field, Line, Modal, Said
from quell.sdk.registry import load_connectors
from quell.stats.card import figures_card
from quell.testing.slack import dialog, page
from quell_connectors.slack.blocks import blocks, picture_block, text_blocks
from quell_connectors.slack.modal import view
from sample_figures import WEEK

HERE = Path(__file__).parent
STORM = HERE.parent / "examples" / "storm" / "stream.jsonl.gz"
LINK = "https://quell.example"
_WALK = "F0WALK0000"


@dataclass(frozen=True)
class Sheet:
    """One picture: a page."""

    name: str
    html: str


def main() -> None:
    """Replays, makes the cards, draws them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--out", type=Path, default=HERE / "pictures")
    parser.add_argument("--html", action="store_true")
    asked = parser.parse_args()
    engine: Engine = replayed(Reader(deliveries_for((), load_connectors()), strict=True).read(STORM), Rulebook()).engine
    for sheet in sheets(engine):
        target = asked.out / f"{sheet.name}.png"
        shot(sheet, target)
        if asked.html:
            target.with_suffix(".html").write_text(sheet.html, encoding="utf-8")
        print(f"{target}: {target.stat().st_size} bytes")


def sheets(engine: Engine) -> list[Sheet]:
    """What is drawn."""
    told = [found for name in engine.state.incidents if (found := engine.explain(name)) and found.change]
    explanation = max(told, key=lambda one: one.cause.confidence if one.cause else 0.0)
    incident = engine.state.incidents[explanation.incident]
    card = incident_card(engine.state, incident, LINK)
    run = _run(incident)
    approval = approval_card(engine.state, run, LINK)
    walk = svg(explanation).encode()
    many = list(engine.state.incidents.values())
    picture = picture_block("how trouble travelled", file_id=_WALK)
    way = " → ".join(incident.suspects[0].path)
    graph = Card(key="graph", version=1, title=f"How trouble travelled in {incident.id}", lines=(Line(way, "cause"),))
    told, _, _ = story(incident, 0.0)
    thread = [
        {"blocks": text_blocks(told)},
        {"who": "ana", "text": "@quell graph", "when": "03:14"},
        {**_shown(graph, picture), "when": "03:14"},
        {"who": "ana", "text": "@quell ack", "when": "03:15"},
        {"blocks": text_blocks(f"**{incident.id}** is acknowledged by ana"), "when": "03:15"},
    ]
    week = figures_card(WEEK)
    return [
        Sheet("slack-incident", page([_shown(card)])),
        Sheet("slack-thread", page(thread, "incidents, a thread", {_WALK: walk})),
        Sheet("slack-approval", page([_shown(approval)])),
        Sheet("slack-digest", page([_shown(digest_card("digest/incidents", many, 1))])),
        Sheet(
            "slack-dialog",
            dialog(
                view(_dialog(approval, reach(run.targets, Estate(lambda: engine.graph))), Said(id="1", who="U0ANA0000"))
            ),
        ),
        Sheet("slack-figures", page([{**_shown(week), "when": "09:00"}], "on-call")),
        Sheet("mail-figures", html_card(week)),
    ]


def _shown(card: Card, picture: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"blocks": blocks(card, picture)}


def _dialog(approval: Card, reached: str) -> Modal:
    return Modal(
        title=approval.title,
        submit=Button(verb="approve", label="Approve", value=approval.key),
        lines=(*(line for line in approval.lines if line.kind != "note"), Line(f"Blast radius: {reached}")),
        fields=(Field(name="because", label="Because", optional=True),),
    )


def _run(incident: Incident) -> Run:
    """A run that waits for a yes, of the starter that takes a deploy back."""
    at, name = incident.opened_at, incident.suspects[0].entity.rpartition("/")[2]
    return Run(
        id="R-0c7e5f91",
        playbook="rollback-bad-deploy",
        incident=incident.id,
        state="waiting",
        mode="enforce",
        why="the first cause is a deploy shortly before it began",
        started_at=at,
        updated_at=at,
        steps=(
            StepRun(id="quiet", do="argocd.auto_sync", params={"app": name, "on": False}),
            StepRun(id="back", do="argocd.rollback", params={"app": name, "id": 41}),
        ),
        targets=(incident.suspects[0].entity,),
        place=Place(file="playbooks/rollback-bad-deploy.yaml", line=14, commit="3f9c2d1e0a5577ab"),
        approval=Approval(
            step="", asked_at=at, expires_at=at + 900.0, who=("team payments",), incident_version=incident.version
        ),
    )


def shot(sheet: Sheet, target: Path) -> None:
    """Draws a page, as high as it is."""
    measuring = "<script>document.documentElement.dataset.high = document.body.scrollHeight</script></body>"
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "page.html"
        source.write_text(sheet.html.replace("</body>", measuring), encoding="utf-8")
        measured = re.search(r'data-high="(\d+)"', _chromium(folder, "--window-size=720,100", "--dump-dom", source))
        high = int(measured[1]) if measured else 900
        _chromium(folder, f"--window-size=720,{high}", f"--screenshot={target}", source)


def _chromium(folder: str, size: str, what: str, source: Path) -> str:
    program = shutil.which("chromium")
    if program is None:
        raise SystemExit("chromium is not on PATH; on Debian: apt-get install chromium")
    flags = ["--headless", "--no-sandbox", "--hide-scrollbars", "--disable-gpu", f"--user-data-dir={folder}/profile"]
    command = [program, *flags, size, what, source.as_uri()]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout  # noqa: S603 -- our page


if __name__ == "__main__":
    main()
