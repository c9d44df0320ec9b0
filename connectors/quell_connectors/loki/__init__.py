"""Logs in Loki, as counted statements."""

from quell_connectors.loki.connector import Loki

__all__ = ["Loki"]
