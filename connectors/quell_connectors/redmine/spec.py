"""What the Redmine connector declares."""

from __future__ import annotations

from quell.sdk.spec import Option, Spec
from quell.sdk.ticket_spec import settle_option, ticket_actions

_PROJECT = Option(
    name="project", type="text", summary="The project's identifier; without it the option project.", example="ops"
)

SPEC = Spec(
    name="redmine",
    summary="Opens, comments and closes Redmine issues; one is open per key.",
    options=(
        Option(
            name="url", type="url", summary="Where Redmine lives.", required=True, example="https://redmine.example"
        ),
        Option(
            name="token",
            type="secret",
            summary="The API key of the user that quell acts as (My account; the REST API must be on).",
            required=True,
        ),
        Option(name="project", type="text", summary="The project of steps that name none.", example="ops"),
        Option(name="tracker", type="text", summary="The tracker of new issues; without it the project's first."),
        Option(
            name="priorities",
            type="mapping",
            summary="Redmine's priority for each severity.",
            example="{critical: Urgent, warning: Normal}",
        ),
        Option(
            name="closed_status", type="text", summary="The status of a closed issue; without it the first closed one."
        ),
        Option(
            name="key_field",
            type="integer",
            summary="The number of a custom field (text, used as a filter) for the mark; without it the description.",
        ),
        settle_option(0.0),
    ),
    actions=ticket_actions(
        _PROJECT,
        only=(
            Option(name="priority", type="text", summary="The priority's name; without it the severity's."),
            Option(name="assign", type="text", summary="Who gets a new issue: a number, login or name of a member."),
            Option(name="tracker", type="text", summary="The tracker of a new issue."),
            Option(name="fields", type="mapping", summary="More fields of a new issue.", example="{category_id: 3}"),
        ),
    ),
)
