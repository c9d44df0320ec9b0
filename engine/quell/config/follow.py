"""``follow:`` of a page: what is needed to keep what was paged in step with its incident."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from quell.config.actions import Actions
from quell.config.nodes import Document, Path
from quell.config.settings import Source
from quell.errors import Problem
from quell.sdk.spec import ActionSpec


def following(
    document: Document, path: Path, to: str, *, spec: ActionSpec, sources: Sequence[Source], actions: Actions
) -> tuple[dict[str, Any], Problem | None]:
    """The fields of a route that follows; a problem where the action cannot be followed."""
    source, _, _ = to.rpartition(".")
    if not spec.taken or not spec.over:
        text = f'what "{to}" does cannot follow the incident: its connector cannot say that it was taken or is over'
        return {}, document.problem((*path, "follow"), text, "leave follow out")
    taken, over = f"{source}.{spec.taken}", f"{source}.{spec.over}"
    said = [found for name in (taken, over) if (found := actions.find(name)) is not None]
    shared = frozenset.intersection(*(frozenset(option.name for option in one.params) for one in (spec, *said)))
    by_id = {one.id: one.id for one in sources}
    by_kind = {one.use: one.id for one in reversed(sources)}
    known = by_id.get(source) or by_kind.get(source) or source
    return {"source": known, "taken": taken, "over": over, "shared": tuple(sorted(shared))}, None
