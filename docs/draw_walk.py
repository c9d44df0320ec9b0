"""Draws docs/pictures/walk.svg: one incident of the recorded storm, as `quell why INCIDENT --format svg` draws it.

    python docs/draw_walk.py [--out FILE]

The storm is replayed, and the incident is taken that blames a change with most confidence.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from quell.core.engine import Engine
from quell.model.rulebook import Rulebook
from quell.picture.draw import svg
from quell.replay.deliveries import deliveries_for
from quell.replay.reader import Reader
from quell.replay.run import replayed
from quell.sdk.registry import load_connectors

HERE = Path(__file__).parent
STORM = HERE.parent / "examples" / "storm" / "stream.jsonl.gz"


def main() -> None:
    """Replays, picks the incident that blames a change, draws it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--out", type=Path, default=HERE / "pictures" / "walk.svg")
    out: Path = parser.parse_args().out
    engine: Engine = replayed(Reader(deliveries_for((), load_connectors()), strict=True).read(STORM), Rulebook()).engine
    told = [found for name in engine.state.incidents if (found := engine.explain(name)) and found.change]
    explanation = max(told, key=lambda one: one.cause.confidence if one.cause else 0.0)
    out.write_text(svg(explanation), encoding="utf-8")
    print(f"{out}: {explanation.title}")


if __name__ == "__main__":
    main()
