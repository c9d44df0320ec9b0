"""The demo's folder: a configuration with sources, playbooks and a token of its own."""

from __future__ import annotations

import shutil
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from quell.cli.starting import new_token
from quell.config.starter import write_starter

_FILES = "files"


def write_estate(folder: Path, tickets_url: str) -> str:
    """Writes the starter's rules, the demo's quell.yaml and playbooks; returns the admin token, which is only here."""
    token, digest = new_token("demo")
    write_starter(folder, digest, "demo")
    shutil.rmtree(folder / "playbooks")
    _copy(files("quell.cli.demo") / _FILES, folder, tickets_url)
    return token


def _copy(source: Traversable, target: Path, tickets_url: str) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for item in source.iterdir():
        if item.is_dir():
            _copy(item, target / item.name, tickets_url)
        elif item.name.endswith(".yaml"):
            text = item.read_text(encoding="utf-8").replace("TICKETS", tickets_url)
            (target / item.name).write_text(text, encoding="utf-8")
