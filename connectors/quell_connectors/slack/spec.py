"""What the Slack connector declares."""

from __future__ import annotations

from quell.sdk.spec import ActionSpec, Option, Spec

API_URL = "https://slack.com/api/"
"""Where Slack's Web API lives."""

SPEC = Spec(
    name="slack",
    summary="Shows incidents in Slack channels, hears what people type and click there, and posts for pages and steps.",
    options=(
        Option(name="bot_token", type="secret", summary="The app's bot token (xoxb-…).", required=True),
        Option(name="app_token", type="secret", summary="The app-level token (xapp-…) that Socket Mode connects with."),
        Option(name="signing_secret", type="secret", summary="What Slack signs requests with; mode http needs it."),
        Option(
            name="mode",
            type="text",
            summary="How Slack reaches quell: by a connection that quell opens, or by requests to /in/SOURCE.",
            default="socket",
            choices=("socket", "http"),
        ),
        Option(name="channel", type="text", summary="The channel of posts that name none.", example="#incidents"),
        Option(name="api_url", type="url", summary="Where Slack's Web API lives.", default=API_URL),
    ),
    actions=(
        ActionSpec(
            name="post",
            summary="Posts to a channel, a thread or a person; a repeat finds its own mark and posts nothing.",
            params=(
                Option(
                    name="channel",
                    type="text",
                    summary="A channel by name or id, or a person by id; the option channel if left out.",
                    example="#payments-oncall",
                ),
                Option(name="text", type="text", summary="What to say.", required=True),
                Option(name="title", type="text", summary="A line above it."),
                Option(name="thread", type="text", summary="The ts of a message; the post becomes a reply to it."),
                Option(name="severity", type="text", summary="How bad it is."),
                Option(name="incident", type="text", summary="The incident's id."),
                Option(name="link", type="url", summary="Where there is more."),
                Option(name="card", type="mapping", summary="A whole card instead, as digests have: title, lines."),
            ),
            effect="tell",
            repeat="lookup",
        ),
    ),
)
