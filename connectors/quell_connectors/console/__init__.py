"""Pages on the daemon's standard output, for trying things out."""

from quell_connectors.console.connector import Console

__all__ = ["Console"]
