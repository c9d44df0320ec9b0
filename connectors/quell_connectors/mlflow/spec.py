"""What the MLflow connector declares."""

from __future__ import annotations

from quell.sdk.spec import ActionSpec, Option, Spec

_MODEL = Option(
    name="model", type="text", summary="The registered model, or the prompt.", required=True, example="churn"
)
_ALIAS = Option(name="alias", type="text", summary="The alias, without @.", required=True, example="champion")
_POINTS_TO = Option(
    name="points_to",
    type="text",
    summary="The version that the alias pointed to before; empty when there was no such alias.",
)
_OF_VERSION = Option(
    name="version", type="text", summary="The version whose tags are meant; without it those of the model."
)
_TAGS = Option(
    name="tags",
    type="mapping",
    summary="Tags and their values.",
    required=True,
    example="{quell.hold: INC-7, reason: drift}",
)
_NAMES = Option(name="names", type="list", summary="Names of tags.", required=True, example="[quell.hold]")
_NOTE = (
    _MODEL,
    Option(name="version", type="text", summary="The version that is meant; without it the model."),
    Option(name="text", type="text", summary="What it says.", required=True, example="Under review: INC-7"),
)


def _version(summary: str, *, required: bool = False) -> Option:
    return Option(name="version", type="text", summary=summary, required=required, example="6")


def _optional(option: Option) -> Option:
    return Option(name=option.name, type=option.type, summary=option.summary, example=option.example)


READS = (
    ActionSpec(
        name="model",
        summary="Reads a registered model: tags, aliases, latest version; with tags or names also what is set of them.",
        params=(_MODEL, _OF_VERSION, _optional(_TAGS), _optional(_NAMES)),
        effect="read",
        repeat="state",
    ),
    ActionSpec(
        name="alias",
        summary="Reads which version an alias points to.",
        params=(_MODEL, _ALIAS, _version("The version that is wanted, to tell whether it is there already.")),
        effect="read",
        repeat="state",
    ),
    ActionSpec(
        name="previous",
        summary="Reads which version rollback_alias would point an alias back to.",
        params=(_MODEL, _ALIAS, _version("The version to go back to, if it is known.")),
        effect="read",
        repeat="state",
    ),
    ActionSpec(
        name="note_state",
        summary="Reads a description, and whether a note stands in it.",
        params=_NOTE,
        effect="read",
        repeat="state",
    ),
)

CHANGES = (
    ActionSpec(
        name="set_alias",
        summary="Points an alias to a version.",
        params=(_MODEL, _ALIAS, _version("The version to point to.", required=True)),
        effect="change",
        repeat="state",
        undo="restore_alias",
        before="alias",
    ),
    ActionSpec(
        name="rollback_alias",
        summary=(
            "Points an alias back to an earlier version: the one given, else the highest READY one below the present. "
            "The tag quell.rollback.<alias> of the model keeps what was done, so that a repeat does not go back twice."
        ),
        params=(_MODEL, _ALIAS, _version("The version to go back to; without it the previous one.")),
        effect="change",
        repeat="lookup",
        undo="restore_alias",
        before="previous",
    ),
    ActionSpec(
        name="delete_alias",
        summary="Removes an alias; what loads the model by it fails from then on.",
        params=(_MODEL, _ALIAS),
        effect="change",
        repeat="state",
        undo="restore_alias",
        before="alias",
    ),
    ActionSpec(
        name="restore_alias",
        summary="Takes a change of an alias back, unless somebody has pointed it elsewhere since.",
        params=(
            _MODEL,
            _ALIAS,
            _version("The version that the change pointed it to; left out when it removed the alias."),
            _POINTS_TO,
        ),
        effect="change",
        repeat="state",
    ),
    ActionSpec(
        name="tag",
        summary="Sets tags of a model or of a version; a trainer or a deployment that looks at them obeys.",
        params=(_MODEL, _OF_VERSION, _TAGS),
        effect="change",
        repeat="state",
        undo="restore_tags",
        before="model",
    ),
    ActionSpec(
        name="untag",
        summary="Removes tags of a model or of a version.",
        params=(_MODEL, _OF_VERSION, _NAMES),
        effect="change",
        repeat="state",
        undo="restore_tags",
        before="model",
    ),
    ActionSpec(
        name="restore_tags",
        summary="Gives tags the values that they had.",
        params=(
            _MODEL,
            _OF_VERSION,
            Option(
                name="were",
                type="mapping",
                summary="Tags and the values they had; null for one that was not set.",
                required=True,
                example="{quell.hold: null}",
            ),
            Option(
                name="wanted",
                type="mapping",
                summary="What the change made of them, null for one it removed; other values are left as they are.",
            ),
        ),
        effect="change",
        repeat="state",
    ),
    ActionSpec(
        name="note",
        summary="Adds a paragraph to the description of a model or of a version, once.",
        params=_NOTE,
        effect="change",
        repeat="state",
        undo="unnote",
        before="note_state",
    ),
    ActionSpec(
        name="unnote",
        summary="Takes a paragraph out of a description, and leaves the rest.",
        params=_NOTE,
        effect="change",
        repeat="state",
    ),
)

SPEC = Spec(
    name="mlflow",
    summary="Tells of an MLflow registry's models, versions and what they were made of; sets aliases and tags.",
    options=(
        Option(
            name="url",
            type="url",
            summary="Where the tracking server lives, without /api.",
            required=True,
            example="http://mlflow.example:5000",
        ),
        Option(name="user", type="text", summary="For basic authentication, with password."),
        Option(name="password", type="secret", summary="The user's password."),
        Option(name="token", type="secret", summary="Sent as a bearer token, instead of user and password."),
        Option(
            name="timeout", type="duration", summary="How long to wait for one answer.", default=10.0, example="10s"
        ),
        Option(
            name="watch",
            type="boolean",
            summary="Whether models, prompts, versions, aliases, runs and their data are asked for, each time.",
            default=False,
        ),
        Option(
            name="who_tag",
            type="text",
            summary=(
                "The tag of a version, or of its model, that says who put an alias there; MLflow itself keeps nobody. "
                "With a dot and the alias behind it, it counts for that alias only."
            ),
            default="promoted_by",
        ),
        Option(
            name="pipeline_tags",
            type="list",
            summary="Tags of a run that name the pipeline that made it; the first one there counts.",
            default=("pipeline", "dag_id", "airflow_dag_id"),
        ),
    ),
    actions=(*CHANGES, *READS),
)
