"""The running connectors: built from the configuration, found by path or action, each with its own health."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import structlog
from msgspec.structs import replace

from quell.config.building import set_up
from quell.config.settings import Settings
from quell.config.settings import Source as SourceSettings
from quell.daemon.foreign import ours
from quell.daemon.logs import Sparing
from quell.daemon.metrics import Metrics
from quell.errors import Misconfigured, Problem
from quell.model.rulebook import NOWHERE
from quell.sdk.chat import Hears
from quell.sdk.connector import Acts, Asks, Connector, Pulls, Receives, Serves
from quell.sdk.http_client import GuardedHttp

_log = Sparing(structlog.get_logger("quell.sources"))


@dataclass(slots=True)
class Health:
    """How a source is doing. ``state`` is ok, unreachable or broken; times are the clock's, None is never."""

    state: str = "ok"
    error: str = ""
    since: float | None = None
    last_ok_at: float | None = None
    failures: int = 0
    next_at: float | None = None


@dataclass(slots=True)
class Source:
    """A connector at work."""

    settings: SourceSettings
    connector: Connector
    http: GuardedHttp
    health: Health = field(default_factory=Health)
    # Looked up once: whether an object has a protocol's verbs costs as much as reading a small delivery.
    receives: Receives | None = field(init=False)
    serves: Serves | None = field(init=False)
    hears: Hears | None = field(init=False)
    acts: Acts | None = field(init=False)
    asks: Asks | None = field(init=False)
    serves_soundly: Serves | None = field(init=False)
    """What ``serves``, where nothing else may have been meant and its answers need no look."""

    def __post_init__(self) -> None:
        self.receives = self.connector if isinstance(self.connector, Receives) else None
        self.serves = self.connector if isinstance(self.connector, Serves) else None
        self.hears = self.connector if isinstance(self.connector, Hears) else None
        self.acts = self.connector if isinstance(self.connector, Acts) else None
        self.asks = self.connector if isinstance(self.connector, Asks) else None
        self.serves_soundly = self.serves if self.hears is None and ours(self.connector) else None

    @property
    def id(self) -> str:
        """The source id of the configuration."""
        return self.settings.id

    @property
    def kind(self) -> str:
        """The connector's name."""
        return self.connector.spec.name

    @property
    def every_s(self) -> float | None:
        """Seconds between two pulls; None when it is not pulled. A connector may have an option of that name."""
        if not isinstance(self.connector, Pulls):
            return None
        own = self.settings.options.get("every")
        if isinstance(own, (int, float)) and own > 0:
            return float(own)
        return self.settings.every_s


class Sources:
    """All sources of the present configuration, in its order."""

    def __init__(self, kinds: Mapping[str, type[Connector]], now: Callable[[], float], metrics: Metrics) -> None:
        self._kinds = kinds
        self._now = now
        self._metrics = metrics
        self._sources: dict[str, Source] = {}
        self._shapes: dict[str, object] = {}
        self._by_path: list[tuple[str, Source]] = []
        self.edition = 0
        """How often other sources were taken up."""

    def __iter__(self) -> Iterator[Source]:
        return iter(list(self._sources.values()))

    def get(self, source_id: str) -> Source | None:
        """The source of that id."""
        return self._sources.get(source_id)

    def prepared(self, settings: Settings) -> dict[str, Source]:
        """The sources of a configuration: unchanged ones as they are, others newly built.

        Raises `Misconfigured` when a connector does not accept its options; nothing has changed then.
        """
        prepared: dict[str, Source] = {}
        problems: list[Problem] = []
        for wanted in settings.sources:
            old = self._sources.get(wanted.id)
            if old is not None and self._shapes.get(wanted.id) == _shape(wanted, settings):
                prepared[wanted.id] = old
                continue
            http, kind = GuardedHttp(settings.allow_addresses), self._kinds[wanted.use]
            try:
                connector = set_up(wanted, kind, http, resolve_timeout_s=settings.resolve_timeout_s)
            except Misconfigured as error:
                problems += error.problems
            else:
                prepared[wanted.id] = Source(wanted, connector, http)
        if problems:
            raise Misconfigured(problems)
        return prepared

    async def use(self, prepared: dict[str, Source], settings: Settings) -> None:
        """Takes up `prepared` sources and closes those that are gone or were rebuilt."""
        gone = [source for source in self._sources.values() if prepared.get(source.id) is not source]
        self._sources = prepared
        self.edition += 1
        self._shapes = {source.id: _shape(source.settings, settings) for source in prepared.values()}
        paths = [(path.rstrip("/"), each) for each in prepared.values() for path in each.connector.spec.paths]
        self._by_path = sorted(paths, key=lambda entry: -len(entry[0]))
        for source in gone:
            await source.http.close()
            if source.id not in prepared:
                self._metrics.source_broken.remove(source.id)
        for source in prepared.values():
            self._metrics.source_broken.labels(source.id).set(source.health.state != "ok")

    async def close(self) -> None:
        """Closes every connector's HTTP session."""
        for source in self._sources.values():
            await source.http.close()

    # Who is meant

    def owners(self, path: str) -> list[Source]:
        """The sources that take a request at ``path``: the one of ``/in/<id>``, or those with the longest such path."""
        if path.startswith("/in/"):
            source = self._sources.get(path[4:].partition("/")[0])
            return [source] if source is not None and (source.receives or source.serves or source.hears) else []
        owners: list[Source] = []
        length = 0
        for owned, source in self._by_path:
            if len(owned) < length:
                break
            if path == owned or path.startswith(owned + "/"):
                owners.append(source)
                length = len(owned)
        return owners

    def for_action(self, action: str) -> Source | None:
        """The source that an action's full name means: by source id, else by its connector's name."""
        name = action.rpartition(".")[0]
        return self._sources.get(name) or next((source for source in self if source.kind == name), None)

    # How they are doing

    def worked(self, source: Source) -> None:
        """The source did what it was asked."""
        health = source.health
        health.state, health.error, health.since, health.failures = "ok", "", None, 0
        health.last_ok_at = self._now()
        self._metrics.source_broken.labels(source.id).set(0)

    def failed(self, source: Source, state: str, error: str) -> None:
        """The source is ``unreachable``, or ``broken`` by a bug of its connector."""
        health = source.health
        if health.state != state or health.since is None:
            health.since = self._now()
        health.state, health.error = state, error
        health.failures += 1
        self._metrics.source_broken.labels(source.id).set(1)
        _log.warning(f"{source.id}:{state}", f"source is {state}", source=source.id, error=error,
                     failures=health.failures)  # fmt: skip


def _shape(wanted: SourceSettings, settings: Settings) -> object:
    """What a source is built from; equal shapes behave the same, wherever they stand in the file."""
    return replace(wanted, place=NOWHERE), settings.allow_addresses, settings.resolve_timeout_s
