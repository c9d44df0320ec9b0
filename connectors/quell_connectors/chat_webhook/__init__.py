"""Posts to Microsoft Teams, Mattermost, Discord and Webex through their incoming webhooks."""

from quell_connectors.chat_webhook.connector import ChatWebhook

__all__ = ["ChatWebhook"]
