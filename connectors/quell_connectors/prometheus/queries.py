"""Queries for evidence: which ones an entity gets, with its own names filled in safely."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

DEFAULTS: Mapping[str, Mapping[str, str]] = {"*": {"up": 'up{instance="${labels.instance}"}'}}
_HOLE = re.compile(r"\$\{\s*([A-Za-z_][\w.]*)\s*\}")


def queries_for(queries: Mapping[str, Any], entity: str, labels: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Metric names with finished queries: those of the entity's kind, then those for any."""
    kind, _, rest = entity.partition("/")
    known = {
        "entity": entity,
        "kind": labels.get("kind") or kind,
        "name": labels.get("name") or rest.rpartition("/")[2] or entity,
        **{f"labels.{name}": value for name, value in labels.items()},
    }
    for group in dict.fromkeys((known["kind"], kind, "*")):
        for metric, query in (queries.get(group) or {}).items():
            finished = _filled(str(query), known)
            if finished is not None:
                yield str(metric), finished


def _filled(query: str, known: Mapping[str, str]) -> str | None:
    """None when the entity lacks something that the query names."""
    if any(not known.get(hole) for hole in _HOLE.findall(query)):
        return None
    return _HOLE.sub(lambda match: _quoted(known[match[1]]), query)


def _quoted(value: str) -> str:
    """Text that cannot end the quoted string it is put into: an entity's name is somebody else's word."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("'", "\\'").replace("`", "")
    return escaped.replace("\n", "\\n").replace("\r", "")
