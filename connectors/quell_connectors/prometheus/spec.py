"""What the Prometheus connector declares."""

from __future__ import annotations

from quell.sdk.spec import ActionSpec, Option, Spec

SPEC = Spec(
    name="prometheus",
    summary="Asks a Prometheus for the alerts of its rules and for samples as evidence.",
    options=(
        Option(
            name="url",
            type="url",
            summary="Where Prometheus (or what speaks its API) lives.",
            required=True,
            example="http://prometheus.example:9090",
        ),
        Option(name="token", type="secret", summary="Sent as a bearer token."),
        Option(
            name="queries",
            type="mapping",
            summary=(
                "Evidence by kind of entity (* for any): names of metrics with a query each, in which ${entity}, "
                "${kind}, ${name} and ${labels.NAME} are filled in; a query with a label the entity lacks is left out."
            ),
            example="{service: {errors: 'sum(rate(http_errors_total{service=\"${name}\"}[5m]))'}}",
        ),
        Option(
            name="samples",
            type="mapping",
            summary=(
                "Queries asked at every pull, by name: query, entity (${LABEL} of a series is filled in), and "
                "optionally metric and unit. Each series' value is a sample."
            ),
            example="{approvals: {query: 'sum by (region) (rate(approved[5m]))', entity: 'kpi/approvals-${region}'}}",
        ),
        Option(
            name="presets",
            type="list",
            summary="Ready samples of model servers: kserve, seldon.",
            example="[kserve]",
        ),
        Option(
            name="alerts",
            type="boolean",
            summary="Whether alerts of rules are pulled; no, where an Alertmanager sends them already.",
            default=True,
        ),
        Option(name="timeout", type="duration", summary="How long to wait for an answer.", default=10.0, example="10s"),
    ),
    actions=(
        ActionSpec(
            name="query",
            summary="Asks for the value of an expression, now or at another time.",
            params=(
                Option(
                    name="query",
                    type="text",
                    summary="The expression, in PromQL.",
                    required=True,
                    example="up",
                    language="PromQL",
                ),
                Option(name="at", type="text", summary="When: now, or a time.", default="now"),
            ),
            effect="read",
            repeat="state",
        ),
    ),
)
