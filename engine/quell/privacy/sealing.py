"""Texts that only the secret opens: cursors of sources, which must come back as they were and may hold anything.

They are encrypted by AES-SIV (RFC 5297): the same text is sealed alike, and what was changed, or was sealed with
another secret, does not open.
"""

from __future__ import annotations

import hmac
from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESSIV

_BEGINS: Final = "sealed:"
_PURPOSE: Final = b"quell cursors"


def sealed(text: str, key: bytes) -> str:
    """The text as it may be kept."""
    if not text:
        return text
    return _BEGINS + b64encode(_cipher(key).encrypt(text.encode("utf-8", "surrogatepass"), None)).decode()


def opened(text: str, key: bytes) -> str | None:
    """What was sealed, or the text itself if it never was; None when the secret is another one."""
    if not text.startswith(_BEGINS):
        return text
    from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - likewise

    try:
        raw = b64decode(text.removeprefix(_BEGINS), validate=True)
        return _cipher(key).decrypt(raw, None).decode("utf-8", "surrogatepass")
    except (InvalidTag, ValueError):
        return None


def _cipher(key: bytes) -> AESSIV:
    """A key of its own is made of the secret: what one purpose gives away says nothing of another."""
    from cryptography.hazmat.primitives.ciphers.aead import AESSIV  # noqa: PLC0415 - 6 MiB, for who has such cursors

    return AESSIV(hmac.digest(key, _PURPOSE, "sha512"))
