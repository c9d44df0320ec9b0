"""What the ticket connector declares."""

from __future__ import annotations

from quell.sdk.spec import ActionSpec, Option, Spec

_WHICH = (
    Option(name="id", type="text", summary="The ticket; without it the open one of the key is taken."),
    Option(name="key", type="text", summary="The key it was opened with."),
)

SPEC = Spec(
    name="ticket",
    summary="Opens, comments and closes tickets over a JSON API; at most one open ticket per key.",
    options=(
        Option(
            name="url",
            type="url",
            summary="Where the API lives.",
            required=True,
            example="https://tickets.example/api",
        ),
        Option(name="token", type="secret", summary="Sent as a bearer token."),
        Option(name="open_path", type="text", summary="Where a ticket is posted to.", default="/tickets"),
        Option(
            name="search_path",
            type="text",
            summary="Where tickets of a key are listed.",
            default="/tickets?key={key}",
        ),
        Option(
            name="comment_path",
            type="text",
            summary="Where comments are listed and posted to.",
            default="/tickets/{id}/comments",
        ),
        Option(name="close_path", type="text", summary="What is patched to close a ticket.", default="/tickets/{id}"),
        Option(
            name="fields",
            type="mapping",
            summary="The API's names for key, title, body, severity, labels, status, id, url and comment.",
            example="{title: summary, body: description}",
        ),
        Option(name="closed_status", type="text", summary="The status of a closed ticket.", default="closed"),
        Option(
            name="list_field",
            type="text",
            summary="The field of an answer that holds the list; needed only when several fields hold one.",
            example="items",
        ),
    ),
    actions=(
        ActionSpec(
            name="open",
            summary="Opens a ticket, or finds the open one of the same key.",
            params=(
                Option(name="title", type="text", summary="The ticket in one line.", required=True),
                Option(name="body", type="text", summary="What it says; a page's text if left out."),
                Option(name="key", type="text", summary="What it is about; the incident's id if left out."),
                Option(name="severity", type="text", summary="How bad it is."),
                Option(name="labels", type="mapping", summary="Labels of the ticket.", example="{team: payments}"),
                Option(name="incident", type="text", summary="The incident's id, as pages carry it."),
                Option(name="text", type="text", summary="What a page says."),
            ),
            effect="tell",
            repeat="lookup",
            undo="close",
        ),
        ActionSpec(
            name="comment",
            summary="Adds a comment.",
            params=(*_WHICH, Option(name="text", type="text", summary="What to say.", required=True)),
            effect="tell",
            repeat="lookup",
        ),
        ActionSpec(
            name="close",
            summary="Closes a ticket; a closed one stays closed.",
            params=_WHICH,
            effect="tell",
            repeat="state",
        ),
    ),
)
