"""The demo's folder: a configuration with sources, playbooks and a token of its own."""

from __future__ import annotations

from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from secrets import token_hex

_FILES = "files"


def write_estate(folder: Path, tickets_url: str) -> str:
    """Writes quell.yaml, playbooks and tokens.yaml into ``folder``; returns the admin token, which is only here."""
    _copy(files("quell.cli.demo") / _FILES, folder, tickets_url)
    token = f"qll_demo_{token_hex(32)}"
    digest = sha256(token.encode()).hexdigest()
    (folder / "tokens.yaml").write_text(
        f'tokens:\n  - {{id: demo, sha256: "{digest}", scopes: [admin], by: you}}\n', encoding="utf-8"
    )
    return token


def _copy(source: Traversable, target: Path, tickets_url: str) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for item in source.iterdir():
        if item.is_dir():
            _copy(item, target / item.name, tickets_url)
        elif item.name.endswith(".yaml"):
            text = item.read_text(encoding="utf-8").replace("TICKETS", tickets_url)
            (target / item.name).write_text(text, encoding="utf-8")
