"""A workspace that is none: Slack's Web API with its limits, Socket Mode and signed requests, and faults on demand.

    async with running(FakeSlack()) as server:
        slack = Slack({"bot_token": Secret(server.slack.bot_token), "api_url": server.api_url, …}, context)
        placed = await slack.show(card, "#incidents", None, "INC-1/1")
        server.slack.lose_answer("chat.postMessage")
        message = server.slack.at(placed.channel, placed.ts)
        await server.deliver(click(server.slack, message, "Acknowledge", "U0ANA000"))

Without a server `InProcess` is an HTTP client that asks the workspace directly; with a clock of one's own an hour
passes at once.
"""

from quell.testing.slack.http import InProcess
from quell.testing.slack.people import Envelope, click, command, direct, mention, signed, submit
from quell.testing.slack.picture import dialog, page
from quell.testing.slack.server import Server, running
from quell.testing.slack.workspace import Asked, FakeSlack, Message

__all__ = ["Asked", "Envelope", "FakeSlack", "InProcess", "Message", "Server"]
__all__ += ["click", "command", "dialog", "direct", "mention", "page", "running", "signed", "submit"]
