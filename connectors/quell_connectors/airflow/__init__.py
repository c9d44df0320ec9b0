"""DAGs of an Airflow 2 or 3: what they read and write, how their runs end; pausing and starting them."""

from quell_connectors.airflow.connector import Airflow

__all__ = ["Airflow"]
