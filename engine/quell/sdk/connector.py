"""The verbs of a connector. A class offers those it can; `quell.sdk.registry` finds it by entry point.

Rules: ``receive`` and ``serve`` are pure and quick (they run on the event loop); ``pull`` and ``act`` may wait.
No verb starts a thread or reads the clock, the environment or a file: options, time and the HTTP client are
handed in. An empty list always means *no records*, never *could not ask*. The daemon saves cursor and records in
one commit: delivery is at least once, fingerprints and record ids make it harmless. Raise only `Unreachable`,
`Refused` and `BadPayload`; anything else is a bug and is reported as one.

Beside this module: `quell.sdk.spec` declares options and actions, `quell.sdk.payload` reads bodies within limits,
`quell.sdk.http` asks other systems (`checked` sorts their answers into errors), `quell.sdk.testkit.check_connector`
tries every rule above on a class. Who sent a delivery was checked before it comes here (`quell.sdk.signatures`).

    class Pager:
        spec = Spec(name="pager", summary="Tells a pager.", options=(TOKEN,), actions=(TELL,))

        def __init__(self, options: Mapping[str, Any], context: Context) -> None:
            self._token: Secret = options["token"]
            self._http = context.http

        async def act(self, call: Call) -> Done:
            if call.dry_run:
                return Done(f"would tell {call.params['to']}")
            headers = {"Authorization": f"Bearer {self._token.reveal()}"}
            answer = await self._http.request("POST", URL, headers=headers, json={"key": call.key})
            checked(answer, "the pager")
            return Done(f"told {call.params['to']}")

and in the package's own ``pyproject.toml``:

    [project.entry-points."quell.connectors"]
    pager = "my_package:Pager"
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, runtime_checkable

import msgspec

from quell.model.alert import Alert
from quell.model.incident import Incident
from quell.model.mute import Matcher, Silence
from quell.model.records import AnyRecord
from quell.sdk.dial import Dial, nowhere
from quell.sdk.http import Http
from quell.sdk.spec import Spec


class Request(msgspec.Struct, frozen=True):
    """One HTTP request; ``headers`` have lower-case names, ``query`` keeps repeated parameters in order."""

    method: str
    path: str
    body: bytes = b""
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)
    query: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True)
class Reply:
    """What to answer once the records are durable. ``content_type`` "" sends none."""

    status: int = 200
    body: bytes = b""
    content_type: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rejected:
    """A part of a payload that could not be read; the rest of it goes on. Kept in quarantine, visible.

    ``private``: nothing of the delivery is kept but ``payload``, so that it cannot be tried again.
    """

    reason: str
    payload: bytes
    private: bool = False


class Received(msgspec.Struct, frozen=True):
    """Records of a delivery and the reply to send after they are committed."""

    records: Sequence[AnyRecord] = ()
    reply: Reply = Reply()
    rejected: Sequence[Rejected] = ()


@dataclass(frozen=True, slots=True)
class Pulled:
    """Records since the last cursor, and the next cursor."""

    records: Sequence[AnyRecord]
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Recalled:
    """Records of the past, in order of ``at``, up to ``until`` (seconds since 1970); no ``cursor``: that is all."""

    records: Sequence[AnyRecord]
    until: float
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """One action to perform. ``key`` is stable: repeating the call with it must be safe where ``repeat`` says so.

    ``again`` says that an earlier call with this key was made, of which nobody knows whether it had its effect. Whoever
    looks for its own mark in a system whose search lags behind waits before it looks.
    """

    key: str
    action: str
    params: Mapping[str, Any]
    now: float
    dry_run: bool = False
    timeout_s: float = 60.0
    again: bool = False


@dataclass(frozen=True, slots=True)
class Done:
    """``sentence`` is what is true now (after a dry run: what would be)."""

    sentence: str
    output: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pending:
    """Not finished; call again with the same key after this many seconds."""

    check_after_s: float
    sentence: str = ""


class View(Protocol):
    """What a serving connector may read of the engine. Values are frozen; iteration order is not promised."""

    def alerts(self) -> Sequence[Alert]: ...
    def alert(self, fingerprint: str) -> Alert | None: ...
    def silences(self) -> Sequence[Silence]: ...
    def silence(self, silence_id: str) -> Silence | None: ...
    def incidents(self) -> Sequence[Incident]: ...
    def started_at(self) -> float: ...
    def version(self) -> str: ...

    def matchers(self, text: str) -> Sequence[Matcher]:
        """Reads label matchers as people write them (``a="b"``, ``{a=~"b|c",d!=""}``). Raises `ExpressionError`."""
        ...

    def matching(self, matchers: Sequence[Matcher]) -> Callable[[Mapping[str, str]], bool]:
        """A test whether labels match all of them. Raises `ExpressionError` for a bad regular expression."""
        ...


@dataclass(frozen=True, slots=True)
class Context:
    """What a connector is built with besides its options: its source id and an HTTP client that is its own.

    ``dial`` connects for vendors that speak no HTTP: see `quell.sdk.dial`.
    """

    source: str
    http: Http
    resolve_timeout_s: float = 300.0
    dial: Dial = nowhere


class Connector(Protocol):
    """Built as ``cls(options, context)`` with decoded options; never does I/O in the constructor."""

    spec: ClassVar[Spec]

    def __init__(self, options: Mapping[str, Any], context: Context) -> None: ...


@runtime_checkable
class Receives(Protocol):
    """Takes deliveries at ``/in/<source-id>`` and at the spec's paths, once the source's ``auth`` believes them."""

    def receive(self, request: Request, now: float) -> Received: ...


@runtime_checkable
class Serves(Protocol):
    """Answers any method below the spec's paths, with a view of the engine (a drop-in API)."""

    def serve(self, request: Request, view: View, now: float) -> Received: ...


@runtime_checkable
class Pulls(Protocol):
    """Asks its system for news since ``cursor`` (None: the first time)."""

    async def pull(self, cursor: str | None, now: float) -> Pulled: ...


@runtime_checkable
class Asks(Protocol):
    """Answers a request for evidence: samples of ``entity`` in a span of time."""

    async def ask(self, entity: str, labels: Mapping[str, str], from_: float, to: float) -> Sequence[AnyRecord]: ...


@runtime_checkable
class Recalls(Protocol):
    """Tells of the past, one part after another: what happened from ``from_`` to ``to``, for a backtest.

    ``step_s`` is how finely it looks, where its system keeps samples and no events. ``cursor`` is that of the part
    before (None: the first part); the same cursor gives the same part again.
    """

    async def recall(self, from_: float, to: float, step_s: float, cursor: str | None) -> Recalled: ...


@runtime_checkable
class Acts(Protocol):
    """Performs one of the spec's actions, or with ``dry_run`` says what it would do, without effect."""

    async def act(self, call: Call) -> Done | Pending: ...
