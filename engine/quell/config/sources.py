"""The ``sources:`` of quell.yaml: which connectors run, under which ids, with which options."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import Field

from quell.config.complaints import did_you_mean, shaped, wrong_type
from quell.config.fields import Shape, Span, duration
from quell.config.nodes import Document, Path
from quell.config.option_files import filled_in
from quell.config.options import Fault, Unfit, decode_options
from quell.config.secrets import Secrets
from quell.config.settings import Acts, Source
from quell.errors import Problem
from quell.model.playbook import Place
from quell.sdk.secret import Secret
from quell.sdk.signatures import Basic, Bearer, Hmac, Scheme
from quell.sdk.spec import Spec

_ID = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_OWN = {
    "detect": "the alerts of quell's detectors come from there",
    "quell": "what quell says and does itself is called so",
    "incident": "what quell does with incidents is called so",
}
"""Ids that no source may have, and why."""


class HmacShape(Shape):
    """Deliveries signed with a shared secret."""

    secret: str
    """env:NAME or file:/path."""
    old_secret: str = ""
    """The secret before, still good while senders are changed."""
    header: str = "x-signature"
    """The header with the signature."""
    prefix: str = ""
    """What stands before the signature, such as "sha256="."""
    encoding: Literal["hex", "base64"] = "hex"
    """How the signature is written."""
    algorithm: Literal["sha1", "sha256", "sha512"] = "sha256"
    """The hash."""
    signed: str = "{body}"
    """What is signed, of {body}, {timestamp} and {header:NAME}."""
    timestamp_header: str = ""
    """The header with the time of signing; "" checks none."""
    window: Span = 300.0
    """How far the time of signing may be from now."""


class BasicShape(Shape):
    """Deliveries with a user name and a password."""

    user: str
    password: str
    """env:NAME or file:/path."""


class AuthShape(Shape):
    """How deliveries prove where they come from: exactly one of these."""

    token: str | None = None
    """A bearer token, as env:NAME or file:/path."""
    header: str | None = None
    """The header with the bare token, where a sender has one of its own, such as X-Gitlab-Token."""
    hmac: HmacShape | None = None
    """A signature over the body."""
    basic: BasicShape | None = None
    """A user name and a password."""
    open: Literal[True] | None = None
    """Anybody who can reach the port may deliver."""


class ActsShape(Shape):
    """How much is done through a source, so that it spares its target and the others."""

    at_once: Annotated[int, Field(ge=1, le=16)] = 6
    """Acts under way at one time; the next ones wait."""
    per_minute: Annotated[int, Field(ge=1, le=100_000)] | None = None
    """Acts begun within any minute; what would wait longer than its own time limit fails as unreachable."""


class SourceShape(Shape):
    """The keys that every source has; its connector's options stand beside them."""

    use: str
    """The connector."""
    every: Span | None = Field(default=None)
    """How often a pulling connector is asked."""
    auth: AuthShape | None = None
    """How deliveries prove where they come from; without it an API token with the scope "ingest" is needed."""
    acts: ActsShape | None = None
    """How much is done through it."""


@dataclass(slots=True)
class Instances:
    """What stands behind the ids of sources. An id with None is declared, but its connector is unknown."""

    specs: dict[str, Spec | None] = field(default_factory=dict)
    known: bool = True
    """False when quell.yaml could not be read at all, so that nothing is said about actions."""
    spare: Mapping[str, Spec] = field(default_factory=dict)
    """What stands behind names that no source has."""

    def with_spare(self, specs: Mapping[str, Spec]) -> Instances:
        """These, and behind them every installed connector under its own name."""
        return Instances(self.specs, self.known, specs)

    def spec(self, name: str) -> Spec | None:
        """What stands behind a name; None also where its connector is unknown."""
        return self.specs[name] if name in self.specs else self.spare.get(name)

    def has(self, name: str) -> bool:
        """Whether there is such a source, or a connector in its place."""
        return name in self.specs or name in self.spare

    def all(self) -> Mapping[str, Spec | None]:
        """Everything by name; what stands behind is imported for it."""
        return {**self.spare, **self.specs}


def instances_of(raw: Any, specs: Mapping[str, Spec]) -> Instances:
    """The sources of a quell.yaml, however wrong the rest of it is."""
    found = raw.get("sources") if isinstance(raw, dict) else None
    if not isinstance(found, dict):
        return Instances()
    return Instances(
        {
            name: specs.get(entry["use"]) if isinstance(entry, dict) and isinstance(entry.get("use"), str) else None
            for name, entry in found.items()
        }
    )


def read_sources(
    document: Document, raw: Any, specs: Mapping[str, Spec], secrets: Secrets, problems: list[Problem]
) -> tuple[Source, ...]:
    """The sources that are right; what is wrong with the others is added to ``problems``."""
    result = []
    for name, entry in raw.items() if isinstance(raw, dict) else ():
        if not isinstance(entry, dict):
            continue  # reported by the shape of the whole file
        reader = _Reader(document, ("sources", name), name, entry, secrets, problems)
        source = reader.read(specs)
        if source is not None:
            result.append(source)
    return tuple(result)


@dataclass(slots=True)
class _Reader:
    """Reads one source."""

    document: Document
    path: Path
    name: str
    entry: dict[str, Any]
    secrets: Secrets
    problems: list[Problem]

    def read(self, specs: Mapping[str, Spec]) -> Source | None:
        before = len(self.problems)
        if not _ID.fullmatch(self.name):
            self._complain((), f'"{self.name}" is not an id; use small letters, digits, "-" and "_"', key=True)
        if self.name in _OWN:
            self._complain((), f'no source may be called "{self.name}": {_OWN[self.name]}', "choose another", key=True)
        use = self.entry.get("use")
        spec = specs.get(use) if isinstance(use, str) else None
        if use is None:
            self._complain((), f'source "{self.name}" needs "use", the connector', _choices(specs), key=True)
        elif spec is None:
            suggestion = did_you_mean(str(use), specs, _choices(specs))
            self._complain(("use",), f'unknown connector "{use}"', suggestion)
        if spec is None:
            return None
        own = {option.name for option in spec.options}
        every_s = None if "every" in own else self._every()
        auth, is_open = self._auth(own)
        acts = None if "acts" in own else self._acts()
        taken = {"use", *({"acts", "every"} - own), *({"auth"} if "auth" not in own or self._mapped_auth() else ())}
        raw = {key: value for key, value in self.entry.items() if key not in taken}
        raw, unread = filled_in(spec, raw, self.secrets.directory, self.problems)
        if unread:
            self._complain((unread,), f'the file "{raw[unread]}" cannot be read', "its path is relative to quell.yaml")
            return None
        options, faults = decode_options(spec.options, raw, secret=self.secrets.read)
        for fault in faults:
            self._fault(fault, spec)
        if "auth" in own and isinstance(options.get("auth"), str) and options["auth"] != "none":
            is_open = True
            if "secret" in own and not options.get("secret") and not self.entry.get("secret"):
                self._complain(("auth",), f'auth "{options["auth"]}" needs option "secret"', "secret: env:NAME")
        if len(self.problems) > before:
            return None
        place = Place(file=self.document.file, line=self.document.spot(self.path, key=True).line)
        return Source(
            id=self.name, use=spec.name, options=options, every_s=every_s, auth=auth, open=is_open,
            acts=acts or Acts(), place=place,
        )  # fmt: skip

    def _mapped_auth(self) -> bool:
        return isinstance(self.entry.get("auth"), dict)

    def _acts(self) -> Acts | None:
        if self.entry.get("acts") is None:
            return None
        shape = shaped(ActsShape, self.document, self.problems, path=(*self.path, "acts"), value=self.entry["acts"])
        return None if shape is None else Acts(**shape.model_dump())

    def _every(self) -> float | None:
        if "every" not in self.entry:
            return None
        try:
            seconds = duration(self.entry["every"])
        except ValueError as error:
            self._complain(("every",), str(error))
            return None
        if seconds < 1:
            self._complain(("every",), f'"{self.entry["every"]}" is too often', "ask once a second at most")
        return seconds

    def _auth(self, own: set[str]) -> tuple[Scheme | None, bool]:
        if "auth" not in self.entry or ("auth" in own and not self._mapped_auth()):
            return None, False
        raw = self.entry["auth"]
        path = (*self.path, "auth")
        if not isinstance(raw, dict):
            self._complain(("auth",), *wrong_type(raw, "a mapping with one of token, hmac, basic or open"))
            return None, False
        shape = shaped(AuthShape, self.document, self.problems, path=path, value=raw)
        if shape is None:
            return None, False
        ways = [name for name in raw if name != "header"]
        if len(ways) != 1:
            self._complain(("auth",), f"auth holds one of token, hmac, basic and open, not {len(ways)}")
            return None, False
        if shape.header is not None and shape.token is None:
            self._complain(("auth", "header"), "header says where a token stands", "write it beside token")
            return None, False
        return self._scheme(shape), bool(shape.open)

    def _scheme(self, shape: AuthShape) -> Scheme | None:
        if shape.token is not None:
            return Bearer(secrets=self._secrets(("token",)), header=(shape.header or "authorization").lower())
        if shape.basic is not None:
            return Basic(user=shape.basic.user, secrets=self._secrets(("basic", "password")))
        if shape.hmac is None:
            return None
        keys = [("hmac", "secret")] + ([("hmac", "old_secret")] if shape.hmac.old_secret else [])
        return Hmac(
            secrets=self._secrets(*keys),
            header=shape.hmac.header.lower(),
            prefix=shape.hmac.prefix,
            encoding=shape.hmac.encoding,
            algorithm=shape.hmac.algorithm,
            signed=shape.hmac.signed,
            timestamp_header=shape.hmac.timestamp_header.lower(),
            window_s=shape.hmac.window,
        )

    def _secrets(self, *keys: tuple[str, ...]) -> tuple[Secret, ...]:
        found = []
        for key in keys:
            value: Any = self.entry["auth"]
            for step in key:
                value = value[step]
            try:
                found.append(self.secrets.read(value))
            except Unfit as error:
                self._complain(("auth", *key), str(error), error.suggestion)
        return tuple(found)

    def _fault(self, fault: Fault, spec: Spec) -> None:
        missing = fault.name not in self.entry
        message = f'source "{self.name}" ({spec.name}) {fault.message}' if missing else fault.message
        if fault.key:
            message = f'{fault.message} of connector "{spec.name}"'
        self._complain(() if missing else (fault.name,), message, fault.suggestion, key=missing or fault.key)

    def _complain(self, path: Path, message: str, suggestion: str = "", *, key: bool = False) -> None:
        self.problems.append(self.document.problem((*self.path, *path), message, suggestion, key=key))


def _choices(specs: Mapping[str, Spec]) -> str:
    return f"connectors here: {', '.join(sorted(specs))}" if specs else "no connector is installed"
