"""What the Airflow connector declares."""

from __future__ import annotations

from quell.sdk.spec import ActionSpec, Option, Spec

APIS = ("auto", "v1", "v2")

_DAG = Option(name="dag", type="text", summary="The id of the DAG.", required=True, example="churn_train")
_STOP_RUNS = Option(
    name="stop_runs",
    type="boolean",
    summary="Whether runs that are running or queued are marked failed, which ends their tasks; else they go on.",
    default=False,
)

SPEC = Spec(
    name="airflow",
    summary="Tells of DAGs, their data and runs; pauses, unpauses, triggers them. Airflow 2 (/api/v1) or 3 (/api/v2).",
    options=(
        Option(
            name="url",
            type="url",
            summary="Where the web or API server lives, without /api.",
            required=True,
            example="https://airflow.example",
        ),
        Option(
            name="user",
            type="text",
            summary="Who asks: sent as basic authentication to Airflow 2, exchanged for a token with Airflow 3.",
        ),
        Option(name="password", type="secret", summary="The user's password."),
        Option(
            name="token",
            type="secret",
            summary="Sent as a bearer token, instead of user and password, as hosted Airflow wants.",
        ),
        Option(
            name="api",
            type="text",
            summary="Which API to speak; auto asks Airflow for its version.",
            default="auto",
            choices=APIS,
        ),
        Option(
            name="timeout", type="duration", summary="How long to wait for one answer.", default=10.0, example="10s"
        ),
        Option(
            name="watch",
            type="boolean",
            summary="Whether DAGs, assets and runs that ended are asked for, as often as every says.",
            default=False,
        ),
        Option(name="severity", type="text", summary="Of the alert that a failed run is.", default="high"),
    ),
    actions=(
        ActionSpec(
            name="pause",
            summary="Pauses a DAG: nothing of it is scheduled any more. Runs under way go on unless stop_runs says no.",
            params=(_DAG, _STOP_RUNS),
            effect="change",
            repeat="state",
            undo="unpause",
            before="is_paused",
        ),
        ActionSpec(
            name="unpause",
            summary="Lets a DAG be scheduled again.",
            params=(
                _DAG,
                Option(
                    name="was_paused",
                    type="boolean",
                    summary="For an undo: whether the DAG was paused already before; then it stays so.",
                    default=False,
                ),
            ),
            effect="change",
            repeat="state",
            undo="pause",
            before="is_unpaused",
        ),
        ActionSpec(
            name="trigger",
            summary=(
                "Starts a run of a DAG. Its id is made from the key of the step, so that Airflow itself refuses a "
                "second one. A paused DAG takes the run and does not begin it."
            ),
            params=(
                _DAG,
                Option(name="conf", type="mapping", summary="What the run is given.", example="{reason: INC-7}"),
                Option(name="note", type="text", summary="A note that people see beside the run."),
                Option(
                    name="wait",
                    type="boolean",
                    summary="Whether the step is done only when the run is; a run that fails fails the step.",
                    default=False,
                ),
            ),
            effect="change",
            repeat="keyed",
        ),
        ActionSpec(
            name="dag",
            summary="Reads a DAG: whether it is paused, its schedule, owners, tags, and which runs are under way.",
            params=(_DAG,),
            effect="read",
            repeat="state",
        ),
        ActionSpec(
            name="is_paused",
            summary="Reads whether a DAG is paused and, if runs are to be stopped, none is under way.",
            params=(_DAG, _STOP_RUNS),
            effect="read",
            repeat="state",
        ),
        ActionSpec(
            name="is_unpaused",
            summary="Reads whether a DAG is not paused.",
            params=(_DAG,),
            effect="read",
            repeat="state",
        ),
    ),
)
