"""Which suggestion would quieten which of the noisiest rules."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from quell.model.habits import Suggestion, suggestion_id
from quell.stats.figures import Figures, Noisy

MOST_NOISY = 10
_NONE = "nothing to suggest: it has not fired often enough, people acted on it, or a rule of yours speaks of it"


def suggested_for(figures: Figures, suggestions: Iterable[Suggestion]) -> tuple[Figures, list[Suggestion]]:
    """The figures with the `MOST_NOISY` noisiest rules and what is suggested about them, and these suggestions.

    Only what would have fewer people called is of use here: hold, digest, inhibit.
    """
    known = {one.id: one for one in suggestions if one.kind in {"hold", "digest", "inhibit"}}
    noisiest, found = [], []
    for noisy in figures.noisiest[:MOST_NOISY]:
        change = _change(noisy, known)
        noisiest.append(
            msgspec.structs.replace(noisy, change=change.id if change else "", text=change.text if change else _NONE)
        )
        if change is not None and change not in found:
            found.append(change)
    return msgspec.structs.replace(figures, noisiest=tuple(noisiest)), found


def _change(noisy: Noisy, known: dict[str, Suggestion]) -> Suggestion | None:
    for kind in ("digest", "hold"):
        found = known.get(suggestion_id(kind, noisy.rule))
        if found is not None:
            return found
    hidden: Sequence[Suggestion] = [
        one
        for one in known.values()
        if one.kind == "inhibit" and str(one.rule.get("name", "")).endswith(f" hides {noisy.rule}")
    ]
    return max(hidden, key=lambda one: (one.confidence, one.id), default=None)
