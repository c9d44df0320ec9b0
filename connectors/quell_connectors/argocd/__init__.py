"""Argo CD: roll an application back, sync it, look at it."""

from quell_connectors.argocd.connector import ArgoCD

__all__ = ["ArgoCD"]
