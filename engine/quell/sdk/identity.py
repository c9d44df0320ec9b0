"""By which files a connector knows the other side and says who it is: certificates, keys, tokens that are renewed."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from quell.errors import Unreachable


@dataclass(frozen=True, slots=True)
class Identity:
    """Paths, "" where there is none. The HTTP client reads them when it asks, so that renewed files count at once.

    ``ca_file`` holds the certificates that are trusted instead of the system's; ``cert_file`` and ``key_file`` show who
    asks; the text in ``token_file`` is sent as a bearer token, unless the request has an Authorization of its own.
    """

    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    token_file: str = ""


class Trust:
    """Makes TLS contexts of identities; a context is made anew only when one of its files has changed."""

    def __init__(self) -> None:
        self._made: dict[Identity, tuple[tuple[int, ...], ssl.SSLContext]] = {}

    def context(self, identity: Identity) -> ssl.SSLContext:
        """Raises `Unreachable` when a file cannot be read: nothing was asked then."""
        files = [name for name in (identity.ca_file, identity.cert_file, identity.key_file) if name]
        state = tuple(_changed(name) for name in files)
        known = self._made.get(identity)
        if known is not None and known[0] == state:
            return known[1]
        try:
            context = ssl.create_default_context(cafile=identity.ca_file or None)
            if identity.cert_file:
                context.load_cert_chain(identity.cert_file, identity.key_file or None)
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            raise Unreachable(
                f"nothing was asked: {' or '.join(files)} holds no usable certificate ({error})"
            ) from error
        self._made[identity] = (state, context)
        return context


def token_in(path: str) -> str:
    """The token in a file. Raises `Unreachable` when there is none: nothing was asked then."""
    try:
        token = Path(path).read_text(encoding="ascii").strip()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise Unreachable(f'nothing was asked: the token file "{path}" cannot be read: {reason}') from None
    if not token or any(letter.isspace() or not letter.isprintable() for letter in token):
        raise Unreachable(f'nothing was asked: the token file "{path}" holds no token')
    return token


def _changed(path: str) -> int:
    """When a file was last changed, in nanoseconds."""
    try:
        return Path(path).stat().st_mtime_ns
    except OSError as error:
        raise Unreachable(f'nothing was asked: "{path}" cannot be read: {error.strerror}') from None
