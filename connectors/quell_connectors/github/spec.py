"""What the GitHub connector declares."""

from __future__ import annotations

from quell.sdk.change_events import place_options
from quell.sdk.spec import Option, Spec
from quell.sdk.ticket_spec import settle_option, ticket_actions

_REPO = Option(
    name="repo",
    type="text",
    summary="The repository, as owner/name; without it the option repo.",
    example="octo/shop",
)

SPEC = Spec(
    name="github",
    summary="Opens, comments and closes GitHub issues; its webhook tells of deploys, releases and pushes.",
    options=(
        Option(
            name="url",
            type="url",
            summary="Where the API lives; https://HOST/api/v3 for GitHub Enterprise.",
            default="https://api.github.com",
        ),
        Option(
            name="token",
            type="secret",
            summary="A token that may read and write issues (fine-grained: Issues, read and write).",
        ),
        Option(name="repo", type="text", summary="The repository of steps that name none.", example="octo/shop"),
        Option(
            name="user",
            type="text",
            summary=(
                "Whom the token belongs to (app/NAME for an app): only issues opened by it are looked at, which is "
                "needed where more than 2,000 are open."
            ),
            example="quell-bot",
        ),
        Option(
            name="severity_labels",
            type="mapping",
            summary="The label for each severity.",
            example="{critical: sev1, warning: sev3}",
        ),
        Option(
            name="workflows",
            type="list",
            summary="Names of workflows (patterns) whose runs deploy.",
            default=["*deploy*", "*release*"],
        ),
        Option(
            name="branches",
            type="list",
            summary="Branches (patterns) whose pushes count as changes, besides the main one.",
            example="[production]",
        ),
        *place_options("repository (owner/name, or owner/name:path of files)", "service/${repo}"),
        settle_option(5.0),
    ),
    actions=ticket_actions(
        _REPO,
        only=(
            Option(name="labels", type="list", summary="Labels of a new issue.", example="[quell, drift]"),
            Option(name="assign", type="text", summary="The login of who gets a new issue."),
        ),
    ),
)
