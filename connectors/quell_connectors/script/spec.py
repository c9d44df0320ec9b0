"""What the script connector declares."""

from __future__ import annotations

from quell.sdk.spec import ActionSpec, Option, Spec

_SCRIPT = (
    Option(
        name="script", type="text", summary="Which of the declared scripts.", required=True, example="restart-cache"
    ),
    Option(
        name="args", type="list", summary="Its arguments, handed over as they are.", example='["${suspect.service}"]'
    ),
    Option(name="input", type="mapping", summary="Written to its standard input as JSON; without it that is empty."),
)

SPEC = Spec(
    name="script",
    summary="Runs scripts of one directory, declared by name: without a shell, as a user without rights, with a limit.",
    options=(
        Option(
            name="directory",
            type="path",
            summary="Where the scripts are; neither it nor they may be writable by others.",
            required=True,
            example="/etc/quell/scripts",
        ),
        Option(
            name="scripts",
            type="mapping",
            summary=(
                "Each script by name: its effect (read, tell, change), repeat (state, keyed, lookup, never), timeout, "
                "dry_run, before, undo, dashes."
            ),
            required=True,
            example="{restart-cache: {effect: change, repeat: state, timeout: 30s, dry_run: true}}",
        ),
        Option(name="user", type="text", summary="Who runs them; needed when quell runs as root.", example="nobody"),
        Option(
            name="environment",
            type="mapping",
            summary="Variables they are given besides PATH, LANG and QUELL_….",
            example="{KUBECONFIG: /etc/quell/kubeconfig}",
        ),
        Option(name="token", type="secret", summary="A secret they are given as QUELL_TOKEN; masked in what they say."),
    ),
    actions=(
        ActionSpec(
            name="run",
            summary="Runs a script once; what became of one that was cut off is for a person to see.",
            params=_SCRIPT,
            repeat="never",
            undo="undo",
            before="state",
        ),
        ActionSpec(
            name="ensure",
            summary="Runs a script that may be run again with the same key: declared repeat: state, keyed or lookup.",
            params=_SCRIPT,
            repeat="state",
            undo="undo",
            before="state",
        ),
        ActionSpec(
            name="tell",
            summary="Runs a script that only tells somebody: declared effect: tell.",
            params=_SCRIPT,
            effect="tell",
            repeat="never",
        ),
        ActionSpec(
            name="read",
            summary="Runs a script that changes nothing: declared effect: read. Also in a dry run.",
            params=_SCRIPT,
            effect="read",
            repeat="state",
        ),
        ActionSpec(
            name="undo",
            summary="Runs the script that the script's declaration names under undo, with the same arguments.",
            params=_SCRIPT,
            repeat="state",
        ),
        ActionSpec(
            name="state",
            summary="Runs the script that the script's declaration names under before; it prints a JSON object.",
            params=_SCRIPT,
            effect="read",
            repeat="state",
        ),
    ),
)
