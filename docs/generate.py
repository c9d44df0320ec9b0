"""Writes the pages below docs/reference/ that come from the declarations; --check says which are stale."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from generating.chat import chat_page
from generating.commands import commands_page
from generating.config import config_page
from generating.connectors import actions_page, connectors_page
from generating.http_api import http_api_page

REFERENCE = Path(__file__).parent / "reference"
NOTE = "<!-- Written by docs/generate.py from the declarations in the code; change them and run `make docs`. -->\n"


def main(arguments: Sequence[str]) -> int:
    """Writes the pages, or with ``--check`` names the stale ones and returns 1 if there are any."""
    stale = [name for name, text in pages().items() if _read(REFERENCE / name) != text]
    if "--check" in arguments:
        for name in stale:
            print(f"docs/reference/{name} is stale; run `make docs`")
        return int(bool(stale))
    REFERENCE.mkdir(exist_ok=True)
    for name, text in pages().items():
        (REFERENCE / name).write_text(text, encoding="utf-8")
    print(f"{len(stale)} of {len(pages())} pages changed")
    return 0


def pages() -> dict[str, str]:
    """The text of every generated page, by file name."""
    makers: Mapping[str, Callable[[], Iterable[str]]] = {
        "connectors.md": connectors_page,
        "actions.md": actions_page,
        "config.md": config_page,
        "commands.md": commands_page,
        "chat-commands.md": chat_page,
        "http-api.md": http_api_page,
    }
    return {name: NOTE + "\n" + "\n".join(make()).rstrip() + "\n" for name, make in makers.items()}


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
