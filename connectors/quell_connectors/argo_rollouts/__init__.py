"""Argo Rollouts: abort, retry, promote and pause a canary or blue-green update."""

from quell_connectors.argo_rollouts.connector import ArgoRollouts

__all__ = ["ArgoRollouts"]
