"""How chat sources are doing: by what is sent, by what is heard, and by asking whether quell is let in at all.

A token that was revoked shows only when it is used, which may be in the next incident. So who can tell is asked now and
then; and what each way says counts for itself, so that what is still sent does not hide that nobody is heard.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Literal

import structlog

from quell.daemon.logs import Masker, Sparing
from quell.daemon.sources import Source, Sources
from quell.errors import ConnectorError, Unreachable
from quell.sdk.chat import Probes

Way = Literal["send", "listen", "probe"]
WELL_S, ILL_S = 300.0, 15.0
"""Seconds between two probes, while all is well and while it is not."""
PROBE_S = 20.0
_log = Sparing(structlog.get_logger("quell.chat"))


class Wellness:
    """``freed`` is told of a source that is let in again after it was not."""

    def __init__(self, sources: Sources, masker: Masker, freed: Callable[[str], None]) -> None:
        self._sources = sources
        self._masker = masker
        self._freed = freed
        self._troubles: dict[str, dict[Way, tuple[str, str]]] = {}

    def begin(self, source: Source) -> None:
        """A source was built, or built anew: what was known of it counts no more."""
        self._troubles[source.id] = {}

    def report(self, source: Source, way: Way, state: str, error: str = "") -> None:
        """How it went one way: "ok", "unreachable" or "broken", with a sentence."""
        troubles = self._troubles.setdefault(source.id, {})
        if state != "ok":
            troubles[way] = (state, self._masker.text(error))
            self._sources.failed(source, *troubles[way])
            return
        if not isinstance(source.connector, Probes):
            troubles.clear()  # nobody says when what is heard is heard again
        troubles.pop(way, None)
        if troubles:
            worst = min(troubles.values(), key=lambda one: (one[0] != "broken", one))
            source.health.state, source.health.error = worst
        elif source.health.state != "ok" or source.health.last_ok_at is None or way == "probe":
            self._sources.worked(source)

    async def watch(self, source: Source, probes: Probes) -> None:
        """Asks until cancelled."""
        while True:
            ill = await self._ill(source, probes)
            await asyncio.sleep(ILL_S if ill else WELL_S)

    async def _ill(self, source: Source, probes: Probes) -> bool:
        try:
            async with asyncio.timeout(PROBE_S):
                await probes.probe()
        except (Unreachable, TimeoutError) as error:
            self.report(source, "probe", "unreachable", str(error) or f"no answer within {PROBE_S:g} s")
        except ConnectorError as error:
            self.report(source, "probe", "broken", str(error))
        except Exception as error:  # noqa: BLE001 - a connector may fail in any way: reported, and asked again
            self.report(source, "probe", "broken", f"{type(error).__name__}: {error}")
        else:
            # It is let in, and hears: what else was wrong is tried now, not when its wait is over.
            shut = any(state == "broken" for state, _ in self._troubles.get(source.id, {}).values())
            self._troubles[source.id] = {}
            self.report(source, "probe", "ok")
            if shut:
                self._freed(source.id)
            return False
        return True
