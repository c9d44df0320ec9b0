"""E-mail, handed to a mail server by SMTP."""

from quell_connectors.email.connector import Email

__all__ = ["Email"]
