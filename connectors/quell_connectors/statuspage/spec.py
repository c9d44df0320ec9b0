"""What the Statuspage connector declares."""

from __future__ import annotations

from quell.sdk.spec import ActionSpec, Option, Spec
from quell.sdk.ticket_spec import settle_option

STATUSES = ("investigating", "identified", "monitoring")
COMPONENT_STATUSES = ("operational", "degraded_performance", "partial_outage", "major_outage", "under_maintenance")

_PAGE = Option(name="page", type="text", summary="The page's id; without it the option page.", example="kctbh9vrtdwd")
_NOTIFY = Option(name="notify", type="boolean", summary="Whether subscribers are told.", default=True)
_WHICH = (
    Option(name="id", type="text", summary="The incident there; without it the open one of the key is taken."),
    Option(name="key", type="text", summary="The key it was noted with; the incident's id if left out."),
    Option(name="incident", type="text", summary="The incident's id, as pages carry it."),
)

SPEC = Spec(
    name="statuspage",
    summary="Tells the public on an Atlassian Statuspage; one incident is open there per key.",
    options=(
        Option(name="url", type="url", summary="Where the API lives.", default="https://api.statuspage.io"),
        Option(name="token", type="secret", summary="An API key of a user who may manage incidents.", required=True),
        Option(name="page", type="text", summary="The page of steps that name none.", example="kctbh9vrtdwd"),
        settle_option(3.0),
    ),
    actions=(
        ActionSpec(
            name="note",
            summary="Makes sure that one incident is open on the page for the key: opens it, or adds an update to it.",
            params=(
                _PAGE,
                Option(
                    name="key",
                    type="text",
                    summary="What it is about. The incident's id if left out.",
                    example="checkout",
                ),
                Option(name="title", type="text", summary="The incident's name, for the public.", required=True),
                Option(name="body", type="text", summary="What is said; a page's text if left out."),
                Option(
                    name="status",
                    type="text",
                    summary="How far people are; without it a new one is investigated and an open one stays as it is.",
                    choices=STATUSES,
                ),
                Option(
                    name="impact",
                    type="text",
                    summary="How bad it is; without it the page computes it of its components.",
                    choices=("none", "minor", "major", "critical"),
                ),
                Option(
                    name="components",
                    type="mapping",
                    summary="The status of components, by name or id.",
                    example="{Checkout: partial_outage}",
                ),
                _NOTIFY,
                Option(name="incident", type="text", summary="The incident's id, as pages carry it."),
                Option(name="text", type="text", summary="What a page says."),
            ),
            effect="tell",
            repeat="lookup",
        ),
        ActionSpec(
            name="resolve",
            summary="Resolves the incident on the page; components that no other open one has are operational again.",
            params=(
                _PAGE,
                *_WHICH,
                Option(
                    name="text", type="text", summary="The last update.", default="This incident has been resolved."
                ),
                _NOTIFY,
            ),
            effect="tell",
            repeat="lookup",
        ),
        ActionSpec(
            name="find",
            summary="Looks for an incident on the page: found (it is there and open), id, url and title.",
            params=(_PAGE, *_WHICH),
            effect="read",
            repeat="state",
        ),
    ),
)
