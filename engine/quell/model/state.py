"""All that the core remembers, as plain data: a snapshot of it plus the records since is the whole truth.

Only the core changes it, in place, inside `quell.core.engine.Engine.decide`; everybody else reads. Indexes that can
be computed from it live with the passes that use them and are rebuilt after a restart.
"""

from __future__ import annotations

import msgspec

from quell.model.alert import Alert
from quell.model.incident import Incident
from quell.model.mute import Silence
from quell.model.records import IncidentRecord
from quell.model.run import Run
from quell.model.topology import Change, Dependency, Entity


class Triaged(msgspec.Struct, frozen=True, kw_only=True):
    """How an alert behaved lately: times of quick returns, durations of past episodes (newest last, bounded)."""

    returns: tuple[float, ...] = ()
    durations_s: tuple[float, ...] = ()
    episodes: int = 0


class State(msgspec.Struct, kw_only=True):
    """``now`` is how far time has advanced. Dictionaries are keyed by id, fingerprint or entity name."""

    now: float = 0.0
    alerts: dict[str, Alert] = msgspec.field(default_factory=dict)
    behaviour: dict[str, Triaged] = msgspec.field(default_factory=dict)
    silences: dict[str, Silence] = msgspec.field(default_factory=dict)
    incidents: dict[str, Incident] = msgspec.field(default_factory=dict)
    changes: dict[str, Change] = msgspec.field(default_factory=dict)
    foreign: dict[str, IncidentRecord] = msgspec.field(default_factory=dict)
    entities: dict[str, Entity] = msgspec.field(default_factory=dict)
    dependencies: dict[str, Dependency] = msgspec.field(default_factory=dict)
    runs: dict[str, Run] = msgspec.field(default_factory=dict)
    seen_ids: dict[str, float] = msgspec.field(default_factory=dict)
    paused_by: str = ""
