"""What a page is about and where it calls people: pages about one thing to one place keep their order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from quell.model.alert import Alert
from quell.model.decision import Perform
from quell.model.incident import Incident
from quell.model.oncall import Chain, Stage
from quell.model.rulebook import Route

WORDING = frozenset({"text", "title", "summary", "message", "body", "description", "subject"})
"""Parameters that say what is the matter, and not to whom."""


@dataclass(frozen=True, slots=True)
class Matter:
    """What people are told of, and when."""

    incident: Incident | None
    alert: Alert | None
    at: float
    text: str
    reason: str = ""

    def lane(self, called: str) -> str:
        """What it is about, and where people are called: such deeds are done one after the other."""
        about = self.incident.id if self.incident else f"alert-{self.alert.fingerprint}" if self.alert else self.reason
        return f"{about}/{called}"


@dataclass(frozen=True, slots=True)
class Called:
    """Where people are called by a deed: by a route, or by a step of ``chain`` (for ``person``, if one is named)."""

    name: str
    route: Route
    chain: str = ""
    person: str = ""


def called_by(chain: Chain, stage: Stage, person: str) -> Called:
    """What is called by a step: steps that call the same people alike have one name, so that their calls keep order."""
    number = next(
        n for n, one in enumerate(chain.stages, 1) if (one.action, one.params) == (stage.action, stage.params)
    )
    named = person if "oncall" in repr(stage.params) else ""
    name = f"{chain.name}/{number}/{named or 'all'}"
    route = Route(
        name=stage.to or stage.action,
        action=stage.action,
        params=stage.params,
        source=stage.source,
        taken=stage.taken,
        over=stage.over,
        shared=stage.shared,
    )
    return Called(name, route, chain.name, named)


def place_of(incident: Incident | None, alert: Alert | None, reason: str = "") -> str:
    """How the ledger keys of a page begin."""
    about = incident.id if incident else f"alert-{alert.fingerprint}" if alert else "quell"
    number = incident.version if incident else alert.episode if alert else 1
    return f"page/{about}/{reason or number}"


def replaces(newer: Perform, older: Perform) -> bool:
    """Whether a page says what another was to say to the same people, as things stand now: not what a run asks."""
    if newer.run or older.run or newer.action != older.action:
        return False
    return _to_whom(newer) == _to_whom(older)


def _to_whom(deed: Perform) -> dict[str, Any]:
    return _addressed({name: value for name, value in deed.params.items() if name != "severity"})


def _addressed(params: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is only wording: a body that is more than text may say to whom, such as the channel of a chat."""
    return {
        name: _addressed(value) if isinstance(value, Mapping) else value
        for name, value in params.items()
        if name not in WORDING or not isinstance(value, str)
    }
