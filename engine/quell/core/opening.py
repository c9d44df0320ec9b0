"""A snapshot as a state: alerts are read one at a time, and what is the same is made one object right then.

Decoded all at once, a large state would be in memory in full, with every text and time of its own; most of that is
given up at once, but in holes among what stays, which no system gets back.
"""

from __future__ import annotations

from typing import Any

import msgspec

from quell.core.thrift import shared
from quell.model.alert import Alert
from quell.model.state import State, Triaged

_ONE_AT_A_TIME = ("alerts", "behaviour")


def _stored() -> type[msgspec.Struct]:
    """A state of which these are left as they are."""
    fields: list[Any] = []
    for each in msgspec.structs.fields(State):
        if each.name in _ONE_AT_A_TIME:
            fields.append((each.name, dict[str, msgspec.Raw], msgspec.field(default_factory=dict)))
        elif each.default_factory is not msgspec.NODEFAULT:
            fields.append((each.name, each.type, msgspec.field(default_factory=each.default_factory)))
        else:
            fields.append((each.name, each.type, each.default))
    return msgspec.defstruct("Stored", fields, kw_only=True)


_STORED = msgspec.msgpack.Decoder(_stored())
_ALERT = msgspec.msgpack.Decoder(Alert)
_TRIAGED = msgspec.msgpack.Decoder(Triaged)


def opened(data: bytes | memoryview) -> State:
    """The state of a snapshot. Raises msgspec.DecodeError when it is not one."""
    stored: Any = _STORED.decode(data)
    state = State(**{name: getattr(stored, name) for name in State.__struct_fields__ if name not in _ONE_AT_A_TIME})
    shared(
        state,
        ((mark, _ALERT.decode(raw)) for mark, raw in stored.alerts.items()),
        ((mark, _TRIAGED.decode(raw)) for mark, raw in stored.behaviour.items()),
    )
    return state
