"""What the ServiceNow connector declares."""

from __future__ import annotations

from quell.sdk.spec import Option, Spec
from quell.sdk.ticket_spec import settle_option, ticket_actions

SPEC = Spec(
    name="servicenow",
    summary="Opens, comments and closes records of a ServiceNow table; one is open per key.",
    options=(
        Option(
            name="url",
            type="url",
            summary="Where the instance lives.",
            required=True,
            example="https://example.service-now.com",
        ),
        Option(
            name="user",
            type="text",
            summary="Whose password the token is. Without it the token is sent as a bearer token (OAuth).",
        ),
        Option(name="token", type="secret", summary="The user's password, or an OAuth token.", required=True),
        Option(name="table", type="text", summary="The table of steps that name none.", default="incident"),
        Option(
            name="priorities",
            type="mapping",
            summary="Impact and urgency (1 to 3) for each severity.",
            example="{critical: 1, high: 2, warning: 3}",
        ),
        Option(
            name="comment_field",
            type="text",
            summary="Where comments go: work notes are for the staff, comments for the caller too.",
            default="work_notes",
            choices=("work_notes", "comments"),
        ),
        Option(
            name="close_fields",
            type="mapping",
            summary="What is set to close a record; without it state 6 (resolved) with a close code and notes.",
            example='{state: "7", close_code: "Resolved by caller", close_notes: "over"}',
        ),
        Option(
            name="closed_states",
            type="list",
            summary="Values of state that count as closed; without it 6, 7 and 8.",
            example='["3", "4"]',
        ),
        settle_option(2.0),
    ),
    actions=ticket_actions(
        Option(name="table", type="text", summary="The table; without it the option table.", example="incident"),
        only=(
            Option(name="priority", type="text", summary="Impact and urgency, 1 to 3; without it the severity's."),
            Option(name="assign", type="text", summary="Who gets a new record: a user name or an e-mail address."),
            Option(name="group", type="text", summary="The name of the group that a new record is assigned to."),
            Option(
                name="fields",
                type="mapping",
                summary="More fields of a new record, by their names in the table.",
                example="{category: software}",
            ),
        ),
    ),
)
