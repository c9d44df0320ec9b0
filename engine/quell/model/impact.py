"""What trouble harms: the system, what models do, the business, or fairness; each weighs more than the one before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, get_args

Impact = Literal["system", "model", "business", "fairness"]
IMPACTS: tuple[Impact, ...] = get_args(Impact)
LABEL = "impact"
BURN_LABEL, BURN = "page", "burn"
"""The label by which an alert pages whatever it harms: a budget is spent too fast."""
BUSINESS_KINDS = frozenset({"kpi"})
MODEL_KINDS = frozenset({"model", "feature", "dataset", "pipeline", "prompt"})
"""Kinds of entities whose alerts alone say nothing of users."""
_RANKS: dict[str, int] = {name: rank for rank, name in enumerate(IMPACTS, start=1)}
_NAMED: dict[str, Impact] = {name: name for name in IMPACTS}


def impact_of(labels: Mapping[str, str], entity: str) -> Impact:
    """What an alert harms: what its label ``impact`` says, else what follows from the kind of its entity."""
    named = _NAMED.get(labels.get(LABEL, "").strip().lower())
    if named is not None:
        return named
    kind = entity.partition("/")[0]
    if kind in BUSINESS_KINDS:
        return "business"
    return "model" if kind in MODEL_KINDS else "system"


def highest(impacts: Iterable[str]) -> Impact | Literal[""]:
    """The one that weighs most; "" of none."""
    found = max(impacts, key=lambda one: _RANKS.get(one, 0), default="")
    return _NAMED.get(found, "")


def burns(labels: Mapping[str, str]) -> bool:
    """Whether an alert tells of a budget that is spent so fast that somebody is woken."""
    return labels.get(BURN_LABEL) == BURN
