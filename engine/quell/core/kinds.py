"""What kinds of entities are: what is data or made of data, what others make, what only shows or hands on.

Kinds are the names that teams give; those that have common parts are known by these.
"""

from __future__ import annotations

import re
from functools import lru_cache

MADE_OF_DATA = frozenset({"dataset", "feature", "column", "model", "prompt", "pipeline", "kpi"})
HANDS_ON = frozenset({"queue", "topic", "stream", "broker", "bus"})
_MADE = re.compile(r"feature|dataset|table|view|kpi|metric|business|fv$|slo$")
_SHOWN = re.compile(r"kpi|metric|business|slo$")


@lru_cache(maxsize=1024)
def made(kind: str) -> bool:
    """Whether others make what is of a kind, as a feature or a KPI: it does not fail by itself."""
    return bool(_MADE.match(kind))


@lru_cache(maxsize=1024)
def shown(kind: str) -> bool:
    """Whether what is of a kind only shows what became of others, as a KPI."""
    return bool(_SHOWN.match(kind))
