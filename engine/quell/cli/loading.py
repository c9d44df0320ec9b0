"""How commands read a configuration: with the connectors that are installed and this process's environment."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import click

from quell.cli.harmless import harmless
from quell.config.building import refused, unasked
from quell.config.loading import Loaded, RulesAt, load_file
from quell.errors import Misconfigured
from quell.sdk.registry import Installed, installed


def loaded_from(
    path: Path, *, secrets_needed: bool = True, rules: RulesAt | None = None, connectors: Installed | None = None
) -> Loaded:
    """The checked configuration of a directory or of a quell.yaml. Raises `Misconfigured` with every problem.

    Without ``secrets_needed`` it may refer to secrets that are not here. ``rules`` says where rules and playbooks are,
    if not where quell.yaml says. What is wrong with connectors that it names is told as well.
    """
    kinds = installed() if connectors is None else connectors
    try:
        return load_file(path, kinds.specs, os.environ, secrets_needed=secrets_needed, rules=rules)
    finally:
        tell_problems(kinds)


def checked_from(path: Path, *, secrets_needed: bool = True) -> Loaded:
    """As `loaded_from`, with every connector set up once, as a start would do, and a few more warnings."""
    connectors = installed()
    found = loaded_from(path, secrets_needed=secrets_needed, connectors=connectors)
    problems = refused(found.settings, connectors)
    if problems:
        raise Misconfigured(problems)
    return replace(found, warnings=(*found.warnings, *unasked(found.settings, connectors)))


def tell_problems(connectors: Installed) -> None:
    """Says on stderr what is wrong with the connectors that were asked for."""
    for problem in connectors.problems:
        click.echo(harmless(str(problem)), err=True)
