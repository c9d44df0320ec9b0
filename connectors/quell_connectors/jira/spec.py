"""What the Jira connector declares."""

from __future__ import annotations

from quell.sdk.spec import Option, Spec
from quell.sdk.ticket_spec import settle_option, ticket_actions

_PROJECT = Option(
    name="project", type="text", summary="The project's key; without it the option project.", example="OPS"
)

SPEC = Spec(
    name="jira",
    summary="Opens, comments and closes Jira issues; one is open per key.",
    options=(
        Option(
            name="url", type="url", summary="Where Jira lives.", required=True, example="https://example.atlassian.net"
        ),
        Option(
            name="edition",
            type="text",
            summary="Cloud speaks version 3 of the API, Data Center (or Server) version 2.",
            default="cloud",
            choices=("cloud", "data_center"),
        ),
        Option(
            name="user",
            type="text",
            summary="Whose token it is: an e-mail address (Cloud). Without it the token is sent as a bearer token.",
        ),
        Option(
            name="token",
            type="secret",
            summary="API token (Cloud) or personal access token (Data Center).",
            required=True,
        ),
        Option(name="project", type="text", summary="The project of steps that name none.", example="OPS"),
        Option(name="type", type="text", summary="The type of new issues.", default="Task"),
        Option(
            name="priorities",
            type="mapping",
            summary="Jira's priority for each severity.",
            example="{critical: Highest, warning: Medium}",
        ),
        Option(
            name="close_transition",
            type="text",
            summary="The transition (or the status) that closes an issue; without it the first that counts as done.",
        ),
        settle_option(10.0),
    ),
    actions=ticket_actions(
        _PROJECT,
        more=(
            Option(name="type", type="text", summary="The type of a new issue.", example="Bug"),
            Option(
                name="fields",
                type="mapping",
                summary="More fields of a new issue, as Jira's API takes them.",
                example='{components: [{name: "web"}]}',
            ),
        ),
    ),
)
