"""Prometheus: alerts of its rules by asking, samples as evidence, a query as a step."""

from quell_connectors.prometheus.connector import Prometheus

__all__ = ["Prometheus"]
