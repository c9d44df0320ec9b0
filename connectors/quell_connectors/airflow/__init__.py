"""Pausing and starting DAGs of an Airflow 2 or 3."""

from quell_connectors.airflow.connector import Airflow

__all__ = ["Airflow"]
