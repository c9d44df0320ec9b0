"""What the PagerDuty connector declares: a receiver, and the actions that page people."""

from __future__ import annotations

from quell.sdk.spec import ActionSpec, Option, Spec

ENQUEUE = "/v2/enqueue"
ENQUEUE_CHANGE = "/v2/change/enqueue"
EVENTS_URL = "https://events.pagerduty.com"
API_URL = "https://api.pagerduty.com"

_ROUTING_KEY = Option(
    name="routing_key", type="secret", summary="Another service's routing key than the option's.", example="env:PD_KEY"
)
_KEY = Option(
    name="key",
    type="text",
    summary="What it is about: one alert is open per key. The incident's id if left out.",
    example="rollback:checkout",
)
_INCIDENT = Option(name="incident", type="text", summary="The incident's id, as pages carry it.")
_SAID = (
    Option(name="summary", type="text", summary="What is wrong, in one line; a page's title or text if left out."),
    Option(name="source", type="text", summary="What it is wrong with.", default="quell"),
    Option(name="details", type="mapping", summary="More to show.", example="{cause: checkout}"),
    Option(name="links", type="list", summary="Addresses that say more.", example="['https://wiki.example/runbook']"),
)

SPEC = Spec(
    name="pagerduty",
    summary=(
        "Takes alerts and changes sent to the PagerDuty Events API v2, sends such events to PagerDuty, and hears what "
        "people do there."
    ),
    options=(
        Option(
            name="routing_key",
            type="secret",
            summary=(
                "The routing key (32 characters) of what is sent; of what is received only events with this key are "
                "taken, without it all."
            ),
        ),
        Option(
            name="url",
            type="url",
            summary="Where events are sent to; https://events.eu.pagerduty.com in Europe.",
            default=EVENTS_URL,
        ),
        Option(
            name="token",
            type="secret",
            summary="A REST API key: for notes, and for watch and all questions, for which reading is enough.",
        ),
        Option(
            name="api_url",
            type="url",
            summary="Where the REST API lives; https://api.eu.pagerduty.com in Europe.",
            default=API_URL,
        ),
        Option(name="user", type="text", summary="The e-mail address of the user who writes notes."),
        Option(
            name="webhook_secret",
            type="secret",
            summary=(
                "The secret that signs webhooks (v3) sent to /in/<source-id>; two with a comma between them while it "
                "is being changed. Without it no webhook is believed."
            ),
        ),
        Option(
            name="watch",
            type="boolean",
            summary="Whether the REST API is asked what people did, each time as long after the last as every says.",
            default=False,
        ),
    ),
    actions=(
        ActionSpec(
            name="trigger",
            summary="Pages: opens an alert, or adds to the one that is open for the key.",
            params=(
                *_SAID,
                _KEY,
                Option(name="severity", type="text", summary="How bad it is; PagerDuty knows four degrees."),
                Option(name="component", type="text", summary="The part that is wrong."),
                Option(name="group", type="text", summary="What the part belongs to."),
                Option(name="class", type="text", summary="The kind of trouble."),
                _ROUTING_KEY,
                _INCIDENT,
                Option(name="title", type="text", summary="The incident's title, as pages carry it."),
                Option(name="text", type="text", summary="What a page says; shown in the details."),
            ),
            effect="tell",
            repeat="keyed",
            undo="resolve",
            taken="acknowledge",
            over="resolve",
        ),
        ActionSpec(
            name="acknowledge",
            summary="Says that somebody looks; nothing happens if no alert is open for the key.",
            params=(_KEY, _ROUTING_KEY, _INCIDENT),
            effect="tell",
            repeat="state",
        ),
        ActionSpec(
            name="resolve",
            summary="Says that it is over; nothing happens if no alert is open for the key.",
            params=(_KEY, _ROUTING_KEY, _INCIDENT),
            effect="tell",
            repeat="state",
        ),
        ActionSpec(
            name="change",
            summary="Tells of a change. It has no key, so none is sent twice: in doubt a person is asked.",
            params=(*_SAID, _ROUTING_KEY),
            effect="tell",
            repeat="never",
        ),
        ActionSpec(
            name="note",
            summary="Writes a note on PagerDuty's incident, once for each step.",
            params=(
                Option(name="id", type="text", summary="PagerDuty's incident; without it the open one of the key."),
                _KEY,
                Option(name="text", type="text", summary="What to say.", required=True),
                _INCIDENT,
            ),
            effect="tell",
            repeat="lookup",
        ),
        ActionSpec(
            name="oncall",
            summary="Who is called now, the first to be called first.",
            params=(
                Option(name="team", type="text", summary="A part of the name of an escalation policy or schedule."),
                Option(name="schedule", type="text", summary="The id of a schedule.", example="PI7DH85"),
                Option(name="policy", type="text", summary="The id of an escalation policy.", example="PT20YPA"),
            ),
            effect="read",
            repeat="state",
        ),
        ActionSpec(
            name="services",
            summary="Which services there are, how each is and who is called for it.",
            params=(Option(name="name", type="text", summary="A part of the name.", example="checkout"),),
            effect="read",
            repeat="state",
        ),
        ActionSpec(
            name="incidents",
            summary="What is open there; the key of what quell opened is its incident's id.",
            params=(Option(name="service", type="text", summary="The id of a service.", example="PIJ90N7"),),
            effect="read",
            repeat="state",
        ),
    ),
    paths=(ENQUEUE, ENQUEUE_CHANGE),
)
