"""Rules of what is personal, as the configuration says them."""

from __future__ import annotations

from typing import Literal

import msgspec

from quell.model.playbook import Place

Do = Literal["token", "mask", "drop"]


class Personal(msgspec.Struct, frozen=True, kw_only=True):
    """What one rule speaks of: names of fields as globs, and patterns by their words or as expressions of one's own.

    token: the value becomes a keyed hash of it. mask: a word of what it was. drop: nothing of it stays.
    """

    fields: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    do: Do = "token"
    place: Place


class PrivacyRules(msgspec.Struct, frozen=True, kw_only=True):
    """All of it. ``key`` makes tokens; ``keep`` are fields that are left alone, ``keep_values`` expressions likewise.

    ``contexts`` is the share of requests of which raw contexts (lines, samples of values) are kept.
    """

    key: bytes = b""
    rules: tuple[Personal, ...] = ()
    keep: tuple[str, ...] = ()
    keep_values: tuple[str, ...] = ()
    contexts: float = 1.0

    def __bool__(self) -> bool:
        return bool(self.rules) or self.contexts < 1.0

    def __repr__(self) -> str:
        return f"PrivacyRules({len(self.rules)} rules)"
