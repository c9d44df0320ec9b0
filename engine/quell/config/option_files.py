"""Mappings of sources that stand in files of their own, such as a table of prices."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

from quell.config.nodes import MAX_BYTES, read_document
from quell.errors import Problem
from quell.sdk.spec import Spec

ENDINGS = (".yaml", ".yml")


def is_file(value: object) -> bool:
    """Whether a value names a YAML file."""
    return isinstance(value, str) and value.endswith(ENDINGS)


def filled_in(
    spec: Spec, raw: Mapping[str, Any], directory: pathlib.Path, problems: list[Problem]
) -> tuple[dict[str, Any], str]:
    """The options with what their files hold, and the name of one that cannot be read ("" if none).

    Problems within a file are added to ``problems``. Paths are relative to quell.yaml.
    """
    options = dict(raw)
    for option in spec.options:
        value = raw.get(option.name)
        if not option.file or not is_file(value):
            continue
        try:
            data = (directory / str(value)).read_bytes()[: MAX_BYTES + 1]
        except (OSError, ValueError):
            return options, option.name
        document, wrong = read_document(str(value), data)
        problems += wrong
        options[option.name] = document.value if document is not None and document.value is not None else {}
    return options, ""


def files_in(raw: Any, directory: pathlib.Path) -> Iterator[pathlib.Path]:
    """The files that the sources of a quell.yaml may name."""
    sources = raw.get("sources") if isinstance(raw, dict) else None
    for entry in sources.values() if isinstance(sources, dict) else ():
        for value in entry.values() if isinstance(entry, dict) else ():
            if is_file(value):
                yield directory / value
