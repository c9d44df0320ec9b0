"""Any HTTP call as an action."""

from quell_connectors.http.connector import HttpAction

__all__ = ["HttpAction"]
