"""Kubernetes: roll back, pause, scale, restart, take a pod or a node out, and look."""

from quell_connectors.kubernetes.connector import Kubernetes

__all__ = ["Kubernetes"]
