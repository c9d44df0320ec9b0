"""Logs in Elasticsearch or OpenSearch, as counted statements."""

from quell_connectors.elasticsearch.connector import Elasticsearch

__all__ = ["Elasticsearch"]
