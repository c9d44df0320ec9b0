"""A daemon in this process for tests: a small core of its own, connectors that do as told, real HTTP on loopback."""

from __future__ import annotations

import asyncio
import hashlib
import io
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import aiohttp
import msgspec

from quell.config import Loaded, Settings, Source, Token
from quell.config.settings import Limits
from quell.daemon.clock import Clock
from quell.daemon.daemon import Daemon
from quell.daemon.decider import Ahead
from quell.daemon.http import address, bound
from quell.errors import BadPayload
from quell.model.alert import Alert, fingerprint
from quell.model.decision import AnyDecision, Audit, IncidentChanged, Perform, RequestEvidence
from quell.model.incident import Incident
from quell.model.playbook import Place
from quell.model.records import AlertRecord, AnyRecord, CommandRecord, FeedbackRecord, SampleRecord, StepFinished
from quell.model.rulebook import Rulebook
from quell.model.state import State
from quell.sdk.connector import Call, Context, Done, Pending, Pulled, Received, Reply, Request
from quell.sdk.spec import ActionSpec, Option, Spec
from quell.store.memory import MemoryStore
from quell.store.port import Store

TOKEN = "qll_ana_0123456789abcdef"
READER = "qll_ben_fedcba9876543210"


class NothingAhead:
    """Says how often it was asked for what is done ahead of time."""

    def __init__(self) -> None:
        self.put_off = False
        self.asked = 0

    def read(self) -> Iterator[list[AnyDecision]]:
        self.asked += 1
        yield []


class SmallCore:
    """Keeps the last record of each alert; a label tells it what else to do.

    ``poison``: fails; ``act``: wants that action performed (``repeat``, ``timeout`` and ``due`` say how); ``incident``:
    opens one; ``ask``: wants evidence. Answers of actions are kept in the alert's annotations.
    """

    def __init__(self, rulebook: Rulebook, state: State) -> None:
        self.rulebook = rulebook
        self.state = state
        self.ahead: Ahead = NothingAhead()

    @classmethod
    def restored(cls, rulebook: Rulebook, data: bytes | None) -> SmallCore:
        return cls(rulebook, State() if data is None else msgspec.msgpack.decode(data, type=State))

    def parts(self, records: Sequence[AnyRecord], now: float) -> Iterator[list[AnyDecision]]:
        yield self.decide(records, now)

    def decide(self, records: Sequence[AnyRecord], now: float) -> list[AnyDecision]:
        self.state.now = max(now, self.state.now)
        decisions: list[AnyDecision] = []
        for record in records:
            match record:
                case AlertRecord():
                    decisions += self._alert(record, now)
                case StepFinished():
                    self._finished(record)
                case FeedbackRecord() if record.suggestion:
                    self.state.habits.declined[record.suggestion] = now
                case CommandRecord():
                    decisions += self._command(record, now)
                case SampleRecord() if record.metric == "poison":
                    raise RuntimeError("a sample nobody can digest")
        return decisions

    def _alert(self, record: AlertRecord, now: float) -> list[AnyDecision]:
        if "poison" in record.labels:
            raise RuntimeError(f"cannot digest {record.labels['poison']}")
        mark = fingerprint(record.labels)
        old = self.state.alerts.get(mark)
        self.state.alerts[mark] = Alert(
            fingerprint=mark, source=record.source, labels=record.labels, status=record.status,
            starts_at=record.starts_at or record.at, updated_at=now, onset_seen=now, annotations=record.annotations,
            count=(old.count if old else 0) + 1,
        )  # fmt: skip
        out: list[AnyDecision] = []
        if "incident" in record.labels:
            incident = Incident(
                id=record.labels["incident"], title="t", status="open", opened_at=now, updated_at=now, alerts=(mark,)
            )
            self.state.incidents[incident.id] = incident
            out.append(IncidentChanged(at=now, incident=incident, event="opened"))
        if "act" in record.labels:
            labels = record.labels
            params = {"text": labels.get("text", "x")} | ({"count": labels["count"]} if "count" in labels else {})
            out.append(Perform(
                at=now, key=f"run/{labels.get('key', mark)}", action=labels["act"], params=params,
                effect=labels.get("effect", "change"), repeat=labels.get("repeat", "state"),  # type: ignore[arg-type]
                timeout_s=float(labels.get("timeout", "5")), dry_run="dry" in labels,
                due_at=now + float(labels["due"]) if "due" in labels else None,
            ))  # fmt: skip
        if "ask" in record.labels:
            out.append(RequestEvidence(at=now, incident="i", entity=record.labels["ask"], from_=now - 60, to=now))
        return out

    def _finished(self, record: StepFinished) -> None:
        told = [record.outcome, record.failure, record.sentence or record.error]
        self.state.alerts[record.key] = Alert(
            fingerprint=record.key, source="ledger", labels={}, status="resolved", starts_at=0.0, updated_at=0.0,
            onset_seen=0.0, annotations={"told": " ".join(told)},
        )  # fmt: skip

    def _command(self, record: CommandRecord, now: float) -> list[AnyDecision]:
        out: list[AnyDecision] = [Audit(at=now, who=record.by, what=record.verb, target=record.target)]
        if record.verb in {"pause", "unpause"}:
            self.state.paused_by = record.by if record.verb == "pause" else ""
        incident = self.state.incidents.get(record.target)
        if incident is not None:
            status = {"ack": "acknowledged", "resolve": "resolved", "reopen": "open"}[record.verb]
            changed = msgspec.structs.replace(incident, status=status, acknowledged_by=record.by)
            self.state.incidents[incident.id] = changed
            out.append(IncidentChanged(at=now, incident=changed, event="updated"))
        return out

    def told(self, key: str) -> str:
        """What an action's answer was, as the core heard it."""
        alert = self.state.alerts.get(key)
        return alert.annotations["told"] if alert is not None else ""

    def next_due(self) -> float | None:
        return None

    def snapshot(self) -> bytes:
        return msgspec.msgpack.encode(self.state)

    def written(self) -> Iterator[bytes | memoryview]:
        return iter([self.snapshot()])

    def use(self, rulebook: Rulebook) -> None:
        self.rulebook = rulebook

    def explain(self, incident_id: str) -> Any:
        return {"text": f"because of {incident_id}"} if incident_id in self.state.incidents else None


class Feed:
    """Takes ``{"alerts": [labels…]}``; serves the fingerprints it sees at /feed."""

    spec: ClassVar[Spec] = Spec(
        name="feed", summary="For tests.", paths=("/feed",), options=(Option(name="tag", type="text", summary="Any."),)
    )

    def __init__(self, options: Mapping[str, Any], context: Context) -> None:
        self.options = options
        self._source = context.source

    def receive(self, request: Request, now: float) -> Received:
        if request.body == b"boom":
            raise ZeroDivisionError("a bug")
        try:
            decoded = msgspec.json.decode(request.body, type=dict[str, list[dict[str, str]]])
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise BadPayload(f"alerts: {error}", request.body, "alerts") from error
        records = [
            AlertRecord(at=now, seen=now, source=self._source, status="firing", labels=labels)
            for labels in decoded["alerts"]
        ]
        return Received(records, Reply(202, b"thanks", "text/plain"))


class Served(Feed):
    """The same with an API of its own."""

    spec: ClassVar[Spec] = Spec(name="served", summary="For tests.", paths=("/served",))

    def serve(self, request: Request, view: Any, now: float) -> Received:
        if request.method == "GET":
            return Received(reply=Reply(200, b"%d" % len(view.alerts()), "text/plain"))
        return self.receive(request, now)


class Worker:
    """Performs, pulls and answers as its ``script`` says; one script for all instances, reset by each test."""

    spec: ClassVar[Spec] = Spec(
        name="worker",
        summary="For tests.",
        actions=(
            ActionSpec(
                name="do",
                summary="Does.",
                params=(
                    Option(name="text", type="text", summary="What."),
                    Option(name="count", type="integer", summary="How often."),
                ),
            ),
        ),
    )
    calls: ClassVar[list[Call]] = []
    script: ClassVar[Callable[[Call], Any] | None] = None
    pulled: ClassVar[Callable[[str | None], Any] | None] = None
    asked: ClassVar[list[tuple[str, float, float]]] = []

    def __init__(self, options: Mapping[str, Any], context: Context) -> None:
        self._source = context.source

    @classmethod
    def reset(cls) -> None:
        cls.calls, cls.asked, cls.script, cls.pulled = [], [], None, None

    async def act(self, call: Call) -> Done | Pending:
        Worker.calls.append(call)
        answer = Worker.script(call) if Worker.script is not None else Done(f"did {call.params['text']}")
        if asyncio.iscoroutine(answer):
            answer = await answer
        if isinstance(answer, Exception):
            raise answer
        return answer  # type: ignore[no-any-return]

    async def pull(self, cursor: str | None, now: float) -> Pulled:
        answer = Worker.pulled(cursor) if Worker.pulled is not None else Pulled([], None)
        if isinstance(answer, Exception):
            raise answer
        return answer  # type: ignore[no-any-return]

    async def ask(self, entity: str, labels: Mapping[str, str], from_: float, to: float) -> Sequence[AnyRecord]:
        Worker.asked.append((entity, from_, to))
        return [SampleRecord(at=to, seen=to, source=self._source, entity=entity, metric="load", value=1.0)]


KINDS: Mapping[str, Any] = {"feed": Feed, "served": Served, "worker": Worker}


def source(name: str, use: str, **more: Any) -> Source:
    return Source(id=name, use=use, options=more.pop("options", {}), place=Place(file="quell.yaml", line=1), **more)


def token(text: str, by: str, *scopes: Any, roles: Sequence[str] = ()) -> Token:
    digest = hashlib.sha256(text.encode()).hexdigest()
    return Token(id=text.split("_")[1], sha256=digest, scopes=frozenset(scopes), by=by, roles=frozenset(roles))


def loaded(*sources: Source, version: str = "1", **settings: Any) -> Loaded:
    made = Settings(
        directory=Path(),
        store="memory:",
        sources=sources or (source("in", "feed"),),
        **{"tokens": (token(TOKEN, "ana", "admin"), token(READER, "ben", "read")), **settings},
    )
    return Loaded(made, Rulebook(version=version))


def small_inbox(records: int) -> Limits:
    return Limits(inbox=records, backlog=records)


@dataclass
class Running:
    """A daemon that serves, and a client for it."""

    daemon: Daemon
    url: str
    http: aiohttp.ClientSession
    store: Store
    config: list[Loaded] = field(default_factory=list)

    @property
    def core(self) -> SmallCore:
        decider = self.daemon.loop.decider
        assert isinstance(decider, SmallCore)
        return decider

    async def post(
        self, path: str, content: Any = None, *, data: bytes | None = None, **headers: str
    ) -> tuple[int, Any]:
        body = msgspec.json.encode(content) if data is None else data
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.http.post(self.url + path, data=io.BytesIO(body), headers=names) as answer:
            return answer.status, _decoded(await answer.read())

    async def get(self, path: str, **headers: str) -> tuple[int, Any]:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.http.get(self.url + path, headers=names) as answer:
            return answer.status, _decoded(await answer.read())

    async def api(self, method: str, path: str, content: Any = None, by: str = TOKEN) -> tuple[int, Any]:
        headers = {"authorization": f"Bearer {by}", "content-type": "application/json"}
        body = content if isinstance(content, bytes) else None if content is None else msgspec.json.encode(content)
        async with self.http.request(method, f"{self.url}/api/quell/v1{path}", data=body, headers=headers) as answer:
            return answer.status, _decoded(await answer.read())

    async def settled(self) -> None:
        """Everything accepted has been decided over."""
        await self.daemon.inbox.empty()
        await self.daemon.loop.idle()

    async def until(self, holds: Callable[[], Any], within_s: float = 30.0) -> None:
        async with asyncio.timeout(within_s):
            while not holds():
                await asyncio.sleep(0.01)


def _decoded(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return body


@asynccontextmanager
async def running(
    config: Loaded | None = None,
    *,
    store: Store | None = None,
    restore: Callable[..., Any] = SmallCore.restored,
    clock: Clock | None = None,
    path: Path = Path("nowhere/quell.yaml"),
    load: Callable[[], Loaded] | None = None,
    kinds: Mapping[str, Any] = KINDS,
    listening: socket.socket | None = None,
) -> AsyncIterator[Running]:
    """A daemon from ready to stopped. ``load`` is called at a reload."""
    first = config or loaded()
    kept = store if store is not None else MemoryStore()
    daemon = Daemon(
        first, load or (lambda: first), path, kept,
        trial=lambda _rules, _given_up: None, restore=restore, kinds=kinds, clock=clock or Clock(),
    )  # fmt: skip
    listening = listening or bound("127.0.0.1", 0)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        await daemon.start(listening)
        try:
            yield Running(daemon, address(listening), http, kept)
        finally:
            await daemon.stop()
