"""Tickets over a plain JSON API: whatever has a list, a POST and a PATCH."""

from quell_connectors.ticket.connector import Ticket

__all__ = ["Ticket"]
