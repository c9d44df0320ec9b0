"""What jobs, datasets and columns of OpenLineage are called in the dependency graph."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quell.errors import BadPayload
from quell.sdk.partitions import Whole, whole

LONGEST = 500


class Names:
    """``pipeline/NAME`` and ``dataset/NAME``, with a prefix where the options give one for the namespace."""

    def __init__(self, namespaces: Mapping[str, Any], *, partitions: bool = False) -> None:
        self._prefixes = {str(name): None if prefix is None else str(prefix) for name, prefix in namespaces.items()}
        self.partitions = partitions
        """Whether each partition, and each run's own job, is an entity of its own."""

    def wanted(self, namespace: str) -> bool:
        """Whether anything of a namespace is taken."""
        return self._prefixes.get(namespace, "") is not None

    def whole(self, name: str) -> Whole:
        """Of what a job or dataset of this name is a part, by the name alone."""
        plain = name.strip().strip("/")
        return Whole(plain, "") if self.partitions or len(plain) > LONGEST else whole(plain)

    def of(self, kind: str, namespace: str, name: str) -> str:
        """The entity. Raises `BadPayload` for a name that is none."""
        plain = name.strip().strip("/")
        if not plain or len(plain) > LONGEST:
            raise BadPayload(f'a {kind} is called "{name[:80]}"; a name has 1 to {LONGEST} characters')
        return f"{kind}/{self._prefixes.get(namespace) or ''}{plain}"


def column(dataset: str, name: str) -> str:
    """The entity of a column of a dataset or feature view."""
    return f"column/{dataset.partition('/')[2]}.{name}"[:LONGEST]


def owner_of(name: str) -> str:
    """``team:data`` → data."""
    kind, colon, rest = name.partition(":")
    return rest if colon and kind in {"team", "group", "user", "person"} else name
