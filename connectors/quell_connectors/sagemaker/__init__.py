"""Violations that SageMaker Model Monitor found, as alerts."""

from quell_connectors.sagemaker.connector import SageMaker

__all__ = ["SageMaker"]
