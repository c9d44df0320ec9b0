"""Texts that only the secret opens: cursors of sources, which must come back as they were and may hold anything.

The seal is a keyed hash of the text (HMAC-SHA256), which makes the key stream (SHAKE-256) that hides it: the same text
is sealed alike, and what was changed, or was sealed with another secret, does not open.
"""

from __future__ import annotations

import hmac
from base64 import b64decode, b64encode
from hashlib import shake_256
from typing import Final

_BEGINS: Final = "sealed:"
_SEAL_BYTES: Final = 32


def sealed(text: str, key: bytes) -> str:
    """The text as it may be kept."""
    data = text.encode("utf-8", "surrogatepass")
    seal = _seal(data, key)
    return _BEGINS + b64encode(seal + _mixed(data, seal, key)).decode()


def opened(text: str, key: bytes) -> str | None:
    """What was sealed, or the text itself if it never was; None when the secret is another one."""
    if not text.startswith(_BEGINS):
        return text
    try:
        raw = b64decode(text.removeprefix(_BEGINS), validate=True)
        seal, data = raw[:_SEAL_BYTES], _mixed(raw[_SEAL_BYTES:], raw[:_SEAL_BYTES], key)
        return data.decode("utf-8", "surrogatepass") if hmac.compare_digest(seal, _seal(data, key)) else None
    except ValueError:
        return None


def _seal(data: bytes, key: bytes) -> bytes:
    return hmac.digest(hmac.digest(key, b"quell seal", "sha256"), data, "sha256")


def _mixed(data: bytes, seal: bytes, key: bytes) -> bytes:
    stream = shake_256(hmac.digest(key, b"quell stream", "sha256") + seal).digest(len(data))
    return (int.from_bytes(data) ^ int.from_bytes(stream)).to_bytes(len(data))
