"""Who it was: what people do in other systems is kept under the names that people.yaml gives them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from msgspec.structs import replace

from quell.config.settings import Person
from quell.daemon.sources import Sources
from quell.model.records import AnyRecord, CommandRecord


class Naming:
    """Names whoever did what a connector tells of; people whom nobody knows keep the name that they have there."""

    def __init__(self, sources: Sources, people: Callable[[], tuple[Person, ...]]) -> None:
        self._sources = sources
        self._people = people

    def named(self, records: Sequence[AnyRecord]) -> Sequence[AnyRecord]:
        """The records, with people's ids in commands that say who it was. Before they are journalled: names change."""
        if not any(type(record) is CommandRecord for record in records):
            return records
        return [self._one(record) if type(record) is CommandRecord else record for record in records]

    def _one(self, command: CommandRecord) -> CommandRecord:
        who: Any = command.args.get("who")
        if command.verb != "follow" or not isinstance(who, dict):
            return command
        source = self._sources.get(command.source)
        kinds = [command.source, *([source.kind] if source is not None else [])]
        wanted = {(kind, str(who.get("id") or "")) for kind in kinds}
        email = str(who.get("email") or "").lower()
        name = str(who.get("name") or "").strip().lower()
        people = self._people()
        for fits in (
            lambda person: not wanted.isdisjoint(person.ids.items()),
            lambda person: bool(email) and person.email.lower() == email,
            lambda person: bool(name) and person.name.strip().lower() == name,
        ):
            found = [person for person in people if fits(person)]
            if len(found) == 1:
                return replace(command, by=found[0].id)
        return command
