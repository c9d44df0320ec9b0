"""Structured logs: one line an event, ``key=value`` or JSON, secrets masked, repeated failures counted."""

from __future__ import annotations

import logging
import re
import sys
import time
from collections.abc import Callable, Iterable, MutableMapping
from functools import partial
from json import dumps
from typing import Any, Literal, TextIO
from urllib.parse import quote, quote_plus

import structlog

from quell.daemon.log_lines import Lines, Out, handed_on, logfmt

_TELLING = re.compile(
    r"(?i)(\bauthorization\b['\"]?\s*[:=]\s*['\"]?(?:bearer|basic)?\s*|\bbearer\s+|\b(?:token|password|secret|"
    r"api_?key|routing_key)['\"]?\s*[:=]\s*['\"]?)[^\s'\"&,;]+"
)
_USERINFO = re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://)[^/\s@:]*(?::[^/\s@]*)?@")
_TOKEN = re.compile(r"\bqll_([A-Za-z0-9-]+)_[A-Za-z0-9_-]+")
_WORDS = ("authorization", "token", "password", "secret", "api_key", "apikey", "routing_key")
_NEVER = frozenset({"authorization", "token", "password", "secret"})
"""Fields whose value is never shown, whatever it is."""
_SHORTEST = 6
"""Shorter secrets are not searched for in texts: masking every "abc" would hide the log itself."""


class Masker:
    """Hides known secret values, tokens, passwords in addresses and what follows words such as ``token=``."""

    def __init__(self) -> None:
        self._secrets: tuple[str, ...] = ()
        self.private: Callable[[str], str] | None = None
        """Takes what is personal out of a text, where there are rules of it."""

    def know(self, secrets: Iterable[str]) -> None:
        """Adds values that must never be shown; they stay known until the end, as old ones may still be in texts."""
        known = set(self._secrets)
        for secret in secrets:
            if len(secret) >= _SHORTEST:
                # Others repeat them as they stand in an address, or in a JSON document.
                known |= {secret, quote(secret, safe=""), quote_plus(secret), quote(secret), dumps(secret)[1:-1]}
        self._secrets = tuple(sorted(known, key=lambda secret: (-len(secret), secret)))

    @property
    def secrets(self) -> tuple[str, ...]:
        """The known values, the longest first."""
        return self._secrets

    def known(self, text: str) -> str:
        """The text without the values that are known."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text

    def text(self, text: str) -> str:
        """The text without secrets."""
        text = self.known(text)
        if "qll_" in text:
            text = _TOKEN.sub(r"qll_\1_***", text)
        if "@" in text:
            text = _USERINFO.sub(r"\1***@", text)
        if _may_tell(text):
            text = _TELLING.sub(r"\1***", text)
        return text if self.private is None else self.private(text)

    def value(self, value: Any) -> Any:
        """The same for texts inside lists and mappings."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {key: self.value(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.value(item) for item in value]
        return value

    def __call__(self, _logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """As a structlog processor."""
        return {key: "***" if key.lower() in _NEVER else self.value(item) for key, item in event.items()}


def _may_tell(text: str) -> bool:
    """Whether to look closer: most texts hold nothing that a secret follows, which is told at a hundredth the cost.

    What is the same but for case is known of ASCII alone.
    """
    if not text.isascii():
        return True
    plain = text.lower()
    return "bearer" in plain or ((":" in plain or "=" in plain) and any(word in plain for word in _WORDS))


def set_up(
    masker: Masker,
    form: Literal["text", "json"] = "text",
    *,
    level: Literal["debug", "info", "warning", "error"] = "info",
    out: TextIO | None = None,
) -> None:
    """Sends everything, also what libraries log from warning level on, as lines to ``out`` (default: stderr)."""
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        masker,
    ]
    last: Any = structlog.processors.JSONRenderer() if form == "json" else logfmt
    handler = Out(out or sys.stderr, last)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last], foreign_pre_chain=shared
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("quell").setLevel(level.upper())
    structlog.configure(
        processors=[*shared, handed_on],
        logger_factory=partial(Lines, handler),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=False,
    )


class Sparing:
    """Logs a failure once, then at most every ``every_s`` seconds with the count of those not shown."""

    def __init__(self, log: Any, every_s: float = 30.0, steady: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._every_s = every_s
        self._steady = steady
        self._last: dict[str, float] = {}
        self._unsaid: dict[str, int] = {}

    def warning(self, key: str, event: str, **fields: Any) -> None:
        """A line of this ``key`` if it is time for one."""
        self._say(self._log.warning, key, event, fields)

    def error(self, key: str, event: str, **fields: Any) -> None:
        """The same, as an error."""
        self._say(self._log.error, key, event, fields)

    def _say(self, say: Callable[..., Any], key: str, event: str, fields: dict[str, Any]) -> None:
        now = self._steady()
        if now - self._last.get(key, -self._every_s) < self._every_s:
            self._unsaid[key] = self._unsaid.get(key, 0) + 1
            return
        self._last[key] = now
        unsaid = self._unsaid.pop(key, 0)
        say(event, **fields, **({"more_since": unsaid} if unsaid else {}))
