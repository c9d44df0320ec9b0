"""URLs of PostgreSQL databases: what is taken for one, and how one is shown."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, unquote

SCHEMES = ("postgresql://", "postgres://")
FORM = "postgresql://USER:PASSWORD@HOST/DATABASE"

_WORD = r"[^\s:/?#@\[\],]*"
_HOST = rf"(?:\[[0-9A-Fa-f:.]+\]|{_WORD})(?::\d{{1,5}})?"
_URL = re.compile(
    rf"postgres(?:ql)?://(?:(?P<user>{_WORD})(?::(?P<password>[^\s:/?#@]*))?@)?(?P<hosts>{_HOST}(?:,{_HOST})*)"
    rf"(?:/(?P<name>[^\s/?#@]*))?(?:\?(?P<query>[^\s#]*))?"
)


class Place:
    """A URL taken apart: ``shown`` holds no secret. Raises ValueError for what has another form, naming no part of it.

    Hosts may be several, so that the one that can be written to is found; ``?host=/run/postgresql`` is a socket.
    """

    def __init__(self, url: str) -> None:
        found = _URL.fullmatch(url)
        if found is None:
            raise ValueError(f'it is not a URL of the form "{FORM}" (in a password write %40 for @, %2F for /)')
        query = parse_qs(found["query"] or "")
        user = f"{found['user']}@" if found["user"] else ""
        hosts = found["hosts"] or ",".join(query.get("host", [])) or "localhost"
        self.shown = f"postgresql://{user}{hosts}/{found['name'] or ''}"
        written = [found["password"] or "", *query.get("password", [])]
        self._secrets = sorted({each for text in written for each in (text, unquote(text)) if each}, key=len)

    def cleared(self, text: str) -> str:
        """The text without what is secret."""
        for secret in reversed(self._secrets):
            text = text.replace(secret, "***")
        return text
