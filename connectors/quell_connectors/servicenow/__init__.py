"""Tickets in ServiceNow."""

from quell_connectors.servicenow.connector import ServiceNow

__all__ = ["ServiceNow"]
