"""CloudEvents 1.0, as a receiver of alerts and of changes (CDEvents among them)."""

from quell_connectors.cloudevents.connector import CloudEvents

__all__ = ["CloudEvents"]
