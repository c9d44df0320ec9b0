"""Topology as a document: nodes and edges, or entities and dependencies, posted as JSON."""

from quell_connectors.topology.connector import TopologyFile

__all__ = ["TopologyFile"]
