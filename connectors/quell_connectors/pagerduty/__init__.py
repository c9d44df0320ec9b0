"""PagerDuty's Events API v2: a tool's ``pagerduty_url`` can point at quell, and quell's own pages go to PagerDuty."""

from quell_connectors.pagerduty.connector import PagerDuty

__all__ = ["PagerDuty"]
