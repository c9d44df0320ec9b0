"""The verbs of the MLflow connector. Each action looks first; a dry run looks and then says what would be."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, ClassVar

from quell.errors import Refused
from quell.sdk.connector import Call, Context, Done, Pulled, Received, Request
from quell.sdk.spec import Spec
from quell_connectors.mlflow.aliases import Aliases
from quell_connectors.mlflow.client import Client
from quell_connectors.mlflow.hooks import hooked
from quell_connectors.mlflow.notes import Notes
from quell_connectors.mlflow.registry import Registry
from quell_connectors.mlflow.spec import SPEC
from quell_connectors.mlflow.tags import Tags


class MLflow:
    """Tells of models and their versions. Changes where aliases point and what tags say, and nothing else."""

    spec: ClassVar[Spec] = SPEC

    def __init__(self, options: Mapping[str, Any], context: Context) -> None:
        client = Client(options, context.http)
        aliases, tags, notes = Aliases(client), Tags(client), Notes(client)
        self._source = context.source
        self._watch = bool(options.get("watch"))
        self._registry = Registry(client, options, context.source)
        self._actions: Mapping[str, Callable[[Call], Awaitable[Done]]] = {
            "alias": aliases.read,
            "previous": aliases.previous,
            "set_alias": aliases.set,
            "rollback_alias": aliases.roll_back,
            "delete_alias": aliases.delete,
            "restore_alias": aliases.restore,
            "model": tags.read,
            "tag": tags.set,
            "untag": tags.remove,
            "restore_tags": tags.restore,
            "note": notes.add,
            "unnote": notes.remove,
            "note_state": notes.read,
        }

    def receive(self, request: Request, now: float) -> Received:
        """Takes a webhook of the registry; who sent it was checked before. Raises `BadPayload`."""
        return Received(hooked(request, self._source, now))

    async def pull(self, cursor: str | None, now: float) -> Pulled:
        """What is new in the registry, when the source is to watch it. Raises as the client does."""
        return await self._registry.pull(cursor, now) if self._watch else Pulled((), cursor)

    async def act(self, call: Call) -> Done:
        """Raises `Refused` for what MLflow knows nothing of, `Unreachable` and `NoAnswer` as the client does."""
        action = self._actions.get(call.action)
        if action is None:
            raise Refused(f'mlflow has no action "{call.action}"; it has {", ".join(self._actions)}')
        return await action(call)
