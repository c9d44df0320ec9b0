"""The second demo, `make demo-ml`: a table whose unit changes, a model that suffers, and what quell makes of it.

Everything is on loopback, on free ports and in a temporary folder, and is ended with the demo. README.md tells what is
real and what stands in for something.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from parts import Parts, python_with_mlflow, started
from shop import Shop
from story import Story
from telling import Telling

from quell.cli.exits import Failed

CALM_S = 15.0
"""How long all goes well first."""


def main() -> int:
    """Returns the exit code: 0 when the story went as it should."""
    parser = argparse.ArgumentParser(description="quell's second demo: data, a model and a business number")
    parser.add_argument("--keep-files", type=Path, help="copy the folder with logs, ticket and report there at the end")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    telling = Telling()
    place = Path(tempfile.mkdtemp(prefix="quell-demo-ml-"))
    began = time.monotonic()
    try:
        python = python_with_mlflow()
        began, telling = time.monotonic(), Telling()
        with ExitStack() as stack:
            _play(stack, place, python, telling)
    except Failed as failed:
        telling.line(f"the demo did not get to its end: {failed}")
        return 1
    except KeyboardInterrupt:
        telling.line("stopped; nothing is left running")
        return 130
    finally:
        if options.keep_files:
            shutil.copytree(place, options.keep_files, dirs_exist_ok=True)
        shutil.rmtree(place, ignore_errors=True)
    telling.line(f"\nnothing is left running; it took {time.monotonic() - began:.0f} seconds")
    return 0


def _play(stack: ExitStack, place: Path, python: Path, telling: Telling) -> None:
    telling.head("starting")
    parts: Parts = started(stack, place, python)
    telling.started(parts)
    shop = Shop(parts.client, parts.endpoint.url)
    stack.callback(shop.close)
    shop.start()
    story = Story(parts, shop, telling, place)
    story.calm(CALM_S)
    story.fault()
    story.until_over()
    story.epilogue()


if __name__ == "__main__":
    os.environ.setdefault("NO_PROXY", "*")
    sys.exit(main())
