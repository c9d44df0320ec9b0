"""What an answer says, as a step's output."""

from __future__ import annotations

from typing import Any

import msgspec

from quell.sdk.http import Answer

MAX_KEPT = 16 * 1024
"""Bytes of an answer that are kept as text; the output of a step is stored and shown."""


def output_of(answer: Answer) -> dict[str, Any]:
    """``status``; ``json`` when the body is JSON, else ``body``, cut off when it is long."""
    output: dict[str, Any] = {"status": answer.status}
    if not answer.body:
        return output
    if len(answer.body) <= MAX_KEPT:
        try:
            return {**output, "json": msgspec.json.decode(answer.body)}
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass
    return {**output, "body": answer.body[:MAX_KEPT].decode("utf-8", "replace")}
