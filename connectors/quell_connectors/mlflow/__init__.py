"""Models, versions, aliases and tags of an MLflow model registry."""

from quell_connectors.mlflow.connector import MLflow

__all__ = ["MLflow"]
