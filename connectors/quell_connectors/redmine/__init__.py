"""Tickets in Redmine."""

from quell_connectors.redmine.connector import Redmine

__all__ = ["Redmine"]
