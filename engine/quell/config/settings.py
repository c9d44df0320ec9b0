"""What quell.yaml says about the daemon itself, decoded; rules and playbooks are in the rulebook."""

from __future__ import annotations

import pathlib
from base64 import b64encode
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from quell.model.impact import Impact
from quell.model.playbook import Place
from quell.model.rulebook import Caps, Room
from quell.privacy.rules import PrivacyRules
from quell.sdk.secret import Secret
from quell.sdk.signatures import Scheme

Scope = Literal["ingest", "read", "act", "approve", "admin"]


class Acts(msgspec.Struct, frozen=True, kw_only=True):
    """How much is done through a source: acts at once, and begun within any minute (None: as many as there are)."""

    at_once: int = 6
    per_minute: int | None = None


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """One connector as configured. ``id`` is its place at ``/in/<id>`` and the first half of its actions' names.

    ``every_s`` is how often it is asked (None: it is not pulled), ``auth`` how its deliveries prove themselves
    before the connector sees them. ``open``: no API token is asked of its deliveries, because the file says so or
    because the connector checks them itself.
    """

    id: str
    use: str
    options: Mapping[str, Any]
    every_s: float | None = None
    auth: Scheme | None = None
    open: bool = False
    acts: Acts = Acts()
    place: Place


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """``body`` in bytes of one request, the next two in records, the rest per request, per alert and per label."""

    body: int = 8_000_000
    inbox: int = 20_000
    backlog: int = 500_000
    alerts_per_post: int = 10_000
    labels: int = 64
    label_value: int = 4096


class Retention(msgspec.Struct, frozen=True, kw_only=True):
    """How long things are kept, in seconds; of what is in quarantine at most ``quarantine_bytes``."""

    contexts_s: float = 30 * 86400.0
    records_s: float = 30 * 86400.0
    distributions_s: float = 90 * 86400.0
    alerts_s: float = 90 * 86400.0
    incidents_s: float = 400 * 86400.0
    audit_s: float = 400 * 86400.0
    quarantine_s: float = 30 * 86400.0
    quarantine_bytes: int = 100_000_000


class Log(msgspec.Struct, frozen=True, kw_only=True):
    """What is logged and in which form."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["text", "json"] = "text"


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """An API token ``qll_<id>_<secret>``, known by the SHA-256 of the whole; ``by`` is who acts with it.

    ``roles`` are whose approval it gives: "role:sre", "team:web", "owner:shop".
    """

    id: str
    sha256: str
    scopes: frozenset[Scope]
    by: str = ""
    roles: frozenset[str] = frozenset()


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who acts from where people talk. ``ids`` are what vendors call them, by connector or by source id.

    ``scopes`` and ``roles`` are as a token's.
    """

    id: str
    name: str = ""
    email: str = ""
    scopes: frozenset[Scope] = frozenset()
    roles: frozenset[str] = frozenset()
    ids: Mapping[str, str] = {}


class Chat(msgspec.Struct, frozen=True, kw_only=True):
    """Where incidents are shown; above so many open ones in a room new ones are told of in one message."""

    rooms: tuple[Room, ...] = ()
    digest_above: int = 20
    link: str = ""


class GitSettings(msgspec.Struct, frozen=True, kw_only=True):
    """A git repository that rules and playbooks come from, instead of the folders beside quell.yaml.

    ``keep`` is where its copy and the commits taken up are kept. Exactly one of ``signers`` (a file of allowed SSH
    signers), ``gpg_home`` (a directory with a keyring of nothing but allowed keys) and ``unsigned`` is given.
    ``rewind``: also a commit that does not go on from the one in use is taken. ``tested``: only with its tests passed.
    """

    url: str
    keep: pathlib.Path
    branch: str = "main"
    folder: str = ""
    every_s: float = 60.0
    signers: pathlib.Path | None = None
    gpg_home: pathlib.Path | None = None
    unsigned: bool = False
    rewind: bool = False
    tested: bool = True
    user: str = ""
    token: Secret | None = None
    ssh_key: pathlib.Path | None = None
    known_hosts: pathlib.Path | None = None
    hook_secret: Secret | None = None

    def basic(self) -> str:
        """User and token as HTTP's basic authentication has them."""
        return b64encode(f"{self.user}:{self.token.reveal() if self.token else ''}".encode()).decode()


class DigestSettings(msgspec.Struct, frozen=True, kw_only=True):
    """At the times of ``cron`` in ``zone`` the figures of ``over_s`` seconds go to ``action`` with ``params``."""

    action: str
    params: Mapping[str, Any] = {}
    cron: str = "0 9 * * mon"
    zone: str = "UTC"
    over_s: float = 7 * 86400.0


class PostmortemSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Drafts go to ``directory`` (``shown`` as people wrote it), ``settle_s`` after an incident is over.

    They are of incidents that were ``paged`` (False: or not), lasted ``lasted_s``, and were of that ``severity`` or did
    that ``impact`` at least. ``tickets``: open tickets of the incident are told where the draft is.
    """

    directory: pathlib.Path
    shown: str = "postmortems"
    settle_s: float = 1800.0
    paged: bool = True
    lasted_s: float = 300.0
    severity: str = "critical"
    impact: Impact = "business"
    tickets: bool = True


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """``directory`` holds quell.yaml; ``store`` is a URL, its file path absolute. Sources are in file order."""

    directory: pathlib.Path
    host: str = "127.0.0.1"
    port: int = 9099
    receiver: bool | None = None
    """Whether a process of its own takes deliveries in; None: if there are processors for two."""
    store: str
    git: GitSettings | None = None
    sources: tuple[Source, ...] = ()
    limits: Limits = Limits()
    retention: Retention = Retention()
    privacy: PrivacyRules = PrivacyRules()
    automation: Caps = Caps()
    digest: DigestSettings | None = None
    postmortem: PostmortemSettings | None = None
    log: Log = Log()
    tokens: tuple[Token, ...] = ()
    people: tuple[Person, ...] = ()
    chat: Chat = Chat()
    snapshot_every_s: float = 60.0
    resolve_timeout_s: float = 300.0
    allow_addresses: tuple[str, ...] = ()
    open_on_loopback: bool = True

    def source(self, name: str) -> Source | None:
        """The source of that id, or None."""
        return next((source for source in self.sources if source.id == name), None)
