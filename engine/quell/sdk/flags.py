"""Feature flags of any service: what `quell_connectors.launchdarkly`, ``unleash`` and ``flagsmith`` share.

A connector says how its service is asked (`FlagDesk`) and hands its calls to `Switch`, which looks before it writes; a
dry run looks and then says what would be. What a service's webhook tells of a change becomes one record here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from quell.errors import Refused
from quell.model.records import ChangeRecord
from quell.sdk.change_events import Places
from quell.sdk.connector import Call, Done
from quell.sdk.spec import ActionSpec, Option

_WANTED = {"flag_off": False, "is_off": False, "flag_on": True, "is_on": True}


@dataclass(frozen=True, slots=True)
class Which:
    """A flag in one environment; ``project`` is "" for a service that has none in its addresses."""

    flag: str
    project: str
    environment: str

    @property
    def place(self) -> str:
        """As sentences name it."""
        of = f" of project {self.project}" if self.project else ""
        return f"flag {self.flag}{of} in {self.environment}"

    @property
    def output(self) -> dict[str, Any]:
        """As outputs name it."""
        named = {"flag": self.flag, "project": self.project, "environment": self.environment}
        return {name: value for name, value in named.items() if value}


@dataclass(frozen=True, slots=True)
class Looked:
    """Whether a flag is on; ``mark`` is what its service calls that state."""

    on: bool
    mark: Any = None


class FlagDesk(Protocol):
    """How one service is asked. Each method raises the `quell.errors.ConnectorError` that says what was answered."""

    async def look(self, which: Which, now: float) -> Looked:
        """Raises `Refused` for a flag or environment that is not there or cannot be switched."""
        ...

    async def switch(self, which: Which, before: Looked, on: bool, *, comment: str, now: float) -> None:
        """Turns a flag on or off; one that is so already stays so."""
        ...


class Switch:
    """The actions of a flag connector. ``needs`` are the places that a step or else the source must name."""

    def __init__(self, name: str, needs: tuple[str, ...], options: Mapping[str, Any], desk: FlagDesk | None) -> None:
        self._name = name
        self._needs = needs
        self._options = options
        self._desk = desk

    async def act(self, call: Call) -> Done:
        """Raises what the desk raises, and `Refused` for an action, a place or a token that is missing."""
        if call.action not in {"flag", *_WANTED}:
            raise Refused(f'{self._name} has no action "{call.action}"; it has flag_off, flag_on, flag')
        which = self._which(call)
        if self._desk is None:
            raise Refused(f'{self._name}.{call.action} needs the option "token" of the source; nothing was asked')
        before = await self._desk.look(which, call.now)
        if call.action in {"flag_off", "flag_on"}:
            return await self._switched(self._desk, call, which, before)
        output: dict[str, Any] = {**which.output, "on": before.on}
        if call.action in _WANTED:
            output["already"] = before.on is _WANTED[call.action]
        return Done(f"{which.place} is {_word(before.on)}", output)

    async def _switched(self, desk: FlagDesk, call: Call, which: Which, before: Looked) -> Done:
        on = _WANTED[call.action]
        output = {**which.output, "on": on}
        if before.on is on:
            return Done(f"{which.place} is {_word(on)} already; left as it is", output)
        if call.dry_run:
            return Done(f"{which.place} would be {_word(on)}; it is {_word(before.on)} now", output)
        comment = str(call.params.get("comment") or f"quell {call.key}")
        await desk.switch(which, before, on, comment=comment, now=call.now)
        return Done(f"{which.place} is {_word(on)}", output)

    def _which(self, call: Call) -> Which:
        named = {name: str(call.params.get(name) or self._options.get(name) or "") for name in self._needs}
        missing = next((name for name in self._needs if not named[name]), "")
        if missing:
            raise Refused(
                f'{self._name}.{call.action} needs "{missing}", of the step or of the source; nothing was asked'
            )
        return Which(str(call.params["flag"]), named.get("project", ""), named["environment"])


def flag_actions(which: tuple[Option, ...], off: str, on: str, more: tuple[Option, ...] = ()) -> tuple[ActionSpec, ...]:
    """The same five actions; ``off`` and ``on`` say what they mean there."""

    def read(name: str, summary: str) -> ActionSpec:
        return ActionSpec(name=name, summary=summary, params=which, effect="read", repeat="state")

    return (
        ActionSpec(name="flag_off", summary=off, params=(*which, *more), repeat="state", undo="flag_on",
                   before="is_off"),
        ActionSpec(name="flag_on", summary=on, params=(*which, *more), repeat="state", undo="flag_off",
                   before="is_on"),
        read("flag", "Reads whether a flag is on."),
        read("is_off", "Reads whether a flag is off already."),
        read("is_on", "Reads whether a flag is on already."),
    )  # fmt: skip


def flag_change(
    which: Which, places: Places, *, at: float, identity: str, author: str, summary: str, source: str, now: float,
    url: str = "", previous: str = "", revision: str = "",
) -> ChangeRecord:  # fmt: skip
    """What somebody did to a flag. ``previous`` and ``revision`` are its states, as far as they are told."""
    labels = {"flag": which.flag, "project": which.project, "environment": which.environment}
    return ChangeRecord(
        at=min(at, now),
        seen=now,
        source=source,
        id=f"flag/{identity}" if identity else "",
        type="flag",
        entity=places.of(which.flag, {"flag": which.flag, "project": which.project, "env": which.environment}),
        labels={name: value[:256] for name, value in labels.items() if value},
        revision=revision,
        previous=previous,
        author=author[:256],
        summary=summary[:2000],
        url=url[:2000],
    )


def _word(on: bool) -> str:
    return "on" if on else "off"
