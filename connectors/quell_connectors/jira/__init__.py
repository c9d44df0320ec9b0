"""Tickets in Jira Cloud and Jira Data Center."""

from quell_connectors.jira.connector import Jira

__all__ = ["Jira"]
