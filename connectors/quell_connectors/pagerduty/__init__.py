"""PagerDuty's Events API v2, as a receiver: a tool's ``pagerduty_url`` can point at quell."""

from quell_connectors.pagerduty.connector import PagerDuty

__all__ = ["PagerDuty"]
