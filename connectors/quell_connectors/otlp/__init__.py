"""OpenTelemetry: metrics, logs and traces over OTLP/HTTP, counted where they arrive."""

from quell_connectors.otlp.connector import Otlp

__all__ = ["Otlp"]
