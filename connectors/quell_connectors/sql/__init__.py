"""Queries of databases: KPIs and what users do, as samples."""

from quell_connectors.sql.connector import Sql

__all__ = ["Sql"]
