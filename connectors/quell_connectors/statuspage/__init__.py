"""Notes on an Atlassian Statuspage."""

from quell_connectors.statuspage.connector import Statuspage

__all__ = ["Statuspage"]
