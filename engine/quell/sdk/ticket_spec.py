"""What every ticket connector declares: the same four actions with the same parameters, and what is its own."""

from __future__ import annotations

from quell.sdk.spec import ActionSpec, Option

IF_OPEN = ("comment", "update", "skip")

_KEY = Option(
    name="key",
    type="text",
    summary="What it is about: one ticket is open per key. The incident's id if left out.",
    example="drift:churn",
)
_WHICH = (
    Option(name="id", type="text", summary="The ticket; without it the open one of the key is taken."),
    Option(name="key", type="text", summary="The key it was opened with."),
)


def settle_option(default_s: float) -> Option:
    """How long an own search may lag behind."""
    return Option(
        name="settle",
        type="duration",
        summary="How long to wait before looking for a ticket that a broken call may have opened: searches lag behind.",
        default=default_s,
        example="10s",
    )


def ticket_actions(
    *place: Option, more: tuple[Option, ...] = (), only: tuple[Option, ...] = ()
) -> tuple[ActionSpec, ...]:
    """``place`` says where tickets are, ``more`` what a new one may have besides; ``only`` replaces the usual rest."""
    usual = only or (
        Option(name="priority", type="text", summary="The target's own priority; without it the severity's."),
        Option(name="labels", type="list", summary="Labels of a new ticket.", example="[quell, drift]"),
        Option(name="assign", type="text", summary="Who gets a new ticket."),
    )
    return (
        ActionSpec(
            name="ticket",
            summary="Makes sure that one ticket is open for the key: opens it, or goes on with the one that is open.",
            params=(
                *place,
                _KEY,
                Option(name="title", type="text", summary="The ticket in one line.", required=True),
                Option(name="body", type="text", summary="What it says; a page's text if left out."),
                Option(name="severity", type="text", summary="How bad it is.", example="critical"),
                *usual,
                *more,
                Option(
                    name="if_open",
                    type="text",
                    summary="What happens to the ticket of the key that is open already.",
                    default="comment",
                    choices=IF_OPEN,
                ),
                Option(name="incident", type="text", summary="The incident's id, as pages carry it."),
                Option(name="text", type="text", summary="What a page says."),
                Option(
                    name="pictures",
                    type="list",
                    summary="Reports in words, and as pictures where it takes files; quell fills in those of drift.",
                ),
            ),
            effect="tell",
            repeat="lookup",
        ),
        ActionSpec(
            name="comment",
            summary="Adds a comment, once for each step.",
            params=(*place, *_WHICH, Option(name="text", type="text", summary="What to say.", required=True)),
            effect="tell",
            repeat="lookup",
        ),
        ActionSpec(
            name="close",
            summary="Closes a ticket; a closed one stays as it is.",
            params=(*place, *_WHICH, Option(name="text", type="text", summary="A last comment.")),
            effect="tell",
            repeat="lookup",
        ),
        ActionSpec(
            name="find",
            summary="Looks for a ticket: found (it is there and open), id, url and title.",
            params=(*place, *_WHICH),
            effect="read",
            repeat="state",
        ),
    )
