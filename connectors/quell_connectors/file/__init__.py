"""Pages and records of what was done, as lines of a file."""

from quell_connectors.file.connector import FileSink

__all__ = ["FileSink"]
