"""The registry's JSON to typed models and versions."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from quell.sdk.moments import read_moment
from quell.sdk.payload import decode

IS_PROMPT = "mlflow.prompt.is_prompt"
"""The tag that tells a prompt from a model: MLflow keeps both in one registry."""


class _Tag(msgspec.Struct, frozen=True):
    key: str
    value: str | None = None


class _Alias(msgspec.Struct, frozen=True):
    alias: str
    version: str | int


class _Version(msgspec.Struct, frozen=True):
    version: str | int
    status: str = "READY"
    run_id: str | None = None
    source: str | None = None
    tags: Sequence[_Tag] = ()
    creation_timestamp: int | str | None = None
    user_id: str | None = None
    description: str | None = None


class _Model(msgspec.Struct, frozen=True):
    name: str
    tags: Sequence[_Tag] = ()
    aliases: Sequence[_Alias] = ()
    latest_versions: Sequence[_Version] = ()
    description: str | None = None


class _ModelAnswer(msgspec.Struct, frozen=True):
    registered_model: _Model


class _VersionAnswer(msgspec.Struct, frozen=True):
    model_version: _Version


class _VersionsAnswer(msgspec.Struct, frozen=True):
    model_versions: Sequence[_Version] = ()
    next_page_token: str = ""


class _ModelsAnswer(msgspec.Struct, frozen=True):
    registered_models: Sequence[_Model] = ()
    next_page_token: str = ""


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a model; ``number`` is text, as MLflow has it. ``made_at`` is in seconds, None if not told."""

    number: str
    ready: bool
    run_id: str
    source: str
    tags: dict[str, str]
    made_at: float | None = None
    by: str = ""
    description: str = ""


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """A registered model; ``aliases`` by name, ``latest`` is the highest version MLflow names ("" for none)."""

    name: str
    tags: dict[str, str]
    aliases: dict[str, str]
    latest: str
    description: str = ""

    @property
    def prompt(self) -> bool:
        """Whether it is a prompt."""
        return self.tags.get(IS_PROMPT, "").lower() == "true"


def model_of(body: bytes) -> Model:
    """Raises `BadPayload`."""
    return _model(decode(body, _ModelAnswer).registered_model)


def models_of(body: bytes) -> tuple[list[Model], str]:
    """The models of a page and the token of the next one, "" for the last. Raises `BadPayload`."""
    answer = decode(body, _ModelsAnswer)
    return [_model(raw) for raw in answer.registered_models], answer.next_page_token


def _model(raw: _Model) -> Model:
    latest = max((number_of(str(one.version)) for one in raw.latest_versions), default=0)
    return Model(
        name=raw.name,
        tags=_tags(raw.tags),
        aliases={one.alias: str(one.version) for one in raw.aliases},
        latest=str(latest or ""),
        description=raw.description or "",
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
        run_id=raw.run_id or "",
        source=raw.source or "",
        tags=_tags(raw.tags),
        made_at=moment(raw.creation_timestamp),
        by=raw.user_id or "",
        description=raw.description or "",
    )


def moment(value: object) -> float | None:
    """Seconds for MLflow's milliseconds, which it writes as a number or as text; None for what is no time."""
    try:
        return read_moment(value)
    except ValueError:
        return None


def _tags(raw: Sequence[_Tag]) -> dict[str, str]:
    return {tag.key: tag.value or "" for tag in raw}
