"""Whom a span calls, told by its attributes: a database, a cache, a queue, a model, another service.

The names are those of OpenTelemetry's semantic conventions, the present ones and those before. What a span asks
is told apart by low-cardinality attributes only; texts of queries and whole addresses are not read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from quell_connectors.otlp.homes import Home, Homes
from quell_connectors.otlp.wire import Scalar, text_of

SERVER, CLIENT, PRODUCER, CONSUMER = 2, 3, 4, 5
TRAITS: frozenset[bytes] = frozenset(
    name.encode()
    for name in (
        "http.request.method", "http.method", "http.route",
        "rpc.system", "rpc.system.name", "rpc.service", "rpc.method",
        "db.system", "db.system.name", "db.namespace", "db.name",
        "messaging.system", "messaging.destination.name", "messaging.destination", "messaging.destination.template",
        "messaging.destination.temporary", "messaging.destination.anonymous",
        "messaging.operation", "messaging.operation.type",
        "peer.service", "service.peer.name", "server.address", "net.peer.name",
        "gen_ai.request.model", "gen_ai.response.model", "gen_ai.operation.name",
        "llm.model_name", "llm.request.model", "llm.response.model",
    )
)  # fmt: skip
"""What tells one kind of call from another."""
PATHS: frozenset[bytes] = frozenset({b"url.path", b"url.full", b"http.target", b"http.url"})
"""Where the name of a model stands that is asked over HTTP; read for nothing else."""
_MODEL_PATH = re.compile(
    r"/(?:v1|v2|seldon/[\w.-]+/[\w.-]+/v2)/models/([\w.-]+)(?:/versions/[\w.-]+)?(?::predict|/infer|/predict)\b"
)
_CACHES = frozenset({"redis", "valkey", "memcached", "hazelcast", "ignite", "dragonfly"})
_EMBEDDED = frozenset({"sqlite", "h2", "hsqldb", "derby", "duckdb"})
"""Databases within the program: they fail with it."""
_TAKES = frozenset({"receive", "process", "deliver", "settle"})
_GIVES = frozenset({"publish", "send", "create"})
_AGENTS = frozenset({"invoke_agent", "create_agent", "execute_tool", "invoke_workflow", "plan", "fetch_response"})
"""What calls models and tells their tokens a second time, and what calls none."""
_ASKED = ("gen_ai.request.model", "llm.request.model", "llm.model_name")
_ANSWERED = ("gen_ai.response.model", "llm.response.model")
"""Names of the conventions for generative AI, then those of OpenLLMetry before them and of OpenInference."""
_LOOPBACK = re.compile(r"localhost|127\.[\d.]+|::1|\[::1\]|0\.0\.0\.0|/.*|")
_ADDRESS = re.compile(r"[\d.]+|ip-[\d-]+(?:\..*)?|\[?[0-9a-fA-F]*:[0-9a-fA-F:.]+\]?")
_CLUSTER_NAME = re.compile(r"([a-z0-9][a-z0-9-]*)(?:\.[a-z0-9][a-z0-9-]*(?:\.svc(?:\.[\w.-]+)?)?)?")
_LETTERS = re.compile(r"[A-Za-z]")


@dataclass(frozen=True, slots=True)
class Peer:
    """What is called. ``heard``: its name is told by attributes for sure, so that no span of its own is waited for."""

    entity: str
    type: str = "calls"
    labels: Mapping[str, str] = field(default_factory=dict)
    heard: bool = True
    model: str = ""
    priced: str = ""


def peer_of(told: Mapping[str, Scalar], home: Home, kind: int, homes: Homes) -> Peer | None:
    """Whom a span with these attributes calls (or takes messages from); None when that is nobody, or not known."""
    texts = {name: text_of(value) for name, value in told.items()}
    model = _model(texts) if kind not in {SERVER, CONSUMER} else None  # servers of models are not what asks them
    if model is not None:
        return model
    if kind not in {CLIENT, PRODUCER, CONSUMER}:
        return None
    named = texts.get("peer.service") or texts.get("service.peer.name") or ""
    if texts.get("messaging.system") or texts.get("messaging.destination.name") or texts.get("messaging.destination"):
        return _queue(texts, kind)
    system = texts.get("db.system.name") or texts.get("db.system") or ""
    if kind == CLIENT and system:
        return _database(texts, system.lower(), named, home)
    if kind == CLIENT:
        name = named or _service_at(texts.get("server.address") or texts.get("net.peer.name") or "")
        entity = homes.peer(home, name) if name else ""
        return Peer(entity, heard=False) if entity and entity != home.entity else None
    return None


def asked_model(path: str) -> Peer | None:
    """The model that an address asks, as KServe, Seldon and TensorFlow Serving have it."""
    found = _MODEL_PATH.search(path)
    return None if found is None else Peer(f"model/{found[1]}")


def _model(told: Mapping[str, str]) -> Peer | None:
    asked = next((told[name] for name in _ASKED if told.get(name)), "")
    answered = next((told[name] for name in _ANSWERED if told.get(name)), "")
    name = asked or answered
    if not name or told.get("gen_ai.operation.name") in _AGENTS:
        return None
    return Peer(f"model/{name}", model=name, priced=answered or name)


def _database(told: Mapping[str, str], system: str, named: str, home: Home) -> Peer | None:
    if system in _EMBEDDED:
        return None
    address = told.get("server.address") or told.get("net.peer.name") or ""
    name = named or ("" if _LOOPBACK.fullmatch(address) else address)
    if not name:  # beside the program, or nobody says where
        name = f"{home.entity.partition('/')[2]}/{told.get('db.namespace') or told.get('db.name') or system}"
    kind = "cache" if system in _CACHES else "database"
    return Peer(f"{kind}/{name}", labels={"system": system})


def _queue(told: Mapping[str, str], kind: int) -> Peer | None:
    passing = "true" in {told.get("messaging.destination.temporary"), told.get("messaging.destination.anonymous")}
    name = told.get("messaging.destination.name") or told.get("messaging.destination") or ""
    name = told.get("messaging.destination.template") or ("" if passing else name) or told.get("messaging.system", "")
    deed = told.get("messaging.operation.type") or told.get("messaging.operation") or ""
    takes = deed in _TAKES or (deed not in _GIVES and kind == CONSUMER)
    return Peer(f"queue/{name}", "consumes" if takes else "calls", {"system": told.get("messaging.system", "")})


def _service_at(address: str) -> str:
    """The service that answers at an address; names within a cluster lose their namespace, bare numbers name nobody."""
    if _LOOPBACK.fullmatch(address) or _ADDRESS.fullmatch(address):
        return ""
    within = _CLUSTER_NAME.fullmatch(address)
    if within is not None and (".svc" in address or "." not in address):
        return within[1]
    return address
