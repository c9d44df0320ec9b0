"""Alertmanager: takes its place as an API v2 server, and takes its webhooks (and Grafana's) where it stays."""

from quell_connectors.alertmanager.connector import Alertmanager

__all__ = ["Alertmanager"]
