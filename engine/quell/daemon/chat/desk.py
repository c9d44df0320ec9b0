"""The one dispatcher: whoever says something, wherever, is known, is allowed it or not, and gets an answer."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable

import structlog

from quell.chatops.forms import BY_VERB
from quell.chatops.grammar import Command, Misread, parse
from quell.config.settings import Person
from quell.daemon.auth import Principal
from quell.daemon.chat.dialogs import SUBMIT, Dialogs
from quell.daemon.chat.doing import Doing
from quell.daemon.chat.floor import Asker, Floor, Unfit, person_called
from quell.daemon.chat.telling import Telling
from quell.errors import QuellError
from quell.sdk.chat import Answer, Said

MOST_REMEMBERED = 10_000
"""Deliveries by their id; a vendor repeats within minutes."""
_log = structlog.get_logger("quell.chat")
Act = Callable[[Command, Asker], Awaitable[Answer]]


class Desk:
    """``people`` are those of the configuration; who is none of them is refused, and nobody else sees that."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self._dialogs = Dialogs(floor)
        self._heard: OrderedDict[str, None] = OrderedDict()
        telling, doing = Telling(floor), Doing(floor)
        self._acts: dict[str, Act] = {
            verb: getattr(telling if hasattr(telling, verb) else doing, verb) for verb in BY_VERB
        }

    async def hear(self, source: str, said: Said) -> Answer:
        """What somebody typed or clicked. Never raises: a bug is reported, and said to be one."""
        if self._again(f"{source}/{said.id}"):
            return Answer()
        try:
            return await self._heard_of(source, said)
        except Exception as error:  # noqa: BLE001 - whoever asked waits for an answer
            _log.exception("what was said could not be answered", source=source, who=said.who)
            return Answer(text=f"quell failed on this ({type(error).__name__}); its log has more. Try again.", ok=False)

    async def _heard_of(self, source: str, said: Said) -> Answer:
        principal = self._known(source, said.who)
        if principal is None:
            _log.warning("somebody unknown was refused", source=source, who=said.who, name=said.name)
            text = (
                f'quell does not know you ("{said.who}" in {source}), so nothing was done. '
                "Whoever administers it can add you to people.yaml."
            )
            return Answer(text=text, ok=False)
        asker = self._asker(principal, source, said)
        if not said.verb:
            return await self.say(said.text, asker)
        refused = self._refused(said.verb.removesuffix(SUBMIT), asker.principal)
        read = Answer(text=refused, ok=False) if refused else self._dialogs.read(said, asker)
        return await self._done(read, asker) if isinstance(read, Command) else read

    def _asker(self, principal: Principal, source: str, said: Said) -> Asker:
        board = self._floor.board
        row = board.at(source, said.channel, said.thread or said.message)
        return Asker(
            principal=principal,
            source=source,
            channel=said.channel,
            about=row.key if row is not None else "",
            own=said.who,
            id=said.id,
        )

    async def say(self, text: str, asker: Asker) -> Answer:
        """A command as text, by somebody who is known."""
        command = parse(text)
        if isinstance(command, Misread):
            return Answer(text=command.text, ok=False)
        return await self._done(command, asker)

    async def _done(self, command: Command, asker: Asker) -> Answer:
        refused = self._refused(command.verb, asker.principal)
        if refused:
            return Answer(text=refused, ok=False)
        began = time.perf_counter()
        try:
            answer = await self._acts[command.verb](command, asker)
        except Unfit as error:
            answer = Answer(text=f"Not done: {error}.", ok=False)
        except QuellError as error:
            answer = Answer(text=f"Not done: {error}. Try again in a moment.", ok=False)
        _log.info("said", by=asker.principal.by, verb=command.verb, source=asker.source,
                  took_ms=round((time.perf_counter() - began) * 1000.0, 1))  # fmt: skip
        return answer

    def _refused(self, verb: str, principal: Principal) -> str:
        """The one check of permission: why somebody may not do this; "" when they may."""
        form = BY_VERB.get(verb)
        if form is None or principal.may(form.scope):
            return ""
        return f'{principal.by} may not {form.verb}: it needs the scope "{form.scope}".'

    def _known(self, source: str, who: str) -> Principal | None:
        found = self._floor.sources.get(source)
        person = person_called(self._floor.people(), who, source, found.kind if found is not None else "")
        return principal_of(person) if person is not None else None

    def _again(self, key: str) -> bool:
        """Whether a delivery was heard before."""
        if key in self._heard:
            return True
        self._heard[key] = None
        if len(self._heard) > MOST_REMEMBERED:
            self._heard.popitem(last=False)
        return False


def principal_of(person: Person) -> Principal:
    """A person as somebody who may do things."""
    return Principal(f"person:{person.id}", person.id, frozenset(person.scopes), frozenset(person.roles))
