"""Any tool that can post JSON, by a mapping in the configuration; and quell's own records, line by line."""

from quell_connectors.webhook.connector import Webhook

__all__ = ["Webhook"]
