"""The ``store`` setting: which URLs are taken for one. Nothing is opened or connected."""

from __future__ import annotations

import re

from quell.config.nodes import Document
from quell.config.options import Unfit
from quell.config.secrets import Secrets
from quell.errors import Problem

_SQLITE = "sqlite:///"
_KINDS = ("sqlite:", "postgresql:", "postgres:", "memory:")
_HOST = r"(?:\[[0-9A-Fa-f:.]+\]|[^\s:/?#@\[\],]*)(?::\d{1,5})?"
_POSTGRESQL = re.compile(
    rf"postgres(?:ql)?://(?:[^\s:/?#@\[\],]*(?::[^\s:/?#@]*)?@)?{_HOST}(?:,{_HOST})*(?:/[^\s/?#@]*)?(?:\?[^\s#]*)?"
)


def read_store(document: Document, text: str, secrets: Secrets, problems: list[Problem]) -> str:
    """The store's URL with a relative SQLite path made absolute."""
    if text.startswith(("env:", "file:")):
        if not secrets.needed:
            return text
        try:
            text = secrets.read(text).reveal()
        except Unfit as error:
            problems.append(document.problem(("store",), str(error), error.suggestion))
            return ""
    if "://" not in text:
        problems.append(
            document.problem(("store",), "the store is not a URL", 'write one such as "sqlite:///quell.db"')
        )
        return ""
    if text.startswith(("postgresql:", "postgres:")) and not _POSTGRESQL.fullmatch(text):
        problem = "the store is not a URL of a PostgreSQL database"  # what it is may hold a password
        form = 'write "postgresql://USER:PASSWORD@HOST/DATABASE", in a password %40 for @ and %2F for /'
        problems.append(document.problem(("store",), problem, form))
        return ""
    if not text.startswith(_KINDS):
        kind = text.partition(":")[0]
        expected = 'write "sqlite:///quell.db" or "postgresql://USER:PASSWORD@HOST/DATABASE"'
        problems.append(document.problem(("store",), f'a store of kind "{kind}" is unknown', expected))
        return ""
    path = text.removeprefix(_SQLITE)
    if path == text or not path or path.startswith((":memory:", "/")):
        return text
    return f"{_SQLITE}{secrets.directory.absolute() / path}"
