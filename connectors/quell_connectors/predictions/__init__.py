"""Prediction logs: what endpoints tell of each prediction becomes counts, at the edge."""

from quell_connectors.predictions.connector import Predictions

__all__ = ["Predictions"]
