"""Draws docs/pictures/web-*.png: pages as a browser shows them, by Debian's chromium.

    python docs/draw_pages.py [--out FOLDER]

The recorded storm is replayed; the incident is shown that blames a change with most confidence, and the list of all.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from quell.core.engine import Engine
from quell.core.similar import similar
from quell.model.rulebook import Rulebook
from quell.picture.draw import svg
from quell.replay.deliveries import deliveries_for
from quell.replay.reader import Reader
from quell.replay.run import replayed
from quell.sdk.registry import load_connectors
from quell.web import views
from quell.web.site import files_of_pages, render

HERE = Path(__file__).parent
STORM = HERE.parent / "examples" / "storm" / "stream.jsonl.gz"


def main() -> None:
    """Replays, writes the pages, has them drawn."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--out", type=Path, default=HERE / "pictures")
    out: Path = parser.parse_args().out
    engine: Engine = replayed(Reader(deliveries_for((), load_connectors()), strict=True).read(STORM), Rulebook()).engine
    with tempfile.TemporaryDirectory() as folder:
        for name, height, html in pages(engine, Path(folder)):
            source, target = Path(folder) / f"{name}.html", out / f"{name}.png"
            source.write_text(html, encoding="utf-8")
            command = [
                shutil.which("chromium") or "chromium", "--headless=new", "--no-sandbox", "--hide-scrollbars",
                f"--window-size=1180,{height}", f"--screenshot={target}", source.as_uri(),
            ]  # fmt: skip
            subprocess.run(command, check=True, capture_output=True, timeout=60)  # noqa: S603 -- our pages
            print(f"{target}: {target.stat().st_size} bytes")


def pages(engine: Engine, folder: Path) -> Iterator[tuple[str, int, str]]:
    """Names, heights in pixels and the pages, whose files lie in ``folder``."""
    state = engine.state
    told = [found for name in state.incidents if (found := engine.explain(name)) and found.change]
    explanation = max(told, key=lambda one: one.cause.confidence if one.cause else 0.0)
    incident = state.incidents[explanation.incident]
    (folder / "walk.svg").write_text(svg(explanation), encoding="utf-8")
    for name, (content, _) in files_of_pages().items():
        (folder / name).write_bytes(content)
    now = views.Now(open=3, firing=sum(one.firing for one in state.alerts.values()), asking=0, paused_by="", notes=())
    plain: dict[str, Any] = {"by": "ana", "now": now, "live": False, "here": "incidents"}
    whole = views.whole(state, incident, explanation, similar(incident, state.incidents.values()))
    shown = render("incident", **plain, whole=whole, may_act=True)
    yield (
        "web-incident",
        1330,
        _local(shown.replace(f"/incidents/{incident.id}/walk.svg?{incident.version}.0", "walk.svg")),
    )
    listed = views.incidents(state, all_of_them=True)
    yield "web-incidents", 560, _local(render("incidents", **plain, listed=listed, all=True))


def _local(html: str) -> str:
    """The files of the page beside it, and times as they are: the storm is long over."""
    return html.replace("/static/quell.js", "").replace("/static/", "")


if __name__ == "__main__":
    main()
