"""Calls into connectors, which may be anybody's: whatever they raise is their error, whatever they answer is read.

What would end a program or a task, such as ``sys.exit`` in a library, is no reason to end the daemon. And a record with
a text for a time would be journalled like any other, and no start could read that journal again: what connectors of
other packages hand over is decoded as the journal will decode it. Those that come with quell are held by its tests.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import lru_cache
from typing import ParamSpec, TypeVar

import msgspec

from quell.errors import QuellError
from quell.model.records import AnyRecord
from quell.sdk.connector import Connector, Done, Pending, Pulled, Received, Rejected, Reply

_P = ParamSpec("_P")
_T = TypeVar("_T")
_OURS = frozenset({"quell", "quell_connectors"})
_RECORDS = msgspec.msgpack.Decoder(list[AnyRecord])


class Misbehaved(QuellError):
    """A connector raised what ends programs, or answered something that is no answer."""


def ours(connector: Connector) -> bool:
    """Whether a connector comes with quell."""
    return _of_ours(type(connector))


@lru_cache(maxsize=256)
def _of_ours(kind: type) -> bool:
    return kind.__module__.partition(".")[0] in _OURS


def called(function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """The result. Raises `Misbehaved` where the function raised what is no Exception."""
    try:
        return function(*args, **kwargs)
    except Exception:
        raise
    except BaseException as error:
        raise misbehaved(error) from error


async def awaited(work: Awaitable[_T]) -> _T:
    """The same for a coroutine; only who cancels the task from outside is heard."""
    try:
        return await work
    except Exception:
        raise
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise misbehaved(error) from error
    except BaseException as error:
        raise misbehaved(error) from error


def misbehaved(error: BaseException) -> Misbehaved:
    """What is said of a connector that raised what is no Exception."""
    text = str(error)
    return Misbehaved(f"the connector raised {type(error).__name__}" + (f": {text}" if text else ""))


def sound_received(connector: Connector, received: Received) -> Received:
    """What was received as it may be journalled and answered. Raises `Misbehaved`."""
    if ours(connector):
        return received
    if not isinstance(received, Received):
        raise Misbehaved(f"it returned {type(received).__name__}; expected Received")
    reply = received.reply
    if not (
        isinstance(reply, Reply)
        and type(reply.status) is int
        and 200 <= reply.status <= 599
        and isinstance(reply.body, bytes)
        and isinstance(reply.content_type, str)
        and all(isinstance(text, str) and text.isprintable() for pair in reply.headers.items() for text in pair)
    ):
        raise Misbehaved(f"its reply cannot be sent: {reply!r:.200}")
    for each in received.rejected:
        if not (isinstance(each, Rejected) and isinstance(each.reason, str) and isinstance(each.payload, bytes)):
            raise Misbehaved(f"what it rejected cannot be kept: {each!r:.200}")
    return Received(sound_records(connector, received.records), reply, received.rejected)


def sound_pulled(connector: Connector, pulled: Pulled) -> Pulled:
    """What was pulled as it may be journalled. Raises `Misbehaved`."""
    if ours(connector):
        return pulled
    if not isinstance(pulled, Pulled):
        raise Misbehaved(f"it returned {type(pulled).__name__}; expected Pulled")
    if not isinstance(pulled.cursor, str | None):
        raise Misbehaved(f"its cursor is a {type(pulled.cursor).__name__}; expected a text")
    return Pulled(sound_records(connector, pulled.records), pulled.cursor)


def sound_records(connector: Connector, records: Sequence[AnyRecord]) -> Sequence[AnyRecord]:
    """Records as the journal will give them back. Raises `Misbehaved`."""
    if ours(connector) or not records:
        return records
    try:
        return _RECORDS.decode(msgspec.msgpack.encode(list(records)))
    except (TypeError, ValueError, OverflowError, RecursionError) as error:  # msgspec's own errors are ValueErrors
        raise Misbehaved(f"its records cannot be kept: {error}") from error


def sound_answer(answer: Done | Pending) -> Done | Pending:
    """What an action answered. Raises `Misbehaved`."""
    if not isinstance(answer, Done | Pending):
        raise Misbehaved(f"act returned {type(answer).__name__}; expected Done or Pending")
    if not isinstance(answer.sentence, str):
        raise Misbehaved(f"its sentence is a {type(answer.sentence).__name__}; expected a text")
    return answer
