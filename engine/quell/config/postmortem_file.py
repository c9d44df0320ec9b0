"""``postmortem:`` in quell.yaml: of which incidents quell keeps a draft by itself, and where."""

from __future__ import annotations

import pathlib
from typing import Annotated, Literal

from pydantic import AfterValidator

from quell.config.fields import Shape, Span
from quell.config.settings import PostmortemSettings
from quell.model.impact import Impact

_FOLDER = "postmortems"


def _folder(value: str) -> str:
    if not value.strip() or "\x00" in value:
        raise ValueError(f'a directory is needed, such as "{_FOLDER}"')
    try:
        pathlib.Path(value).expanduser()
    except RuntimeError:
        raise ValueError("nobody has such a home; expected a directory, relative to this file or absolute") from None
    return value


class PostmortemShape(Shape):
    """Drafts of post-mortems, one for each significant incident that is over and stays so."""

    drafts: bool = True
    """Whether quell keeps drafts by itself; false: they are asked for by command only."""
    directory: Annotated[str, AfterValidator(_folder)] = _FOLDER
    """Where they are kept, relative to this file; made when the first is."""
    settle: Span = 1800.0
    """So long an incident is over before its draft is written."""
    paged: bool = True
    """Only of incidents that people were called for; an early sign called nobody."""
    lasted: Span = 300.0
    """Only of incidents that lasted so long."""
    severity: Literal["critical", "high", "warning", "low", "info"] = "critical"
    """Of incidents as severe as this or worse, whatever word a tool has for it ..."""
    impact: Impact = "business"
    """... and of those whose alerts show this impact or more: system, model, business, fairness."""
    tickets: bool = True
    """Whether a ticket that was opened as the incident's page, and is open still, gets a comment with the place."""


def read_postmortem(shape: PostmortemShape, directory: pathlib.Path) -> PostmortemSettings | None:
    """The setting; None when nothing is kept unasked."""
    if not shape.drafts:
        return None
    return PostmortemSettings(
        directory=directory / pathlib.Path(shape.directory).expanduser(),
        shown=shape.directory,
        settle_s=shape.settle,
        paged=shape.paged,
        lasted_s=shape.lasted,
        severity=shape.severity,
        impact=shape.impact,
        tickets=shape.tickets,
    )
