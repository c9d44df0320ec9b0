"""Anomalies that Vertex AI Model Monitoring logs, as alerts."""

from quell_connectors.vertex.connector import Vertex

__all__ = ["Vertex"]
