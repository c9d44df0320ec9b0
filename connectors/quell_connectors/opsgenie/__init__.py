"""Takes what is sent to Opsgenie's Alert API, for those who leave it."""

from quell_connectors.opsgenie.connector import Opsgenie

__all__ = ["Opsgenie"]
