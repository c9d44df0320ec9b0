"""Soda's scan results, as alerts per check."""

from quell_connectors.soda.connector import Soda

__all__ = ["Soda"]
