"""Tickets as GitLab issues."""

from quell_connectors.gitlab.connector import GitLab

__all__ = ["GitLab"]
