"""`GuardedHttp`, the HTTP client of a running connector, on aiohttp.

The guard sits where sockets are made, because only there is the final address known: names that resolve inside, odd
spellings of an address and answers that change between check and use all end up there.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from yarl import URL

from quell.errors import NoAnswer, Refused, Unreachable
from quell.sdk.addresses import Allowed
from quell.sdk.dial import dialled, permit
from quell.sdk.http import Answer
from quell.sdk.identity import Identity, Trust, token_in

MAX_ANSWER_BYTES = 8 * 1024 * 1024
CONNECT_TIMEOUT_S = 5.0


class _Inside(OSError):
    """The guard refused an address."""


@dataclass(slots=True)
class _Attempt:
    """One request: whether its host is allowed by name, and why the guard refused its addresses."""

    trusted: bool
    refused: list[str] = field(default_factory=list)


_attempt: ContextVar[_Attempt | None] = ContextVar("quell_http_attempt", default=None)


class GuardedHttp:
    """Gives each connector one session, made in the running loop at the first request.

    ``allow`` opens inside addresses: see `quell.sdk.addresses.Allowed.of`. No redirect is followed, no proxy used,
    no cookie kept. An answer beyond ``max_bytes`` (after decompression) counts as no answer.
    """

    def __init__(
        self,
        allow: Iterable[str] = (),
        *,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
        max_bytes: int = MAX_ANSWER_BYTES,
        user_agent: str = "quell",
    ) -> None:
        self._allowed = Allowed.of(allow)
        self._connect_timeout_s = connect_timeout_s
        self._max_bytes = max_bytes
        self._user_agent = user_agent
        self._session: aiohttp.ClientSession | None = None
        self._trust = Trust()

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        json: Any = None,
        data: bytes | None = None,
        timeout_s: float = 10.0,
        identity: Identity | None = None,
    ) -> Answer:
        """One request. Raises `Unreachable` when it could not be sent, `NoAnswer` when it was and no whole answer came.

        Raises `Refused` when ``url`` is not one to ask.
        """
        target = _target(url)
        asked = permit.get()
        if asked is not None and (refusal := asked()):
            raise Unreachable(f"{target.host}:{target.port} was not asked: {refusal}")
        place = f"{target.host}:{target.port}"
        shown, token = _shown(headers, identity)
        trust = self._trust.context(identity) if identity and target.scheme == "https" else True
        attempt = _Attempt(trusted=(target.host or "").lower().rstrip(".") in self._allowed.hosts)
        connect_s = min(self._connect_timeout_s, timeout_s)
        mark = _attempt.set(attempt)
        try:
            async with self._open().request(
                method,
                target,
                headers=shown,
                params=query,
                json=json,
                data=data,
                allow_redirects=False,
                ssl=trust,
                timeout=aiohttp.ClientTimeout(total=timeout_s, sock_connect=connect_s),
            ) as answer:
                body = await self._body(answer, place)
                # Only here is the token of a file known: an answer that repeats it must not show it.
                body = body.replace(token.encode(), b"***") if token else body
                return Answer(answer.status, dict(answer.headers), body)
        except aiohttp.ConnectionTimeoutError as error:
            raise Unreachable(f"{place} took no connection within {connect_s:g} s") from error
        except TimeoutError as error:
            raise NoAnswer(f"{place} did not answer within {timeout_s:g} s") from error
        except (aiohttp.ClientError, OSError) as error:
            if attempt.refused:
                raise Unreachable(
                    f"{place} was not asked: {attempt.refused[0]}; allow it by name if it is meant"
                ) from None
            # The chain is cut: texts of the client hold the whole URL, and with it what may be secret.
            kind = Unreachable if isinstance(error, aiohttp.ClientConnectorError) else NoAnswer
            raise kind(f"{place} {_why(error)}") from None
        except (ValueError, TypeError) as error:
            raise Refused(f"{place} was not asked: the request cannot be written ({type(error).__name__})") from None
        finally:
            _attempt.reset(mark)

    async def dial(self, host: str, port: int, timeout_s: float) -> socket.socket:
        """A connection for what is not HTTP, under the same guard and permit. Raises `Unreachable`."""
        asked = permit.get()
        if asked is not None and (refusal := asked()):
            raise Unreachable(f"{host}:{port} was not asked: {refusal}")
        return await dialled(self._allowed, host, port, min(self._connect_timeout_s, timeout_s))

    async def close(self) -> None:
        """Closes the session; a later request opens a new one."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(socket_factory=self._socket, limit=32, limit_per_host=8),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": self._user_agent},
                trust_env=False,
            )
        return self._session

    def _socket(self, info: tuple[Any, ...]) -> socket.socket:
        family, kind, protocol, _, address = info
        attempt = _attempt.get()
        refusal = "" if attempt is not None and attempt.trusted else self._allowed.refusal(str(address[0]))
        if refusal:
            if attempt is not None:
                attempt.refused.append(refusal)
            raise _Inside(refusal)
        return socket.socket(family, kind, protocol)

    async def _body(self, answer: aiohttp.ClientResponse, place: str) -> bytes:
        parts: list[bytes] = []
        left = self._max_bytes
        async for part in answer.content.iter_any():
            left -= len(part)
            if left < 0:
                answer.close()
                raise NoAnswer(f"{place} answered more than {self._max_bytes} bytes; the answer was dropped")
            parts.append(part)
        return b"".join(parts)


def _shown(headers: Mapping[str, str] | None, identity: Identity | None) -> tuple[Mapping[str, str] | None, str]:
    """The headers of a request, and the token among them that was read from a file."""
    if identity is None or not identity.token_file or any(name.lower() == "authorization" for name in headers or {}):
        return headers, ""
    token = token_in(identity.token_file)
    return {**(headers or {}), "Authorization": f"Bearer {token}"}, token


def _target(url: str) -> URL:
    try:
        target = URL(url)
        usable = target.scheme in ("http", "https") and bool(target.host)
    except ValueError:
        usable = False
    if not usable:
        raise Refused("the address is not a URL that starts with http:// or https:// and names a host")
    return target


def _why(error: Exception) -> str:
    """What went wrong, in words that hold no part of the request."""
    match error:
        case aiohttp.ClientConnectorCertificateError() | ssl.SSLCertVerificationError():
            return "has a certificate that cannot be trusted"
        case aiohttp.ClientConnectorDNSError():
            return "has no address (the name cannot be resolved)"
        case aiohttp.ClientSSLError() | ssl.SSLError():
            return "does not speak TLS as expected"
        case aiohttp.ClientConnectorError():
            return f"cannot be connected to ({_os_reason(error.os_error)})"
        case aiohttp.ServerDisconnectedError():
            return "closed the connection without an answer"
        case aiohttp.ClientPayloadError():
            return "cut its answer off"
        case aiohttp.ClientResponseError():
            return "answered something that is not HTTP"
        case OSError():
            return f"broke the connection ({_os_reason(error)})"
    return f"gave no answer ({type(error).__name__})"


def _os_reason(error: OSError) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    return (error.strerror or type(error).__name__).lower()
