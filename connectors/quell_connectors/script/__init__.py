"""Scripts of one's own as actions: argv without a shell, under another user, with a time limit."""

from quell_connectors.script.connector import Script

__all__ = ["Script"]
