"""quell.yaml: its shape, and how it becomes settings and routes."""

from __future__ import annotations

import pathlib
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, PlainValidator, WithJsonSchema

from quell.config.actions import Actions
from quell.config.chat_file import ChatShape, as_role, read_chat
from quell.config.complaints import shaped
from quell.config.digest_file import DigestShape, read_digest
from quell.config.fields import MatcherText, Shape, Size, Span, joined
from quell.config.follow import following
from quell.config.git_file import GitShape, read_git
from quell.config.nodes import Document
from quell.config.postmortem_file import PostmortemShape, read_postmortem
from quell.config.privacy_file import PrivacyShape, read_privacy, sampled
from quell.config.references import INCIDENT_ROOTS, Known
from quell.config.secrets import Secrets
from quell.config.settings import Limits, Log, Retention, Scope, Settings, Token
from quell.config.sources import read_sources
from quell.config.store_url import read_store
from quell.errors import Problem
from quell.model.playbook import Place
from quell.model.rulebook import Caps, Route
from quell.sdk.addresses import Allowed
from quell.sdk.spec import ActionSpec, Spec

PAGE_ROOTS = INCIDENT_ROOTS | {"text", "title", "severity", "labels"}
"""Names that the parameters of a page may refer to."""
PAGE_PARAMS = frozenset({"text", "incident", "title", "severity"})
"""Parameters of a paging action that quell fills in when a route leaves them out."""

_LISTEN = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]*):(?P<port>\d{1,5})")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_DAY_S = 86400.0


def _listen(value: object) -> tuple[str, int]:
    found = _LISTEN.fullmatch(value) if isinstance(value, str) else None
    if found is None or int(found["port"]) > 65535:
        raise ValueError(f'"{value}" is not an address; write one such as "127.0.0.1:9099"')
    return found["host"].strip("[]") or "0.0.0.0", int(found["port"])  # noqa: S104 - the user wrote no host on purpose


def _allowed(value: list[str]) -> list[str]:
    Allowed.of(value)
    return value


def _digest(value: str) -> str:
    if not _SHA256.fullmatch(value):
        raise ValueError("a token is stored as its SHA-256, 64 hexadecimal digits")
    return value


Listen = Annotated[tuple[str, int], PlainValidator(_listen), WithJsonSchema({"type": "string"})]
Count = Annotated[int, Field(ge=1, le=10_000_000)]


class PageShape(Shape):
    """Where pages go: the first action is tried for every incident that matches."""

    name: str = ""
    """Its own name, by which quell remembers what it told; the action's if left out."""
    to: str
    """The action, as id.verb."""
    with_: dict[str, Any] = Field(default={}, alias="with")
    """Its parameters, with ${incident.…} references."""
    match: list[MatcherText] = Field(default=[])
    """Matchers over the labels of the alert that pages; none match every incident."""
    follow: bool = False
    """Whether what was paged there is acknowledged, resolved and opened again as the incident is, and the other way."""


class LimitsShape(Shape):
    """How much is taken in."""

    body: Size = 8_000_000
    """Largest body of a request."""
    inbox: Count = 20_000
    """Records that may wait to be stored, in memory; beyond it senders get 503."""
    backlog: Count = 500_000
    """Records that may be stored and not decided over yet, on disk; beyond it senders get 503."""
    alerts_per_post: Count = 10_000
    """Alerts in one request."""
    labels: Count = 64
    """Labels of one alert."""
    label_value: Count = 4096
    """Characters of one label's value."""


class RetentionShape(Shape):
    """How long things are kept."""

    contexts: Span = 30 * _DAY_S
    """Raw contexts among records: log lines, spans, samples of values. Records without them stay."""
    records: Span = 30 * _DAY_S
    """Records as they came in."""
    distributions: Span = 90 * _DAY_S
    """Distributions (counts by field, without samples of values), when the records around them are gone."""
    alerts: Span = 90 * _DAY_S
    """Alerts that are over: when they fired, what was made of them and why."""
    incidents: Span = 400 * _DAY_S
    """Closed incidents, with their runs and what is in the ledger."""
    audit: Span = 400 * _DAY_S
    """Who did what."""
    quarantine: Span = 30 * _DAY_S
    """Payloads that could not be read."""
    quarantine_size: Size = 100_000_000
    """How much of those is kept at most; the oldest go first."""


class AutomationShape(Shape):
    """What holds for all playbooks together."""

    changes_per_hour: Annotated[int, Field(ge=0, le=100_000)] = 20
    """Acts that change something, begun within any hour by all playbooks; a step beyond them waits. 0: none at all."""
    first_runs_propose: Annotated[int, Field(ge=0, le=1000)] = 0
    """So many runs of a playbook at a new commit wait for a person, although its mode is enforce."""


class LogShape(Shape):
    """What is logged, and how."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["text", "json"] = "text"


class SettingsShape(Shape):
    """quell.yaml: the daemon, its sources and where pages go."""

    listen: Listen = ("127.0.0.1", 9099)
    """Address and port of the HTTP server."""
    receiver: bool | None = None
    """Whether a process of its own takes deliveries in beside the one that decides; no if left out."""
    store: str = "sqlite:///quell.db"
    """URL: sqlite:///FILE (relative to this file), postgresql://USER:PASSWORD@HOST/DATABASE, or env:NAME of it."""
    sources: dict[str, dict[str, Any]] = Field(default={})
    """Connectors by id: what is received, pulled and acted on."""
    git: GitShape | None = None
    """A git repository that rules and playbooks come from, instead of the folders beside this file."""
    pages: list[PageShape] = Field(default=[])
    """Where pages go."""
    limits: LimitsShape = LimitsShape()
    retention: RetentionShape = RetentionShape()
    privacy: PrivacyShape = PrivacyShape()
    """What is personal: fields and patterns that become tokens or go, before anything is kept or told."""
    automation: AutomationShape = AutomationShape()
    digest: DigestShape | None = None
    """What is told regularly of how things went, and where."""
    postmortem: PostmortemShape = PostmortemShape()
    """Drafts of post-mortems that quell writes by itself, and of which incidents."""
    log: LogShape = LogShape()
    tokens: str | None = None
    """File with API tokens, "tokens.yaml" if left out."""
    people: str | None = None
    """File with people, "people.yaml" if left out."""
    chat: ChatShape = ChatShape()
    snapshot_every: Span = 60.0
    """How often the state is written down, to make restarts short; a large one for few records up to ten times less."""
    resolve_timeout: Span = 300.0
    """After this long without news an alert that gave no end counts as over."""
    allow_addresses: Annotated[list[str], AfterValidator(_allowed)] = Field(default=[])
    """Inside addresses that connectors may speak to: loopback, private, networks, host names."""
    open_on_loopback: bool = True
    """Whether programs on this machine may deliver alerts without a token."""


class TokenShape(Shape):
    """One API token."""

    id: str
    sha256: Annotated[str, AfterValidator(_digest)]
    scopes: Annotated[list[Scope], Field(min_length=1)]
    by: str = ""
    """Who acts with it; its id if left out."""
    roles: list[Annotated[str, AfterValidator(as_role)]] = Field(default=[])
    """Whose approval it gives, as playbooks ask for it: sre stands for role:sre; team:NAME and owner:NAME too."""


class TokensShape(Shape):
    """The file of API tokens."""

    tokens: list[TokenShape] = Field(default=[])


def read_settings(
    document: Document, specs: Mapping[str, Spec], secrets: Secrets, actions: Actions, problems: list[Problem]
) -> tuple[Settings | None, tuple[Route, ...]]:
    """Settings without tokens, and routes; None when the file does not fit, with everything added to ``problems``."""
    raw = document.value if document.value is not None else {}
    shape = shaped(SettingsShape, document, problems, value=raw)
    if not isinstance(raw, dict):
        return None, ()
    sources = read_sources(document, raw.get("sources"), specs, secrets, problems)
    found: dict[int, ActionSpec] = {}
    for index, page in enumerate(raw["pages"] if isinstance(raw.get("pages"), list) else []):
        if isinstance(page, dict):
            known = Known(roots=PAGE_ROOTS)
            spec = actions.check(
                document, ("pages", index), page, problems, known=known, verb="to", given=PAGE_PARAMS, built_in=False
            )
            if spec is not None:
                found[index] = spec
    digest = read_digest(document, shape.digest if shape is not None else None, actions, problems)
    if shape is None:
        return None, ()
    privacy = read_privacy(document, shape.privacy, secrets, problems)
    store = read_store(document, shape.store, secrets, problems)
    settings = Settings(
        directory=secrets.directory,
        host=shape.listen[0],
        port=shape.listen[1],
        receiver=shape.receiver,
        store=store,
        git=read_git(document, shape.git, secrets, problems) if shape.git is not None else None,
        sources=sampled(sources, raw.get("sources"), specs, privacy.contexts),
        privacy=privacy,
        limits=Limits(**shape.limits.model_dump()),
        retention=Retention(
            contexts_s=shape.retention.contexts,
            records_s=shape.retention.records,
            distributions_s=shape.retention.distributions,
            alerts_s=shape.retention.alerts,
            incidents_s=shape.retention.incidents,
            audit_s=shape.retention.audit,
            quarantine_s=shape.retention.quarantine,
            quarantine_bytes=shape.retention.quarantine_size,
        ),
        automation=Caps(**shape.automation.model_dump()),
        chat=read_chat(document, shape.chat, [str(name) for name in shape.sources], problems),
        digest=digest,
        postmortem=read_postmortem(shape.postmortem, secrets.directory),
        log=Log(level=shape.log.level, format=shape.log.format),
        snapshot_every_s=shape.snapshot_every,
        resolve_timeout_s=shape.resolve_timeout,
        allow_addresses=tuple(shape.allow_addresses),
        open_on_loopback=shape.open_on_loopback,
    )
    more: dict[int, dict[str, Any]] = {}
    for index, page in enumerate(shape.pages):
        if page.follow and index in found:
            more[index], problem = following(
                document, ("pages", index), page.to, spec=found[index], sources=sources, actions=actions
            )
            problems += [problem] if problem is not None else []
    return settings, _routes(document, shape.pages, more, problems)


def _routes(
    document: Document, pages: list[PageShape], more: Mapping[int, Mapping[str, Any]], problems: list[Problem]
) -> tuple[Route, ...]:
    """The routes, each under a name of its own: what was told to whom is remembered by it."""
    routes: dict[str, Route] = {}
    named = {page.name for page in pages}
    for index, page in enumerate(pages):
        name, number = page.name or page.to, 1
        while not page.name and (name in routes or name in named):
            number += 1
            name = f"{page.to} {number}"
        if name in routes:
            message = f'the page name "{name}" stands here twice (first in line {routes[name].place.line})'
            problems.append(document.problem(("pages", index, "name"), message, "give it another name"))
        routes.setdefault(name, _route(document, index, page, name, more.get(index, {})))
    return tuple(routes.values())


def _route(document: Document, index: int, page: PageShape, name: str, more: Mapping[str, Any]) -> Route:
    return Route(
        name=name,
        action=page.to,
        params=page.with_,
        matchers=joined(page.match),
        place=Place(file=document.file, line=document.line(("pages", index))),
        **more,
    )


def read_tokens(document: Document, problems: list[Problem]) -> tuple[Token, ...]:
    """The tokens of a token file."""
    shape = shaped(TokensShape, document, problems, value=document.value if document.value is not None else {})
    found: dict[str, Token] = {}
    for index, token in enumerate(shape.tokens if shape else ()):
        if token.id in found:
            problems.append(document.problem(("tokens", index, "id"), f'the token id "{token.id}" stands here twice'))
        found[token.id] = Token(
            id=token.id,
            sha256=token.sha256,
            scopes=frozenset(token.scopes),
            by=token.by,
            roles=frozenset(token.roles),
        )
    return tuple(found.values())


def tokens_path(settings_document: Document | None) -> tuple[pathlib.PurePath, bool]:
    """The token file, relative to the directory, and whether it must exist."""
    raw = settings_document.value if settings_document else None
    named = raw.get("tokens") if isinstance(raw, dict) else None
    return pathlib.PurePath(named if isinstance(named, str) else "tokens.yaml"), isinstance(named, str)
