"""Alert rules of Fiddler, as alerts."""

from quell_connectors.fiddler.connector import Fiddler

__all__ = ["Fiddler"]
