"""What is personal stays outside: rules at work on whatever enters, before it is kept, logged or told.

Also on what could not be read: nobody knows what is in it, so of what is no text nothing is kept at all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import structlog
from msgspec.structs import replace

from quell.daemon import aside
from quell.model.records import AnyRecord
from quell.privacy.records import Guard
from quell.privacy.rules import PrivacyRules
from quell.privacy.sealing import opened, sealed
from quell.privacy.texts import Texts
from quell.store.port import Quarantined

_log = structlog.get_logger("quell.daemon")
_NO_TEXT = re.compile(r"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")
"""What no text holds, such as the lengths of protobuf; colours of a terminal begin with the one that is missing."""
_NOT_KEPT = "({} bytes that are no text were not kept: they may hold personal data)"


class Private:
    """The rules in force; without any, everything passes as it is and costs nothing."""

    def __init__(self, rules: PrivacyRules) -> None:
        self._guard: Guard | None = None
        self._texts: Texts | None = None
        self._rules: PrivacyRules | None = None
        self.use(rules)

    def use(self, rules: PrivacyRules) -> None:
        """Takes up other rules, or another key."""
        if rules == self._rules:
            return  # what is remembered stays
        self._rules = rules
        self._guard = Guard(rules) if rules else None
        self._texts = self._guard.texts if self._guard is not None else None

    @property
    def rules_set(self) -> bool:
        """Whether there are rules at all: without any, nothing changes."""
        return self._guard is not None

    def records(self, records: Sequence[AnyRecord]) -> Sequence[AnyRecord]:
        """Records as they may be kept."""
        return records if self._guard is None else self._guard.records(records)

    def text(self, text: str) -> str:
        """A text as it may be logged or told."""
        return text if self._texts is None else self._texts.text(text)

    def cursors(self, cursors: Mapping[str, str]) -> Mapping[str, str]:
        """How far sources were read, as it may be kept: sealed where something personal is in it."""
        texts, rules = self._texts, self._rules
        if texts is None or rules is None or not cursors:
            return cursors
        return {name: sealed(text, rules.key) if _personal(texts, text) else text for name, text in cursors.items()}

    def opened(self, cursors: Mapping[str, str]) -> dict[str, str]:
        """Cursors as they were before they were kept; without those that another secret sealed."""
        key = self._rules.key if self._rules is not None else b""
        told = {name: opened(cursor, key) for name, cursor in cursors.items()}
        for name, cursor in told.items():
            if cursor is None:
                _log.warning("another secret sealed how far a source was read: it begins anew", source=name)
        return {name: cursor for name, cursor in told.items() if cursor is not None}

    def aside(self, entries: Sequence[Quarantined]) -> Sequence[Quarantined]:
        """What could not be read, as it may be kept."""
        texts = self._texts
        return entries if texts is None or not entries else [_aside(texts, entry) for entry in entries]


def _personal(texts: Texts, text: str) -> bool:
    data = text.encode("utf-8", "surrogatepass")
    return texts.suspects(data) and _payload(texts, data) != data


def _aside(texts: Texts, entry: Quarantined) -> Quarantined:
    payload = _payload(texts, entry.payload)
    told = replace(entry, reason=texts.text(entry.reason), path=texts.name(entry.path))
    if payload is None:
        text = _NOT_KEPT.format(len(entry.payload)).encode()
        return replace(told, payload=text, whole=False, request=b"", kind="part" if entry.kind else "")
    around = _around(texts, entry.request)
    if around is None:
        return replace(told, payload=payload, request=b"", kind="part", whole=False)
    return replace(told, payload=payload, request=around)


def _payload(texts: Texts, payload: bytes) -> bytes | None:
    """The payload without what is personal; None of one that is no text."""
    if not payload:
        return payload
    try:
        text = payload.decode()
    except UnicodeDecodeError as error:
        # What was cut off may have been cut within a letter.
        if error.start < len(payload) - 100:
            return None
        text = payload.decode(errors="ignore")
    if _NO_TEXT.search(text):
        return None
    document, read = _document(payload)
    if read:
        told = texts.anything(document)
        return payload if told == document else msgspec.json.encode(told)
    if "\n" in text:
        return "\n".join(_line(texts, line) for line in text.split("\n")).encode()
    return texts.text(text).encode()


def _line(texts: Texts, line: str) -> str:
    document, read = _document(line.encode())
    if not read or not isinstance(document, (dict, list)):
        return texts.text(line)
    told = texts.anything(document)
    return line if told == document else msgspec.json.encode(told).decode()


def _document(payload: bytes) -> tuple[Any, bool]:
    try:
        return msgspec.json.decode(payload), True
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None, False


def _around(texts: Texts, request: bytes) -> bytes | None:
    """What stood around it; None when that cannot be read."""
    if not request:
        return request
    try:
        around = msgspec.msgpack.decode(request, type=aside.Around)
        before, after = (texts.text(part.decode()).encode() for part in (around.before, around.after))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    named = ((name, texts.value(name, value)) for name, value in around.query)
    query = tuple((name, str(value)) for name, value in named if value is not None)
    headers = {name: str(value) for name, value in texts.named(around.headers).items()}
    return msgspec.msgpack.encode(aside.Around(around.method, query, headers, before, after))
