"""Switching flags of LaunchDarkly off and on."""

from quell_connectors.launchdarkly.connector import LaunchDarkly

__all__ = ["LaunchDarkly"]
