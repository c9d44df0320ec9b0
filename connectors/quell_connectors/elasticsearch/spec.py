"""What the Elasticsearch connector declares."""

from __future__ import annotations

from quell.sdk.log_pull import PULL_OPTIONS
from quell.sdk.spec import Option, Spec

SPEC = Spec(
    name="elasticsearch",
    summary="Reads logs in Elasticsearch or OpenSearch: their lines become counted statements of entities.",
    options=(
        Option(name="url", type="url", summary="Where it lives.", required=True, example="https://logs.example:9200"),
        Option(
            name="product",
            type="text",
            summary="Which of the two it is: they keep a view of the data in ways of their own.",
            default="elasticsearch",
            choices=("elasticsearch", "opensearch"),
        ),
        Option(name="index", type="text", summary="Index, alias, data stream or pattern.", default="logs-*"),
        Option(
            name="query",
            type="mapping",
            summary="Which documents, as a query of the search API; all of them without it.",
            example="{terms: {log.level: [warn, error]}}",
        ),
        Option(
            name="entity",
            type="text",
            summary="Which entity a document is about; fields are filled in.",
            default="service/${service.name}",
        ),
        Option(name="message", type="text", summary="The field with the line.", default="message"),
        Option(name="severity", type="text", summary="The field with the severity.", default="log.level"),
        Option(name="time", type="text", summary="The field with the time.", default="@timestamp"),
        Option(name="api_key", type="secret", summary="An API key, as Elasticsearch encodes it."),
        Option(name="user", type="text", summary="A user name, in place of an API key."),
        Option(name="password", type="secret", summary="The user's password."),
        *PULL_OPTIONS,
    ),
)
