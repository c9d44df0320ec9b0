"""Lines in the description of a model or version, where people who look at it in MLflow read them."""

from __future__ import annotations

from quell.errors import Refused
from quell.sdk.connector import Call, Done
from quell_connectors.mlflow.client import Client

_LONGEST = 2_000
_MOST = 5_000
"""Letters: of one note, and of a description with it, which MLflow bounds as its database does."""


class Notes:
    """A note is one paragraph of the description, known by its own words: the same one is there once."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def read(self, call: Call) -> Done:
        """Of a description. ``already``: the note stands in it."""
        name, version, text = _named(call)
        now = await self._now(name, version)
        shown = _shown(name, version)
        there = text in now.split("\n\n")
        word = "has" if there else "has not"
        return Done(f"{shown} {word} this note", {"already": there, "description": now[:_MOST]})

    async def add(self, call: Call) -> Done:
        """Puts a note behind what is there."""
        name, version, text = _named(call)
        now = await self._now(name, version)
        shown = _shown(name, version)
        if text in now.split("\n\n"):
            return Done(f"{shown} has this note already; left as it is")
        described = f"{now.rstrip()}\n\n{text}" if now.strip() else text
        if len(described) > _MOST:
            raise Refused(f"the description of {shown} would be longer than {_MOST} letters; it was left as it is")
        if call.dry_run:
            return Done(f"{shown} would have the note: {text[:200]}")
        await self._client.describe(name, version, described)
        return Done(f"{shown} has the note: {text[:200]}")

    async def remove(self, call: Call) -> Done:
        """Takes a note out, and leaves the rest."""
        name, version, text = _named(call)
        now = await self._now(name, version)
        shown = _shown(name, version)
        parts = now.split("\n\n")
        if text not in parts:
            return Done(f"{shown} has no such note; left as it is")
        if call.dry_run:
            return Done(f"{shown} would have no such note any more")
        await self._client.describe(name, version, "\n\n".join(part for part in parts if part != text))
        return Done(f"{shown} has no such note any more")

    async def _now(self, name: str, version: str) -> str:
        one = await self._client.version(name, version) if version else await self._client.model(name)
        return one.description


def _shown(name: str, version: str) -> str:
    return f"version {version} of model {name}" if version else f"model {name}"


def _named(call: Call) -> tuple[str, str, str]:
    params = call.params
    text = "\n".join(line.rstrip() for line in str(params.get("text") or "").splitlines() if line.strip())
    if not text or len(text) > _LONGEST:
        raise Refused(f'mlflow.{call.action} needs a "text" of 1 to {_LONGEST} letters, not {len(text)}')
    return str(params["model"]), str(params.get("version") or ""), text
