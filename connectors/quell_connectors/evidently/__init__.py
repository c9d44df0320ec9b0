"""Evidently's reports and test suites, as alerts and scores."""

from quell_connectors.evidently.connector import Evidently

__all__ = ["Evidently"]
