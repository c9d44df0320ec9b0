"""``digest:`` in quell.yaml: when the figures of the last while are told, and to whom."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, Field

from quell.config.actions import Actions
from quell.config.fields import Shape, Span, Zone
from quell.config.nodes import Document
from quell.config.references import Known
from quell.config.settings import DigestSettings
from quell.errors import ExpressionError, Problem
from quell.expressions.cron import Cron

DIGEST_PARAMS = frozenset({"text", "title"})
"""Parameters that quell fills in when they are left out, and names that the others may refer to."""
_WEEK_S = 7 * 86_400.0


def _cron(value: str) -> str:
    try:
        return Cron(value).text
    except ExpressionError as error:
        raise ValueError(str(error)) from None


class DigestShape(Shape):
    """A digest of what came in and what became of it: the figures of `quell stats`, in words."""

    to: str
    """The action, as id.verb; one that tells people something, such as console.print."""
    with_: dict[str, Any] = Field(default={}, alias="with")
    """Its parameters; ${title} and ${text} are the digest's. These two are filled in if left out."""
    cron: Annotated[str, AfterValidator(_cron)] = "0 9 * * mon"
    """When, as a cron line of five fields."""
    zone: Zone = "UTC"
    """The time zone of these times."""
    over: Span = _WEEK_S
    """Of how long before that."""


def read_digest(
    document: Document, shape: DigestShape | None, actions: Actions, problems: list[Problem]
) -> DigestSettings | None:
    """The setting, with what is wrong about its action added to ``problems``; None when there is none."""
    raw = document.value.get("digest") if isinstance(document.value, dict) else None
    if isinstance(raw, dict):
        spec = actions.check(
            document, ("digest",), raw, problems,
            known=Known(roots=DIGEST_PARAMS), verb="to", given=DIGEST_PARAMS, built_in=False,
        )  # fmt: skip
        if spec is not None and spec.effect != "tell":
            message = f'action "{raw["to"]}" does not tell people something: its effect is "{spec.effect}"'
            problems.append(document.problem(("digest", "to"), message, "name one such as console.print"))
    if shape is None:
        return None
    return DigestSettings(action=shape.to, params=shape.with_, cron=shape.cron, zone=shape.zone, over_s=shape.over)
