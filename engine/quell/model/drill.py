"""Fire drills as rules describe them: made-up signals, and what quell is to make of them."""

from __future__ import annotations

import msgspec

from quell.model.playbook import Place
from quell.model.records import AnyRecord
from quell.model.topology import Dependency, Entity

NOWHERE = Place(file="<default>", line=0)


class Drill(msgspec.Struct, frozen=True, kw_only=True):
    """``feed`` holds records at seconds from the drill's beginning, and is over at ``fed_s``.

    The drill lasts ``lasts_s`` (None: as long after the feed as what is expected takes).

    Expected are ``detectors`` that find something, alerts by name (of other tools, in the feed), the first
    ``cause``, ``pages`` by their actions and ``playbooks`` that begin; or, with ``quiet``, that nobody is paged.
    ``cron`` ("": only by hand) says when it is held.
    """

    name: str
    about: str = ""
    place: Place = NOWHERE
    feed: tuple[AnyRecord, ...] = ()
    fed_s: float = 0.0
    lasts_s: float | None = None
    entities: tuple[Entity, ...] = ()
    dependencies: tuple[Dependency, ...] = ()
    detectors: tuple[str, ...] = ()
    cause: str = ""
    pages: tuple[str, ...] = ()
    playbooks: tuple[str, ...] = ()
    quiet: bool = False
    cron: str = ""
    zone: str = "UTC"
