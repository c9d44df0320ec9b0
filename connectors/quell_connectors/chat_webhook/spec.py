"""What the connector for incoming webhooks of chats declares."""

from __future__ import annotations

from quell.sdk.spec import ActionSpec, Option, Spec

KINDS = ("teams", "mattermost", "discord", "webex")

SPEC = Spec(
    name="chat_webhook",
    summary="Posts to a channel of Microsoft Teams, Mattermost, Discord or Webex through an incoming webhook.",
    options=(
        Option(name="kind", type="text", summary="Whose webhook it is.", required=True, choices=KINDS),
        Option(
            name="url",
            type="secret",
            summary="The webhook's address. Whoever knows it can post, so it is kept as a secret.",
            required=True,
            example="env:TEAMS_WEBHOOK",
        ),
    ),
    actions=(
        ActionSpec(
            name="send",
            summary=(
                "Posts a message. Webhooks of chats know no keys: a step whose answer was lost asks a person, a page "
                "is posted again."
            ),
            params=(
                Option(name="text", type="text", summary="What to say; shown as it is, without markup.", required=True),
                Option(name="title", type="text", summary="A line above it."),
                Option(name="severity", type="text", summary="How bad it is."),
                Option(name="incident", type="text", summary="The incident's id."),
                Option(name="link", type="url", summary="Where there is more."),
            ),
            effect="tell",
            repeat="never",
        ),
    ),
)
