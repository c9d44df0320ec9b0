"""OpenLineage events: which job reads and writes what, how its runs ended, what the data looked like."""

from quell_connectors.openlineage.connector import OpenLineage

__all__ = ["OpenLineage"]
