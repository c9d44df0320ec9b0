"""What the GitLab connector declares."""

from __future__ import annotations

from quell.sdk.change_events import place_options
from quell.sdk.spec import Option, Spec
from quell.sdk.ticket_spec import settle_option, ticket_actions

_PROJECT = Option(
    name="project",
    type="text",
    summary="The project's path or number; without it the option project.",
    example="shop/checkout",
)

SPEC = Spec(
    name="gitlab",
    summary="Opens, comments and closes GitLab issues; its webhook tells of deploys, releases, pushes and flags.",
    options=(
        Option(name="url", type="url", summary="Where GitLab lives.", default="https://gitlab.com"),
        Option(
            name="token",
            type="secret",
            summary="An access token of scope api, whose user or project is a reporter at least.",
        ),
        Option(name="project", type="text", summary="The project of steps that name none.", example="shop/checkout"),
        Option(
            name="own_only",
            type="boolean",
            summary=(
                "Only issues opened with this token are looked at, which is needed where more than 2,000 are open; "
                "those opened with a token before are not found then."
            ),
            default=False,
        ),
        Option(
            name="severity_labels",
            type="mapping",
            summary="The label for each severity.",
            example="{critical: severity::1}",
        ),
        Option(
            name="pipelines",
            type="list",
            summary="Names of pipelines or stages (patterns) that deploy.",
            default=["*deploy*", "*release*"],
        ),
        Option(
            name="branches",
            type="list",
            summary="Branches (patterns) whose pushes count as changes, besides the main one.",
            example="[production]",
        ),
        *place_options("project (owner/name, or owner/name:path of files)", "service/${repo}"),
        settle_option(2.0),
    ),
    actions=ticket_actions(
        _PROJECT,
        only=(
            Option(name="labels", type="list", summary="Labels of a new issue.", example="[quell, drift]"),
            Option(name="assign", type="text", summary="The user name of who gets a new issue."),
            Option(name="confidential", type="boolean", summary="Whether only members see a new issue.", default=False),
        ),
    ),
)
