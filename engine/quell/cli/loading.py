"""How commands read a configuration: with the connectors that are installed and this process's environment."""

from __future__ import annotations

import os
from pathlib import Path

import click

from quell.config.loading import Loaded, load_file
from quell.sdk.registry import find_connectors


def loaded_from(path: Path) -> Loaded:
    """The checked configuration of a directory or of a quell.yaml. Raises `Misconfigured` with every problem."""
    found = find_connectors()
    for problem in found.problems:
        click.echo(str(problem), err=True)
    specs = {name: connector.spec for name, connector in found.connectors.items()}
    return load_file(path, specs, os.environ)
