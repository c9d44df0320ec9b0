"""Switching flags of Flagsmith off and on."""

from quell_connectors.flagsmith.connector import Flagsmith

__all__ = ["Flagsmith"]
