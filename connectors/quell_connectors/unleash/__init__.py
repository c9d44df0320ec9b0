"""Switching flags of Unleash off and on."""

from quell_connectors.unleash.connector import Unleash

__all__ = ["Unleash"]
