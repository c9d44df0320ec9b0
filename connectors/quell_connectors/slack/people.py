"""Who is meant: people by their member IDs."""

from __future__ import annotations

import re

_PERSON = re.compile(r"[UW][A-Z0-9]{6,}")


def is_person(channel: str) -> bool:
    """Whether it is somebody's member ID."""
    return _PERSON.fullmatch(channel) is not None
