"""The registry's JSON to typed models and versions."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from quell.sdk.payload import decode


class _Tag(msgspec.Struct, frozen=True):
    key: str
    value: str = ""


class _Alias(msgspec.Struct, frozen=True):
    alias: str
    version: str | int


class _Version(msgspec.Struct, frozen=True):
    version: str | int
    status: str = "READY"
    run_id: str = ""
    source: str = ""
    tags: Sequence[_Tag] = ()


class _Model(msgspec.Struct, frozen=True):
    name: str
    tags: Sequence[_Tag] = ()
    aliases: Sequence[_Alias] = ()
    latest_versions: Sequence[_Version] = ()


class _ModelAnswer(msgspec.Struct, frozen=True):
    registered_model: _Model


class _VersionAnswer(msgspec.Struct, frozen=True):
    model_version: _Version


class _VersionsAnswer(msgspec.Struct, frozen=True):
    model_versions: Sequence[_Version] = ()
    next_page_token: str = ""


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a model; ``number`` is text, as MLflow has it."""

    number: str
    ready: bool
    run_id: str
    source: str
    tags: dict[str, str]


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """A registered model; ``aliases`` by name, ``latest`` is the highest version MLflow names ("" for none)."""

    name: str
    tags: dict[str, str]
    aliases: dict[str, str]
    latest: str


def model_of(body: bytes) -> Model:
    """Raises `BadPayload`."""
    raw = decode(body, _ModelAnswer).registered_model
    latest = max((number_of(str(one.version)) for one in raw.latest_versions), default=0)
    return Model(
        name=raw.name,
        tags=_tags(raw.tags),
        aliases={one.alias: str(one.version) for one in raw.aliases},
        latest=str(latest or ""),
    )


def version_of(body: bytes) -> Version:
    """Raises `BadPayload`."""
    return _version(decode(body, _VersionAnswer).model_version)


def versions_of(body: bytes) -> tuple[list[Version], str]:
    """The versions of a page and the token of the next one, "" for the last. Raises `BadPayload`."""
    answer = decode(body, _VersionsAnswer)
    return [_version(raw) for raw in answer.model_versions], answer.next_page_token


def number_of(version: str) -> int:
    """A version as a number, to tell which is earlier; -1 for what is none."""
    return int(version) if version.isascii() and version.isdecimal() else -1


def _version(raw: _Version) -> Version:
    return Version(
        number=str(raw.version),
        ready=raw.status == "READY",
        run_id=raw.run_id,
        source=raw.source,
        tags=_tags(raw.tags),
    )


def _tags(raw: Sequence[_Tag]) -> dict[str, str]:
    return {tag.key: tag.value for tag in raw}
