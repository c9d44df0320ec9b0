"""Asks an Alertmanager what fires there and what is silenced, where nobody can change what it sends."""

from quell_connectors.alertmanager_poll.connector import AlertmanagerPoll

__all__ = ["AlertmanagerPoll"]
