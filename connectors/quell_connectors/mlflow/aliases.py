"""Pointing aliases to versions: set, rolled back, removed, and taken back."""

from __future__ import annotations

from quell.errors import Refused
from quell.sdk.connector import Call, Done
from quell_connectors.mlflow.client import Client
from quell_connectors.mlflow.translate import Model, number_of

_MARK = "quell.rollback."
"""Name of the tag of a model that keeps the last rollback of an alias: ``<key of the step> <from>><to>``."""


class Aliases:
    """Deeds and readings that have to do with an alias."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def read(self, call: Call) -> Done:
        """Where an alias points. ``already``: at the wanted version; without one, that there is no such alias."""
        name, alias, wanted = _named(call)
        current = (await self._client.model(name)).aliases.get(alias, "")
        output = {"already": current == wanted, "exists": bool(current), "points_to": current}
        return Done(_points(name, alias, current), output)

    async def previous(self, call: Call) -> Done:
        """Where a rollback would go."""
        name, alias, wanted = _named(call)
        model = await self._client.model(name)
        current = model.aliases.get(alias, "")
        target = _marked(model, alias, call.key)[1] or wanted or await self._earlier(model, alias)
        sentence = f"{_points(name, alias, current)}; a rollback would point it to {target}"
        return Done(sentence, {"already": current == target, "points_to": current, "version": target})

    async def set(self, call: Call) -> Done:
        """Points an alias to a version."""
        name, alias, version = _named(call)
        current = (await self._client.model(name)).aliases.get(alias, "")
        return await self._pointed(call, name, alias, current, version)

    async def roll_back(self, call: Call) -> Done:
        """Points an alias to the version before; the mark that is set first tells a repeat which one that was."""
        name, alias, wanted = _named(call)
        model = await self._client.model(name)
        current = model.aliases.get(alias, "")
        if not current:
            raise Refused(f"model {name} has no alias {alias} to roll back; nothing was changed")
        was, target = _marked(model, alias, call.key)
        if not target:
            was, target = current, wanted or await self._earlier(model, alias)
            if not call.dry_run and current != target:
                await self._client.version(name, target)
                await self._client.set_tag(name, "", f"{_MARK}{alias}", f"{call.key} {was}>{target}")
        elif current not in (was, target):
            raise Refused(
                f"{_points(name, alias, current)}, which is neither {was}, where this step found it, nor {target}: "
                "somebody changed it since; it was left as it is"
            )
        done = await self._pointed(call, name, alias, current, target)
        return Done(done.sentence, {**done.output, "points_to": was})

    async def delete(self, call: Call) -> Done:
        """Removes an alias."""
        name, alias, _ = _named(call)
        current = (await self._client.model(name)).aliases.get(alias, "")
        output = {"version": "", "points_to": current}
        if not current:
            return Done(f"model {name} has no alias {alias} already; left as it is", output)
        if call.dry_run:
            return Done(f"alias {alias} of model {name} would be removed; it points to version {current} now", output)
        await self._client.delete_alias(name, alias)
        return Done(f"alias {alias} of model {name} is removed; it pointed to version {current}", output)

    async def restore(self, call: Call) -> Done:
        """Takes a change back. Raises `Refused` when the alias is not where the change left it."""
        name, alias, changed_to = _named(call)
        before = str(call.params.get("points_to") or "")
        current = (await self._client.model(name)).aliases.get(alias, "")
        if current not in (before, changed_to):
            raise Refused(
                f"{_points(name, alias, current)}, which is neither where it was put ({changed_to or 'removed'}) nor "
                f"where it was before ({before or 'not there'}): somebody changed it since; it was left as it is"
            )
        if before:
            return await self._pointed(call, name, alias, current, before)
        return await self.delete(call)

    async def _pointed(self, call: Call, name: str, alias: str, current: str, version: str) -> Done:
        output = {"version": version, "points_to": current}
        if current == version:
            return Done(f"{_points(name, alias, version)} already; left as it is", output)
        found = await self._client.version(name, version)
        if not found.ready:
            raise Refused(f"version {version} of model {name} is not READY; {_points(name, alias, current)} still")
        if call.dry_run:
            now = f"it points to version {current} now" if current else "there is no such alias now"
            return Done(f"alias {alias} of model {name} would point to version {version}; {now}", output)
        await self._client.set_alias(name, alias, version)
        was = f"it pointed to version {current}" if current else "it is new"
        return Done(f"{_points(name, alias, version)}; {was}", output)

    async def _earlier(self, model: Model, alias: str) -> str:
        """The highest READY version below the one that the alias points to. Raises `Refused` when there is none."""
        current = model.aliases.get(alias, "")
        if not current:
            raise Refused(f"model {model.name} has no alias {alias} to roll back; nothing was changed")
        versions = await self._client.versions(model.name, prompt=model.prompt)
        numbers = [number_of(one.number) for one in versions if one.ready]
        earlier = max((number for number in numbers if 0 <= number < number_of(current)), default=None)
        if earlier is None:
            raise Refused(f"model {model.name} has no READY version before {current}; {alias} was left as it is")
        return str(earlier)


def _named(call: Call) -> tuple[str, str, str]:
    params = call.params
    return str(params["model"]), str(params["alias"]).removeprefix("@"), str(params.get("version") or "")


def _points(name: str, alias: str, version: str) -> str:
    if not version:
        return f"model {name} has no alias {alias}"
    return f"alias {alias} of model {name} points to version {version}"


def _marked(model: Model, alias: str, key: str) -> tuple[str, str]:
    """From where to where the step of that key began to roll back; two empty texts if it did not."""
    marked_by, _, versions = model.tags.get(f"{_MARK}{alias}", "").rpartition(" ")
    if marked_by != key:
        return "", ""
    was, _, target = versions.partition(">")
    return was, target
