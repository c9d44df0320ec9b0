"""What the Argo CD connector declares."""

from __future__ import annotations

from quell.sdk.change_events import place_options
from quell.sdk.spec import ActionSpec, Option, Spec

_APP = Option(name="app", type="text", summary="The application.", required=True, example="checkout")
_BAD = Option(name="bad", type="text", summary="Act only while this revision is deployed; else it is left as it is.")
_PRUNE = Option(name="prune", type="boolean", summary="Delete what the revision does not have.", default=False)
_TERMINATE = Option(
    name="terminate",
    type="boolean",
    summary="End an operation that is under way first, such as the sync that waits for what is broken.",
    default=False,
)
_MANAGED = Option(
    name="managed",
    type="text",
    summary="What to do when auto-sync must be turned off, and an ApplicationSet or a parent would turn it on again.",
    default="refuse",
    choices=("refuse", "go_on"),
)
_ROLLBACK = (
    _APP,
    Option(
        name="to",
        type="text",
        summary="Where to: the id of a history entry, or a revision that is in the history (seven letters suffice).",
        required=True,
        example="8f3c2d1",
    ),
    _BAD,
)
_SYNC = (
    _APP,
    Option(name="to", type="text", summary="The revision; without it the one that the application follows."),
)

SPEC = Spec(
    name="argocd",
    summary="Rolls Argo CD applications back and syncs them; auto-sync is turned off first and on again by the undo.",
    options=(
        Option(name="url", type="url", summary="Where Argo CD lives.", required=True, example="https://argocd.example"),
        Option(name="token", type="secret", summary="A token of an account or project role, sent as bearer token."),
        Option(name="token_file", type="path", summary="A file with the token, read at each request."),
        Option(name="ca_file", type="path", summary="Certificates (PEM) that the server's must be signed by."),
        Option(name="cert_file", type="path", summary="A client certificate (PEM) to show."),
        Option(name="key_file", type="path", summary="The key of the client certificate."),
        Option(name="app_namespace", type="text", summary="Where applications live, if not in Argo CD's namespace."),
        Option(name="project", type="text", summary="The project that applications must belong to."),
        *place_options("application", "service/${app}"),
    ),
    actions=(
        ActionSpec(
            name="rollback",
            summary="Deploys an entry of the history again and waits for it; auto-sync is turned off first.",
            params=(*_ROLLBACK, _PRUNE, _TERMINATE, _MANAGED),
            repeat="state",
            undo="restore",
            before="rollback_state",
        ),
        ActionSpec(
            name="sync",
            summary="Deploys a revision, and waits for it.",
            params=(*_SYNC, _PRUNE, _TERMINATE),
            repeat="lookup",
            undo="restore",
            before="sync_state",
        ),
        ActionSpec(
            name="restore",
            summary="Takes a rollback or sync back: turns auto-sync on as it was, or deploys what was deployed.",
            params=(
                _APP,
                Option(name="to", type="text", summary="The history entry that was deployed."),
                Option(name="auto_sync", type="boolean", summary="Whether auto-sync was on.", default=False),
                Option(name="automated", type="mapping", summary="The settings that auto-sync had."),
                _BAD,
                _PRUNE,
                _TERMINATE,
            ),
            repeat="state",
        ),
        ActionSpec(
            name="app",
            summary="What is deployed, whether it is in sync and healthy, the operation and the newest history.",
            params=(_APP,),
            effect="read",
            repeat="state",
        ),
        ActionSpec(
            name="refresh",
            summary="The same after Argo CD has compared with git anew.",
            params=(
                _APP,
                Option(
                    name="hard", type="boolean", summary="Also forget what is cached of the manifests.", default=False
                ),
            ),
            effect="read",
            repeat="state",
        ),
        ActionSpec(
            name="rollback_state",
            summary="What is before `rollback`: whether it is so already, what is deployed, auto-sync.",
            params=_ROLLBACK,
            effect="read",
            repeat="state",
        ),
        ActionSpec(
            name="sync_state",
            summary="What is before `sync`: whether it is so already, what is deployed, auto-sync.",
            params=_SYNC,
            effect="read",
            repeat="state",
        ),
    ),
)
