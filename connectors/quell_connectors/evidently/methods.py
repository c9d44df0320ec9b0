"""Which way a drift score points: a p-value is small where data drifted, a distance is large.

The score alone does not say which it is, and its method's name says it badly: Evidently's "Total-Variation-Distance"
and "empirical_mmd" give p-values. So every method is listed, as read from Evidently's own code.
"""

from __future__ import annotations

from typing import Literal

Kind = Literal["p_value", "distance"]

_P_VALUES = frozenset({
    "ks", "k-s p_value",
    "z", "z-test p_value",
    "chisquare", "chi-square p_value",
    "fisher_exact", "fisher's exact test",
    "anderson", "anderson-darling",
    "mannw", "mann-whitney u-rank test",
    "es", "epps-singleton",
    "t_test",
    "cramer_von_mises", "cramer-von mises",
    "g_test",
    "tvd", "total-variation-distance",
    "empirical_mmd", "emperical_mmd", "mmd",
})  # fmt: skip
_DISTANCES = frozenset({
    "psi",
    "wasserstein", "wasserstein distance (normed)",
    "jensenshannon", "jensen-shannon distance",
    "kl_div", "kullback-leibler divergence",
    "hellinger", "hellinger distance",
    "ed", "energy-distance",
    "perc_text_content_drift", "percentile text content drift",
    "abs_text_content_drift", "absolute text content drift",
    "model", "ratio",
})  # fmt: skip
"""The last four compare by a classifier; what they give is larger the easier the data can be told apart."""


def kind_of(method: str) -> Kind | None:
    """What a method's score is, by its name in code or on a report; None for one that is not known."""
    name = method.strip().lower()
    if name in _P_VALUES or name.endswith("p_value"):
        return "p_value"
    return "distance" if name in _DISTANCES else None


def drifted(kind: Kind, score: float, threshold: float) -> bool:
    """Whether a score says drift; one that is the threshold itself does."""
    return score <= threshold if kind == "p_value" else score >= threshold
