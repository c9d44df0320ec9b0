"""How commands read a configuration: with the connectors that are installed and this process's environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import click

from quell.config.building import refused, unasked
from quell.config.loading import Loaded, RulesAt, load_file
from quell.errors import Misconfigured
from quell.sdk.connector import Connector
from quell.sdk.registry import find_connectors


def loaded_from(path: Path, *, secrets_needed: bool = True, rules: RulesAt | None = None) -> Loaded:
    """The checked configuration of a directory or of a quell.yaml. Raises `Misconfigured` with every problem.

    Without ``secrets_needed`` it may refer to secrets that are not here. ``rules`` says where rules and playbooks are,
    if not where quell.yaml says.
    """
    return _loaded(path, installed(), secrets_needed=secrets_needed, rules=rules)


def checked_from(path: Path, *, secrets_needed: bool = True) -> Loaded:
    """As `loaded_from`, with every connector set up once, as a start would do, and a few more warnings."""
    connectors = installed()
    found = _loaded(path, connectors, secrets_needed=secrets_needed)
    problems = refused(found.settings, connectors)
    if problems:
        raise Misconfigured(problems)
    return replace(found, warnings=(*found.warnings, *unasked(found.settings, connectors)))


def installed() -> Mapping[str, type[Connector]]:
    """The installed connectors; what is wrong with others is told."""
    found = find_connectors()
    for problem in found.problems:
        click.echo(str(problem), err=True)
    return found.connectors


def _loaded(
    path: Path,
    connectors: Mapping[str, type[Connector]],
    *,
    secrets_needed: bool = True,
    rules: RulesAt | None = None,
) -> Loaded:
    specs = {name: connector.spec for name, connector in connectors.items()}
    return load_file(path, specs, os.environ, secrets_needed=secrets_needed, rules=rules)
