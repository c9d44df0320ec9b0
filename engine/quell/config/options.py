"""Options of connectors and parameters of actions, decoded as their declaration says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from quell.config.complaints import did_you_mean, wrong_type
from quell.config.fields import duration
from quell.sdk.secret import Secret
from quell.sdk.spec import Option


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one option. ``key``: with its name rather than its value."""

    name: str
    message: str
    suggestion: str = ""
    key: bool = False


class Unfit(ValueError):
    """A value does not fit its declaration."""

    def __init__(self, message: str, suggestion: str = "") -> None:
        self.suggestion = suggestion
        super().__init__(message)


SecretReader = Callable[[object], Secret]
"""Gives the secret for a reference such as ``env:NAME``. Raises `Unfit`."""


def decode_options(
    options: Sequence[Option],
    raw: Mapping[str, Any],
    *,
    secret: SecretReader | None = None,
    skip: Callable[[Any], bool] | None = None,
    word: str = "option",
) -> tuple[dict[str, Any], list[Fault]]:
    """Decoded values, defaults filled in, and every fault.

    ``secret`` reads references of secret options; without it a text is taken as the secret itself. Values for which
    ``skip`` holds (they carry ``${…}`` and get their type later) pass unchecked. ``word`` is what an option is called.
    """
    known = {option.name: option for option in options}
    faults = [
        Fault(name, f'unknown {word} "{name}"', did_you_mean(str(name), known), key=True)
        for name in raw
        if name not in known
    ]
    decoded: dict[str, Any] = {}
    for option in options:
        value = raw.get(option.name)
        if value is None:
            if option.required:
                faults.append(Fault(option.name, f'needs {word} "{option.name}"', _for_example(option)))
            else:
                decoded[option.name] = option.default
            continue
        if skip is not None and skip(value):
            decoded[option.name] = value
            continue
        try:
            decoded[option.name] = decode_value(option, value, secret)
        except Unfit as error:
            faults.append(Fault(option.name, str(error), error.suggestion))
    return decoded, faults


def decode_value(option: Option, value: Any, secret: SecretReader | None = None) -> Any:
    """One value by its option's type. Raises `Unfit`."""
    decoded = value
    match option.type:
        case "text" | "path":
            _must(value, str, "text")
        case "integer":
            _must(value, int, "a whole number")
        case "number":
            decoded = float(_must(value, (int, float), "a number"))
        case "boolean":
            if not isinstance(value, bool):
                raise Unfit(*wrong_type(value, "true or false"))
        case "list":
            _must(value, (list, tuple), "a list")
        case "mapping":
            _must(value, Mapping, "a mapping")
        case "duration":
            decoded = _duration(value)
        case "url":
            _url(value)
        case "secret":
            decoded = secret(value) if secret else Secret(str(_must(value, str, "text")))
    if option.choices and decoded not in option.choices:
        raise Unfit(
            f'"{decoded}" is not one of {", ".join(option.choices)}', did_you_mean(str(decoded), option.choices, " ")
        )
    return decoded


def _must(value: Any, kind: Any, wanted: str) -> Any:
    if isinstance(value, bool) or not isinstance(value, kind):
        raise Unfit(*wrong_type(value, wanted))
    return value


def _duration(value: Any) -> float:
    try:
        return duration(value)
    except ValueError as error:
        raise Unfit(str(error)) from None


def _url(value: Any) -> None:
    _must(value, str, "text")
    try:
        parts = urlsplit(value)
        fine = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        fine = False
    if not fine:
        raise Unfit(f'"{value}" is not a URL', "write one such as https://example.org/path")
    if parts.username or parts.password:
        raise Unfit("a URL may not hold a user name or password", "put the secret into an option that reads env:NAME")


def _for_example(option: Option) -> str:
    return f"for example {option.name}: {option.example}" if option.example else ""
