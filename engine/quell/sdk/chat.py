"""Chat: what a connector to a place where people talk shows and hears. No vendor's word stands here.

The daemon decides what is shown where, when, and in which order; it keeps where each message stands, so that a restart
edits what is there. A connector turns a `Card` into its vendor's message, and what people type or click into `Said`.
It neither reads commands nor knows who may do what: that is the one dispatcher's business, behind ``hear``.

Text is plain. Two marks may stand in it: ``**strong**`` and `` `code` ``. Everything else is literal, and the connector
escapes it, so that nobody's alert mentions a whole channel.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

import msgspec

from quell.sdk.connector import Reply, Request

Style = Literal["", "primary", "danger"]
LineKind = Literal["lead", "cause", "fact", "item", "quote", "note"]
"""``lead``: what is broken for users; ``cause``: why; ``fact``: ``Label: text``; ``item``: one of a list; ``quote``:
a diff, a command, arguments; ``note``: small print."""


class Button(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something to click. ``value`` comes back unchanged; ``confirm`` is a question to ask before, "" for none."""

    verb: str
    label: str
    value: str = ""
    style: Style = ""
    confirm: str = ""


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of a card."""

    text: str
    kind: LineKind = "fact"


class Picture(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A picture by its bytes (PNG), or by ``url`` when these are empty. ``mark`` changes when the picture does."""

    mark: str
    alt: str
    png: bytes = b""
    url: str = ""


class Card(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an incident, an approval or a digest looks like now.

    ``key`` is stable for as long as the message is (``INC-…``, ``R-…``, ``digest/…``); ``version`` is that of what it
    shows. ``severity`` and ``status`` are quell's words; ``link`` leads to the whole of it, "" for nowhere. ``urgent``:
    it is posted before anything else.
    """

    key: str
    version: int
    title: str
    severity: str = ""
    status: str = ""
    lines: tuple[Line, ...] = ()
    buttons: tuple[Button, ...] = ()
    picture: Picture | None = None
    link: str = ""
    urgent: bool = False


class Placed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a message stands: ``ts`` names it within the channel; ``thread`` is its root ("": it is one)."""

    channel: str
    ts: str
    thread: str = ""


class Said(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody typed or clicked.

    ``id`` is the same for every delivery of it, so that a repeat is heard once (``message/verb/user/time`` of a click).
    ``who`` is the vendor's id of the user and ``name`` what it calls them. ``thread`` is the root's ``ts`` ("" outside
    of threads), ``message`` the ``ts`` of the message that was clicked. ``text`` is what was typed, without the mention
    or the slash command; of a click it is "", and ``verb`` and ``value`` are the button's. ``fields`` are what was
    filled into a modal. ``reply_to`` is the connector's own: what it needs to answer.
    """

    id: str
    who: str
    channel: str = ""
    thread: str = ""
    message: str = ""
    text: str = ""
    verb: str = ""
    value: str = ""
    at: float = 0.0
    name: str = ""
    fields: dict[str, str] = {}
    reply_to: dict[str, str] = {}


class Field(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing to fill in: a line of text, or with ``choices`` (value, label) one of these."""

    name: str
    label: str
    value: str = ""
    choices: tuple[tuple[str, str], ...] = ()
    optional: bool = False


class Modal(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A dialog before an act. ``submit`` comes back as a click of its verb and value, with the ``fields``."""

    title: str
    submit: Button
    lines: tuple[Line, ...] = ()
    fields: tuple[Field, ...] = ()


class Answer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What to say to somebody; nothing at all when it is empty. ``ok`` False: what was asked for was not done.

    ``private``: only they see it. ``replace``: the message that was clicked becomes ``card``. ``modal`` is opened if
    the vendor can; one that cannot shows its lines with its button instead.
    """

    text: str = ""
    card: Card | None = None
    private: bool = True
    replace: bool = False
    modal: Modal | None = None
    ok: bool = True


Hear = Callable[[Said], Awaitable[Answer]]
"""Takes what was said and answers within a second or so; never raises."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How much the vendor takes, in seconds: between two posts to a channel, and between two calls of any kind.

    ``same_every_s`` is the least time between two edits of one message.
    """

    post_every_s: float = 1.0
    call_every_s: float = 1.2
    same_every_s: float = 3.0


@dataclass(frozen=True, slots=True)
class Heard:
    """What a request said, and what to answer it with at once."""

    said: Sequence[Said] = ()
    reply: Reply = field(default_factory=Reply)


@runtime_checkable
class Shows(Protocol):
    """Shows cards.

    Raises `Unreachable` (nothing was done; again after ``retry_after_s``), `NoAnswer` (nobody knows whether it was
    done) and `Refused` (it never will be: no such channel, no right).
    """

    pace: Pace

    async def show(self, card: Card, channel: str, placed: Placed | None, key: str, *, again: bool = False) -> Placed:
        """Posts the card, or edits the message that stands where ``placed`` says, and returns where it stands.

        ``key`` is kept with the message. ``again``: an earlier post with this key may have arrived, of which nobody
        knows; look for it first, and edit it if it is there. A message that somebody deleted is posted anew.
        """
        ...

    async def reply(self, channel: str, thread: str, what: Card | str, key: str, *, again: bool = False) -> Placed:
        """Adds to the thread whose root is ``thread`` ("": to the channel). ``key`` and ``again`` as in `show`."""
        ...


@runtime_checkable
class Probes(Protocol):
    """Can tell whether it is let in, also while there is nothing to show."""

    async def probe(self) -> None:
        """Comes back when all is well. Raises `Denied`, saying what to do, or `Unreachable`."""
        ...


@runtime_checkable
class Listens(Protocol):
    """Hears by a connection of its own."""

    async def listen(self, hear: Hear) -> None:
        """Runs until cancelled and connects again by itself. Raises `Refused` when it never will (a bad token)."""
        ...


@runtime_checkable
class Hears(Protocol):
    """Hears by HTTP, at ``/in/<source-id>``; checks itself what no ``auth`` of the source has checked."""

    def heard(self, request: Request, now: float) -> Heard:
        """What a request said that is signed right; pure and quick, for the vendor waits. Raises `BadPayload`."""
        ...

    async def answer(self, said: Said, answer: Answer) -> None:
        """Delivers what ``hear`` answered, which may come after the reply to the request."""
        ...
