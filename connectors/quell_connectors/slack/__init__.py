"""Slack: cards with buttons, threads, commands and dialogs, by slack-sdk."""

from quell_connectors.slack.connector import Slack

__all__ = ["Slack"]
