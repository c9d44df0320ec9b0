"""Recorded HTTP deliveries: each is handed to the connector that owns its path, as the daemon would have done."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from quell.config.building import set_up
from quell.config.settings import Source
from quell.errors import BadPayload
from quell.expressions.matchers import Matching, parse_matchers
from quell.model.alert import Alert
from quell.model.incident import Incident
from quell.model.mute import Matcher, Silence
from quell.model.records import AnyRecord, DeliveryRecord
from quell.model.rulebook import NOWHERE
from quell.sdk.connector import Connector, Received, Receives, Request, Serves
from quell.sdk.http import NoHttp
from quell.sdk.registry import offers

_JSON = msgspec.json.Encoder()
MOST_PATHS = 1000
"""How many paths are remembered with their owners."""


class NothingYet:
    """The view of an engine that has seen nothing: enough to decode a delivery, which changes nothing by itself."""

    def alerts(self) -> Sequence[Alert]:
        return ()

    def alert(self, fingerprint: str) -> Alert | None:  # noqa: ARG002 -- the signature of `View`
        return None

    def silences(self) -> Sequence[Silence]:
        return ()

    def silence(self, silence_id: str) -> Silence | None:  # noqa: ARG002 -- the signature of `View`
        return None

    def incidents(self) -> Sequence[Incident]:
        return ()

    def started_at(self) -> float:
        return 0.0

    def version(self) -> str:
        return ""

    def matchers(self, text: str) -> Sequence[Matcher]:
        return parse_matchers(text)

    def matching(self, matchers: Sequence[Matcher]) -> Callable[[Mapping[str, str]], bool]:
        return Matching(matchers).matches


class Deliveries:
    """Decodes deliveries. ``owners`` maps a path to its connector; a path also owns everything below it."""

    def __init__(self, owners: Mapping[str, object]) -> None:
        self._owners = {path.rstrip("/"): owner for path, owner in owners.items()}
        self._asked: dict[str, object | None] = {}
        # Asked once: a check against a protocol costs more than decoding a small delivery.
        self._receivers = {id(owner): owner for owner in owners.values() if isinstance(owner, Receives)}
        self._servers = {id(owner): owner for owner in owners.values() if isinstance(owner, Serves)}
        self._view = NothingYet()

    def owner(self, path: str) -> object | None:
        """The connector with the longest path that ``path`` equals or lies below."""
        place = path.partition("?")[0].rstrip("/")
        while place:
            if place in self._owners:
                return self._owners[place]
            place = place.rpartition("/")[0]
        return None

    def decode(self, delivery: DeliveryRecord, line: str = "") -> Received:
        """What the delivery says, arrived when it arrived.

        Records without an id of their own get ``<delivery's id or line>#<index>``. Raises `BadPayload` when the
        connector cannot read it, nobody owns the path, or the connector answered with an error status.
        """
        path = delivery.path
        if path not in self._asked:
            if len(self._asked) >= MOST_PATHS:
                self._asked.clear()
            self._asked[path] = self.owner(path)
        owner = self._asked[path]
        request = _request(delivery)
        now = delivery.arrived
        receiver, server = self._receivers.get(id(owner)), self._servers.get(id(owner))
        # A path of its own beats the drop-in API: a connector may have both verbs.
        if receiver is not None and (server is None or request.path.startswith("/in/")):
            received = receiver.receive(request, now)
        elif server is not None:
            received = server.serve(request, self._view, now)
        else:
            known = ", ".join(sorted(self._owners)) or "none"
            raise BadPayload(f'no connector owns the path "{delivery.path}"; known paths: {known}')
        if received.reply.status >= 400 and not received.records and not received.rejected:
            said = received.reply.body.decode("utf-8", "replace")[:200]
            raise BadPayload(f"answered {received.reply.status}: {said}")
        stem = delivery.id or line
        records = [_arrived(record, now, f"{stem}#{index}") for index, record in enumerate(received.records)]
        return Received(records=records, reply=received.reply, rejected=received.rejected)


def deliveries_for(
    sources: Sequence[Source], connectors: Mapping[str, type[Connector]], *, resolve_timeout_s: float = 300.0
) -> Deliveries:
    """Deliveries to the sources of a configuration, at the paths where its daemon takes them.

    A connector that is installed but not configured and needs no option is there too, as if configured under its own
    name, so that a recording can be replayed without writing a configuration for it first. Raises `Misconfigured`.
    """
    owners: dict[str, object] = {}
    for source in sources:
        if source.use in connectors:
            _add(owners, source, connectors[source.use], resolve_timeout_s)
    used = {source.use for source in sources}
    for name, connector in connectors.items():
        if name not in used and not any(option.required for option in connector.spec.options):
            options = {option.name: option.default for option in connector.spec.options}
            _add(owners, Source(id=name, use=name, options=options, place=NOWHERE), connector, resolve_timeout_s)
    return Deliveries(owners)


def _add(owners: dict[str, object], source: Source, connector: type[Connector], resolve_timeout_s: float) -> None:
    if not offers(connector) & {"receive", "serve"}:
        return
    built = set_up(source, connector, NoHttp(), resolve_timeout_s=resolve_timeout_s)
    for path in (f"/in/{source.id}", *connector.spec.paths):
        owners.setdefault(path.rstrip("/"), built)


def _arrived(record: AnyRecord, now: float, fallback_id: str) -> AnyRecord:
    if record.seen == now and record.id:
        return record
    arrived: AnyRecord = msgspec.structs.replace(record, seen=now, id=record.id or fallback_id)
    return arrived


def _request(delivery: DeliveryRecord) -> Request:
    path, _, tail = delivery.path.partition("?")
    pairs = [part.partition("=") for part in tail.split("&") if part] if tail else []
    headers = {name.lower(): value for name, value in delivery.headers.items()}
    if isinstance(delivery.body, msgspec.Raw):
        body = bytes(delivery.body)
        headers.setdefault("content-type", "application/json")
    elif isinstance(delivery.body, str):
        body = delivery.body.encode()
    else:
        body = b"" if delivery.body is None else _JSON.encode(delivery.body)
        headers.setdefault("content-type", "application/json")
    return Request(
        method=delivery.method,
        path=path,
        body=body,
        headers=headers,
        query=tuple((name, value) for name, _, value in pairs),
    )
