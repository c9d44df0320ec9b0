"""Monitors of Arize, as alerts."""

from quell_connectors.arize.connector import Arize

__all__ = ["Arize"]
