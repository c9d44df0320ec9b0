"""The actions of the Argo CD connector, and what its notifications tell.

What takes a while is begun once and then asked for until it has ended.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, ClassVar

from quell.errors import NoAnswer, Refused, Unreachable
from quell.sdk.change_events import Places, body_of, told
from quell.sdk.connector import Call, Context, Done, Pending, Received, Request
from quell.sdk.spec import Spec
from quell_connectors.argocd.client import Busy, Client
from quell_connectors.argocd.events import changes
from quell_connectors.argocd.spec import SPEC
from quell_connectors.argocd.translate import App, Entry, Operation, short

_CHECK_S = 2.0
_REMEMBERED = 1000


class ArgoCD:
    """Rolls back, syncs and restores; refuses to turn auto-sync off where it would be turned on again.

    What was begun is remembered for as long as quell runs: the API answers from a cache that may not show it yet, and a
    failure of ours must be told from one of before. After a restart the operation itself is looked at.
    """

    spec: ClassVar[Spec] = SPEC

    def __init__(self, options: Mapping[str, Any], context: Context) -> None:
        self._client = Client(options, context.http)
        self._places = Places(options, context.source, "service/${app}")
        self._source = context.source
        self._begun: dict[str, str] = {}
        """When the operation before ours had started, by the key of the call that began ours."""
        self._acts: Mapping[str, Callable[[Call, App], Awaitable[Done | Pending]]] = {
            "rollback": self._rollback,
            "sync": self._sync,
            "restore": self._restore,
            "rollback_state": self._rollback_state,
            "sync_state": self._sync_state,
            "app": self._app,
            "refresh": self._app,
        }

    def receive(self, request: Request, now: float) -> Received:
        """A change for a sync that has ended. Raises `BadPayload` for what cannot be read."""
        body = body_of(request)
        return told(lambda: changes(body, self._places, self._source, now), request, "the sync has not ended")

    async def act(self, call: Call) -> Done | Pending:
        """Raises what `Client` raises."""
        act = self._acts.get(call.action)
        if act is None:
            raise Refused(f'argocd has no action "{call.action}"; it has {", ".join(self._acts)}')
        refresh = ("hard" if call.params.get("hard") else "normal") if call.action == "refresh" else ""
        return await act(call, await self._client.app(str(call.params.get("app")), call.timeout_s, refresh))

    async def _rollback(self, call: Call, app: App) -> Done | Pending:
        target = app.entry(_text(call, "to"))
        kept = None if call.key in self._begun else _left(call, app)
        if kept:
            return kept
        return await self._deploy(call, app, target)

    async def _restore(self, call: Call, app: App) -> Done | Pending:
        kept = None if call.key in self._begun else _left(call, app)
        if kept:
            return kept
        if not call.params.get("auto_sync"):
            return await self._deploy(call, app, app.entry(_text(call, "to")))
        if app.auto_sync:
            return Done(f"auto-sync of {app.name} is on already; left as it is", {"changed": False})
        if call.dry_run:
            return Done(f"auto-sync of {app.name} would be on again; Argo CD would go to {app.follows} by itself")
        await self._client.set_auto_sync(app.name, call.params.get("automated") or {}, call.timeout_s)
        return Done(f"auto-sync of {app.name} is on again; Argo CD goes to {app.follows} by itself", {"changed": True})

    async def _deploy(self, call: Call, app: App, target: Entry) -> Done | Pending:
        """Of an entry of the history."""
        under_way = app.operation.busy and app.operation.revisions == target.revisions
        if call.key in self._begun or (under_way and not call.dry_run):
            ended = self._ended(call, app)
            if ended is None:
                return Pending(_CHECK_S, f"{app.name} is being deployed")
            if ended.phase == "Succeeded":
                return Done(
                    f"{app.name} runs {target.title}", {"changed": True, **target.brief(), "health": app.health}
                )
            off = "" if app.auto_sync else "; auto-sync is off"
            raise Refused(f"Argo CD could not deploy {target.title} of {app.name}: {ended.message or ended.phase}{off}")
        if app.runs(target):
            return Done(f"{app.name} runs {target.title} already; left as it is", {"changed": False, **target.brief()})
        self._must_let_us(call, app)
        if call.dry_run:
            await self._must_be_allowed(call, app)
            off = "; auto-sync would be off" if app.auto_sync else ""
            return Done(f"{app.name} would run {target.title} instead of {_current(app)}{off}")
        if await self._free(call, app):
            return Pending(_CHECK_S, f"the operation of {app.name} that was under way is being ended")
        if app.auto_sync:
            await self._client.set_auto_sync(app.name, None, call.timeout_s)
        try:
            await self._client.rollback(app.name, target, bool(call.params.get("prune")), call.timeout_s)
        except Busy as error:
            return Pending(_CHECK_S, str(error))  # perhaps with ours, which the cache does not show yet
        except NoAnswer:
            raise  # perhaps it was begun
        except (Refused, Unreachable) as error:
            await self._as_it_was(call, app, error)
            raise
        self._remember(call, app)
        return Pending(_CHECK_S, f"{app.name} is being deployed")

    async def _sync(self, call: Call, app: App) -> Done | Pending:
        """A repeat finds the note on the operation."""
        to, operation = _text(call, "to"), app.operation
        title = short(to or app.follows)
        if call.key in self._begun or operation.key == call.key:
            ended = self._ended(call, app)
            if ended is None:
                return Pending(_CHECK_S, f"{app.name} is being synced")
            if ended.phase == "Succeeded":
                return Done(f"{app.name} is synced to {title}", {"changed": True, **app.output()})
            raise Refused(f"Argo CD could not sync {app.name} to {title}: {ended.message or ended.phase}")
        if to and app.auto_sync and to != app.follows:
            raise Refused(
                f"auto-sync of {app.name} follows {app.follows}: it can be rolled back, not synced to {title}"
            )
        if call.dry_run:
            if not await self._client.may("sync", app, call.timeout_s):
                raise Refused(f"Argo CD does not allow our account to sync {app.name}; nothing was done")
            return Done(f"{app.name} would be synced to {title}; {_current(app)} is deployed")
        if await self._free(call, app):
            return Pending(_CHECK_S, f"the operation of {app.name} that was under way is being ended")
        try:
            await self._client.sync(app.name, to, bool(call.params.get("prune")), call.key, call.timeout_s)
        except Busy as error:
            return Pending(_CHECK_S, str(error))
        self._remember(call, app)
        return Pending(_CHECK_S, f"{app.name} is being synced")

    async def _rollback_state(self, call: Call, app: App) -> Done:
        target = app.entry(_text(call, "to"))
        # What somebody else is deploying right now is theirs: an undo of ours must not take it back.
        under_way = app.operation.busy and app.operation.revisions == target.revisions
        already = app.runs(target) or under_way or _left(call, app) is not None
        return self._state(app, already, ", ".join(target.revisions))

    async def _sync_state(self, call: Call, app: App) -> Done:
        to, current = _text(call, "to"), app.current
        there = app.sync == "Synced" if not to else current is not None and current.is_meant(to) and app.runs(current)
        return self._state(app, there, to)

    def _state(self, app: App, already: bool, then: str) -> Done:
        """For the undo: where to, auto-sync as it was, and only while what we deployed is deployed."""
        state = {
            "already": already,
            "to": str(app.current.id) if app.current else "",
            "auto_sync": app.auto_sync,
            "automated": dict(app.automated),
            "bad": then,
        }
        auto = "on" if app.auto_sync else "off"
        return Done(f"{app.name} runs {_current(app)}; auto-sync is {auto}", {**state, "app_state": app.output()})

    async def _app(self, _call: Call, app: App) -> Done:
        return Done(f"{app.name} runs {_current(app)}: {app.sync}, {app.health}", app.output())

    def _ended(self, call: Call, app: App) -> Operation | None:
        """The operation that we began, once it has ended; None while it is under way or not to be seen yet."""
        before = self._begun.setdefault(call.key, "")
        operation = app.operation
        if operation.busy or operation.started_at == before:
            return None
        del self._begun[call.key]
        return operation

    def _remember(self, call: Call, app: App) -> None:
        self._begun[call.key] = app.operation.started_at
        while len(self._begun) > _REMEMBERED:  # runs that gave up waiting
            del self._begun[next(iter(self._begun))]

    async def _free(self, call: Call, app: App) -> bool:
        """Whether another operation had to be ended first. Raises `Unreachable` when one may not be."""
        operation = app.operation
        if not operation.busy:
            return False
        if not call.params.get("terminate"):
            what = ", ".join(short(one) for one in operation.revisions) or "a revision"
            raise Unreachable(
                f"{app.name} is busy: {operation.by} deploys {what} ({operation.message or operation.phase}); "
                "nothing was done. Set terminate: true to end it first"
            )
        if operation.phase != "Terminating":
            await self._client.terminate(app.name, call.timeout_s)
        return True

    def _must_let_us(self, call: Call, app: App) -> None:
        """Raises `Refused` when turning auto-sync off would not last."""
        if app.auto_sync and app.keeper and call.params.get("managed") != "go_on":
            raise Refused(
                f"auto-sync of {app.name} is kept on by {app.keeper}, which would turn it on again and go forward; "
                "roll back in git, or set managed: go_on. Nothing was done"
            )

    async def _must_be_allowed(self, call: Call, app: App) -> None:
        """Raises `Refused` when our account lacks a right that the act would need."""
        for action in ("sync", "update") if app.auto_sync else ("sync",):
            if not await self._client.may(action, app, call.timeout_s):
                raise Refused(f"Argo CD does not allow our account to {action} {app.name}; nothing was done")

    async def _as_it_was(self, call: Call, app: App, why: Refused | Unreachable) -> None:
        """Turns auto-sync on again when nothing was begun. Raises ``why`` with both when that fails too."""
        if not app.auto_sync:
            return
        try:
            await self._client.set_auto_sync(app.name, app.automated, call.timeout_s)
        except (Unreachable, Refused) as error:
            both = f"{why}; auto-sync is off and could not be turned on again: {error}"
            if isinstance(why, Unreachable):  # a later try goes on from here
                raise Unreachable(both, why.retry_after_s) from error
            raise Refused(both) from error


def _left(call: Call, app: App) -> Done | None:
    """What to say when something else than the bad revision is deployed; None when it is that, or none is named."""
    bad = _text(call, "bad")
    if not bad or app.operation.busy:
        return None
    fits = app.current is not None and any(app.current.is_meant(one) for one in bad.split(", "))
    last = app.operation.revisions
    tried = any(one == bad or (len(bad) >= 7 and one.startswith(bad)) for one in last)
    if fits or tried:
        return None
    return Done(f'{app.name} runs {_current(app)}, not "{short(bad)}"; left as it is', {"changed": False})


def _current(app: App) -> str:
    return app.current.title if app.current else "nothing"


def _text(call: Call, name: str) -> str:
    value = call.params.get(name)
    return "" if value is None else str(value)
