"""Tickets as GitHub issues."""

from quell_connectors.github.connector import GitHub

__all__ = ["GitHub"]
