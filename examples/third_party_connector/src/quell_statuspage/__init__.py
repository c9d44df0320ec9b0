"""A vendor's status page as a source of alerts, and one's own as a place to post to."""

from quell_statuspage.connector import StatusPage

__all__ = ["StatusPage"]
