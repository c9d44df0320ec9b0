"""Every secret value of a configuration, so that logs and errors can hide it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from quell.config.settings import Settings
from quell.sdk.secret import Secret
from quell.sdk.signatures import Scheme


def secrets_of(settings: Settings) -> Iterator[str]:
    """The texts of all secrets in the sources' options and schemes, of the repository's, and the key of tokens."""
    for source in settings.sources:
        yield from _within(source.options)
        yield from _of_scheme(source.auth)
    if settings.privacy.key:
        yield settings.privacy.key.decode()
    if settings.git is not None:
        yield from (each.reveal() for each in (settings.git.token, settings.git.hook_secret) if each is not None)
        if settings.git.token is not None and settings.git.user:
            yield settings.git.basic()


def _of_scheme(scheme: Scheme | None) -> Iterator[str]:
    if scheme is not None:
        yield from (secret.reveal() for secret in scheme.secrets)


def _within(value: object) -> Iterator[str]:
    if isinstance(value, Secret):
        yield value.reveal()
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _within(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _within(item)
