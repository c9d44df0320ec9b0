"""Whether a delivery comes from whom it says: checked on the raw bytes, in constant time, before anything is parsed.

A source declares its scheme under ``auth`` in the configuration and the daemon asks `refusal` before it hands a
delivery on; a connector need not look at it again.
"""

from __future__ import annotations

import binascii
import hmac
import re
from base64 import b64decode
from dataclasses import dataclass
from typing import Literal

from quell.model.times import parse_time
from quell.sdk.connector import Request
from quell.sdk.secret import Secret

Encoding = Literal["hex", "base64"]
_PART = re.compile(r"\{(body|timestamp|header:[A-Za-z0-9-]+)\}")
_MILLISECONDS = 1e11
"""A timestamp beyond this many seconds can only be meant in milliseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hmac:
    """The sender signs with a shared secret.

    ``header`` holds one or several signatures, separated by commas or spaces; any one made with any of the
    ``secrets`` will do, so that secrets can be changed without a gap. ``prefix`` stands before each ("sha256=").
    ``signed`` says what is signed: ``{body}``, ``{timestamp}``, ``{header:NAME}`` and text between them. With
    ``timestamp_header`` (seconds, milliseconds or RFC 3339) a delivery older or newer than ``window_s`` is refused.
    """

    secrets: tuple[Secret, ...]
    header: str = "x-signature"
    prefix: str = ""
    encoding: Encoding = "hex"
    algorithm: Literal["sha1", "sha256", "sha512"] = "sha256"
    signed: str = "{body}"
    timestamp_header: str = ""
    window_s: float = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bearer:
    """The sender shows a token: ``Authorization: Bearer …``, or the bare token in another ``header``."""

    secrets: tuple[Secret, ...]
    header: str = "authorization"


@dataclass(frozen=True, slots=True, kw_only=True)
class Basic:
    """The sender shows a user name and one of the passwords."""

    user: str
    secrets: tuple[Secret, ...]


Scheme = Hmac | Bearer | Basic


def refusal(request: Request, how: Scheme | None, now: float) -> str:
    """Why the request is not to be believed; "" when it is. Never raises, whatever the headers hold."""
    match how:
        case None:
            return ""
        case Bearer():
            shown = request.headers.get(how.header.lower(), "")
            if how.header.lower() == "authorization":
                kind, _, shown = shown.partition(" ")
                if kind.lower() != "bearer":
                    return "no bearer token"
            return "" if _shows(shown.strip(), how.secrets) else "the token is not the right one"
        case Basic():
            return _basic_refusal(request, how)
        case Hmac():
            return _hmac_refusal(request, how, now)


def _shows(shown: str, secrets: tuple[Secret, ...]) -> bool:
    given = shown.encode("utf-8", "surrogatepass")
    # Every secret is compared, so that the time taken does not tell which one was near.
    return sum(hmac.compare_digest(given, secret.reveal().encode()) for secret in secrets if secret) > 0


def _basic_refusal(request: Request, how: Basic) -> str:
    kind, _, shown = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "basic":
        return "no user name and password"
    try:
        user, colon, password = b64decode(shown.strip(), validate=True).decode().partition(":")
    except ValueError:
        return "the Authorization header cannot be read"
    right_user = hmac.compare_digest(user.encode(), how.user.encode())
    right = _shows(password, how.secrets) and right_user and bool(colon)
    return "" if right else "the user name or password is not the right one"


def _hmac_refusal(request: Request, how: Hmac, now: float) -> str:
    if how.timestamp_header:
        stamp = request.headers.get(how.timestamp_header.lower(), "").strip()
        at = _moment(stamp)
        if at is None:
            return f"header {how.timestamp_header} holds no time"
        if abs(now - at) > how.window_s:
            return f"signed {abs(now - at):.0f} s from now; at most {how.window_s:g} s are taken"
    shown = request.headers.get(how.header.lower(), "")
    if not shown.strip():
        return f"no signature in header {how.header}"
    between = r"\s+" if "," in how.prefix else r"[,\s]+"
    given = [_raw(text, how) for text in re.split(between, shown) if text]
    message = _signed_bytes(request, how)
    for secret in how.secrets:
        right = hmac.digest(secret.reveal().encode(), message, how.algorithm)
        if secret and any(hmac.compare_digest(right, raw) for raw in given if raw is not None):
            return ""
    return "the signature does not match"


def _raw(text: str, how: Hmac) -> bytes | None:
    if not text.startswith(how.prefix):
        return None
    written = text[len(how.prefix) :]
    try:
        return bytes.fromhex(written) if how.encoding == "hex" else b64decode(written, validate=True)
    except (ValueError, binascii.Error):
        return None


def _signed_bytes(request: Request, how: Hmac) -> bytes:
    parts: list[bytes] = []
    for index, text in enumerate(_PART.split(how.signed)):
        if index % 2 == 0:
            parts.append(text.encode())
        elif text == "body":
            parts.append(request.body)
        else:
            name = how.timestamp_header if text == "timestamp" else text.removeprefix("header:")
            parts.append(request.headers.get(name.lower(), "").encode("utf-8", "surrogatepass"))
    return b"".join(parts)


def _moment(text: str) -> float | None:
    try:
        if re.fullmatch(r"[0-9]{1,16}(\.[0-9]{1,9})?", text):
            number = float(text)
            return number / 1000 if number > _MILLISECONDS else number
        return parse_time(text)
    except (ValueError, OverflowError):
        return None
