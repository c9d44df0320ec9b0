"""Setting and removing tags of models and versions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quell.errors import Refused
from quell.sdk.connector import Call, Done
from quell_connectors.mlflow.client import Client

_MOST = 50
"""Tags that one step may set."""


class Tags:
    """Deeds and readings that have to do with tags."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def read(self, call: Call) -> Done:
        """A model or version. ``already``: the wanted tags are set, the unwanted ones are not."""
        name, version = _whose(call)
        model = await self._client.model(name)
        now = (await self._client.version(name, version)).tags if version else model.tags
        wanted = _wanted(call)
        output = {
            "model": name,
            "latest": model.latest,
            "aliases": model.aliases,
            "tags": now,
            "were": {key: now.get(key) for key in wanted},
            "wanted": wanted,
            "already": bool(wanted) and all(now.get(key) == value for key, value in wanted.items()),
        }
        return Done(f"{_shown(name, version)} has {len(now)} tags and {len(model.aliases)} aliases", output)

    async def set(self, call: Call) -> Done:
        """Sets tags."""
        return await self._made(call, _wanted(call), "tags")

    async def remove(self, call: Call) -> Done:
        """Removes tags."""
        return await self._made(call, _wanted(call), "names")

    async def restore(self, call: Call) -> Done:
        """Gives tags their former values, or removes them; leaves those that somebody else has changed since."""
        were, left = (_as_texts(call.params.get(name) or {}) for name in ("were", "wanted"))
        now = await self._now(*_whose(call)) if left else {}
        others = {key for key, value in left.items() if key in were and now.get(key) not in (value, were[key])}
        mine = {key: value for key, value in were.items() if key not in others}
        if others and not mine:
            return Done(f"{_shown(*_whose(call))} has other {', '.join(sorted(others))} now; left as it is")
        done = await self._made(call, mine, "were")
        if not others:
            return done
        return Done(f"{done.sentence}; {', '.join(sorted(others))} was changed since and is left as it is", done.output)

    async def _made(self, call: Call, wanted: Mapping[str, str | None], param: str) -> Done:
        if not wanted or len(wanted) > _MOST:
            raise Refused(f'mlflow.{call.action} needs 1 to {_MOST} tags in "{param}", not {len(wanted)}')
        name, version = _whose(call)
        now = await self._now(name, version)
        were = {key: now.get(key) for key in wanted}
        different = {key: value for key, value in wanted.items() if now.get(key) != value}
        output = {"were": were}
        if not different:
            return Done(f"{_shown(name, version)} has {_said(wanted)} already; left as it is", output)
        if call.dry_run:
            return Done(f"{_shown(name, version)} would have {_said(wanted)}; now it has {_said(were)}", output)
        for key, value in different.items():
            if value is None:
                await self._client.delete_tag(name, version, key)
            else:
                await self._client.set_tag(name, version, key, value)
        return Done(f"{_shown(name, version)} has {_said(wanted)}", output)

    async def _now(self, name: str, version: str) -> dict[str, str]:
        return (await self._client.version(name, version)).tags if version else (await self._client.model(name)).tags


def _wanted(call: Call) -> dict[str, str | None]:
    """The tags that are wanted, with None for one that is not."""
    names = {str(name): None for name in call.params.get("names") or ()}
    return {**names, **_as_texts(call.params.get("tags") or {})}


def _as_texts(values: Mapping[str, Any]) -> dict[str, str | None]:
    return {str(key): None if value is None else _text(value) for key, value in values.items()}


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _whose(call: Call) -> tuple[str, str]:
    return str(call.params["model"]), str(call.params.get("version") or "")


def _shown(name: str, version: str) -> str:
    return f"version {version} of model {name}" if version else f"model {name}"


def _said(tags: Mapping[str, str | None]) -> str:
    return ", ".join(f"no {key}" if value is None else f"{key}={value[:60]}" for key, value in tags.items())
