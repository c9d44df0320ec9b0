"""What the OTLP receiver declares."""

from __future__ import annotations

from quell.sdk.spec import Option, Spec

PATHS = ("/v1/traces", "/v1/metrics", "/v1/logs")
MAX_AGE_S = 3600.0

SPEC = Spec(
    name="otlp",
    summary="Takes OpenTelemetry's traces, metrics and logs over HTTP (protobuf or JSON).",
    paths=PATHS,
    options=(
        Option(
            name="entity",
            type="text",
            summary="How services are named, with ${attribute} of the resource filled in.",
            default="service/${service.name}",
            example="service/${deployment.environment.name}/${service.name}",
        ),
        Option(
            name="keep_attributes",
            type="list",
            summary="Attributes of metrics, as globs, that stay in names of series though they usually are not.",
            example='["http.route"]',
        ),
        Option(
            name="drop_attributes",
            type="list",
            summary=(
                "Attributes of metrics, as globs, that are left out of names of series; their points are put together."
            ),
            example='["tenant.*"]',
        ),
        Option(
            name="prices",
            type="mapping",
            summary=(
                "What a million tokens of a model cost, by name or pattern: input, output, cached_input, cache_write, "
                "currency (USD), from (a day); a list of such where prices changed. Or the path of a YAML file of that."
            ),
            file=True,
            example="{gpt-4o: {input: 2.5, output: 10}, 'o4*': [{input: 3, output: 15, from: 2026-01-01}]}",
        ),
        Option(
            name="log_samples",
            type="boolean",
            summary="Keep one line as it is with each counted statement. Lines may hold personal data.",
            default=False,
        ),
        Option(
            name="max_age",
            type="duration",
            summary="What ended longer ago is not taken, and the sender is told.",
            default=MAX_AGE_S,
            example="1h",
        ),
    ),
)
