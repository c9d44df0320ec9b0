"""The actions of the Unleash connector. Each looks first; a dry run looks and then says what would be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from quell.errors import Refused
from quell.sdk.connector import Call, Context, Done
from quell.sdk.spec import Spec
from quell_connectors.unleash.client import Client
from quell_connectors.unleash.spec import SPEC

_WANTED = {"flag_off": False, "is_off": False, "flag_on": True, "is_on": True}


class Unleash:
    """Enables or disables a flag in one environment; strategies and variants stay as they are."""

    spec: ClassVar[Spec] = SPEC

    def __init__(self, options: Mapping[str, Any], context: Context) -> None:
        self._client = Client(options, context.http)
        self._project = str(options.get("project") or "")
        self._environment = str(options.get("environment") or "")

    async def act(self, call: Call) -> Done:
        """Raises `Refused` for what Unleash knows nothing of, `Unreachable` and `NoAnswer` as the client does."""
        match call.action:
            case "flag_off" | "flag_on":
                return await self._switched(call, on=_WANTED[call.action])
            case "flag" | "is_off" | "is_on":
                return await self._read(call)
        raise Refused(f'unleash has no action "{call.action}"; it has flag_off, flag_on, flag')

    async def _read(self, call: Call) -> Done:
        flag, project, environment = self._named(call)
        place = f"flag {flag} of project {project} in {environment}"
        on = await self._client.is_on(flag, project, environment)
        output: dict[str, Any] = {"flag": flag, "project": project, "environment": environment, "on": on}
        if call.action in _WANTED:
            output["already"] = on is _WANTED[call.action]
        return Done(f"{place} is {_word(on)}", output)

    async def _switched(self, call: Call, *, on: bool) -> Done:
        flag, project, environment = self._named(call)
        place = f"flag {flag} of project {project} in {environment}"
        was = await self._client.is_on(flag, project, environment)
        output = {"flag": flag, "project": project, "environment": environment, "on": on}
        if was is on:
            return Done(f"{place} is {_word(on)} already; left as it is", output)
        if call.dry_run:
            return Done(f"{place} would be {_word(on)}; it is {_word(was)} now", output)
        await self._client.switch(flag, project, environment, on)
        return Done(f"{place} is {_word(on)}", output)

    def _named(self, call: Call) -> tuple[str, str, str]:
        project = str(call.params.get("project") or self._project)
        environment = str(call.params.get("environment") or self._environment)
        if not project or not environment:
            missing = "environment" if project else "project"
            raise Refused(f'unleash.{call.action} needs "{missing}", of the step or of the source; nothing was asked')
        return str(call.params["flag"]), project, environment


def _word(on: bool) -> str:
    return "on" if on else "off"
