"""NannyML's frames, as alerts and scores per metric and column."""

from quell_connectors.nannyml.connector import NannyML

__all__ = ["NannyML"]
