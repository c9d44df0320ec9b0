"""One conversation with a mail server; what it answers becomes one of our errors."""

from __future__ import annotations

import ssl
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from aiosmtplib import SMTP, SMTPException, SMTPResponseException

from quell.errors import ConnectorError, Denied, NoAnswer, Refused, Unreachable
from quell.sdk.dial import Dial, permit
from quell.sdk.secret import Secret
from quell.sdk.ticket_text import one_line
from quell_connectors.email.letter import Letter

_MOST_QUOTED = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A mail server and how to speak to it. ``encryption`` is "starttls", "tls" or "none"."""

    host: str
    port: int
    encryption: str
    name: str
    user: str = ""
    password: Secret | None = None

    @property
    def place(self) -> str:
        """The server as errors name it."""
        return f"mail server {self.host}:{self.port}"


@dataclass(slots=True)
class Taken:
    """What became of the recipients: by address, the server's answer to those that it did not take."""

    sent: list[str] = field(default_factory=list)
    later: dict[str, str] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)


async def delivered(
    server: Server, dial: Dial, trust: ssl.SSLContext | None, letter: Letter, to: Collection[str], *, dry_run: bool,
    timeout_s: float,
) -> Taken:  # fmt: skip
    """Hands the letter over for the addresses in ``to``; a dry run asks all but the last question.

    Raises `Unreachable` when nothing was handed over, `NoAnswer` when nobody knows, `Refused` for a final no to all.
    """
    # Nothing of what is below is done twice: a mail server has no way to say that it has a letter already.
    socket = await dial(server.host, server.port, timeout_s)
    smtp = SMTP(
        hostname=server.host, port=None, sock=socket, local_hostname=server.name, timeout=timeout_s,
        use_tls=server.encryption == "tls", start_tls=False, tls_context=trust,
    )  # fmt: skip
    try:
        await _greeted(smtp, server)
        taken = await _addressed(smtp, server, letter, to)
        if dry_run:
            taken.sent = [one for one in to if one not in taken.later and one not in taken.refused]
        elif len(taken.later) + len(taken.refused) < len(to):
            await _handed_over(smtp, server, letter)
            taken.sent = [one for one in to if one not in taken.later and one not in taken.refused]
        with suppress(SMTPException, OSError):  # it has been said: how the farewell goes does not matter
            await smtp.quit(timeout=2.0)
    finally:
        smtp.close()
    return taken


async def _greeted(smtp: SMTP, server: Server) -> None:
    try:
        await smtp.connect()
        if server.encryption == "starttls":
            await smtp.ehlo()
            if not smtp.supports_extension("starttls"):
                raise Refused(f"{server.place} does not offer STARTTLS; nothing was sent")
            await smtp.starttls()
        if server.user and server.password:
            await smtp.ehlo()
            if not smtp.supported_auth_methods:
                raise Refused(f"{server.place} offers no login that is known here; nothing was sent")
            await smtp.login(server.user, server.password.reveal())
    except (SMTPException, OSError) as error:
        raise failure(error, server, "the greeting", (server.password,)) from None


async def _addressed(smtp: SMTP, server: Server, letter: Letter, to: Iterable[str]) -> Taken:
    taken = Taken()
    try:
        await smtp.mail(letter.sender)
        for address in to:
            try:
                await smtp.rcpt(address)
            except SMTPResponseException as error:
                answer = _said(error, (server.password,))
                (taken.refused if _is_final(error) else taken.later)[address] = answer
    except (SMTPException, OSError) as error:
        raise failure(error, server, "the envelope", (server.password,)) from None
    return taken


async def _handed_over(smtp: SMTP, server: Server, letter: Letter) -> None:
    asked = permit.get()
    if asked is not None and (refusal := asked()):
        raise Unreachable(f"{server.place} was not given the mail: {refusal}")
    try:
        await smtp.data(letter.raw)
    except SMTPResponseException as error:
        raise failure(error, server, "the mail", (server.password,)) from None
    except (SMTPException, OSError) as error:
        raise NoAnswer(f"{server.place} was given the mail and did not answer ({type(error).__name__})") from None


_NOT_LET_IN = frozenset({530, 534, 535, 538})
"""Answers to a login that does not do (RFC 4954): another may, once somebody has given it."""


def failure(error: Exception, server: Server, what: str, hide: Iterable[Secret | None]) -> ConnectorError:
    """The error for what went wrong before anything was handed over, or for an answer that the server gave."""
    if isinstance(error, SMTPResponseException):
        text = f"{server.place} answered to {what}: {_said(error, hide)}"
        if error.code in _NOT_LET_IN:
            return Denied(f"{text}; nothing was sent")
        return Refused(f"{text}; nothing was sent") if _is_final(error) else Unreachable(text)
    cause = error.__cause__
    if isinstance(error, ssl.SSLError) or isinstance(cause, ssl.SSLError) or "certificate" in str(error).lower():
        reason = "has a certificate that cannot be trusted" if "certificate" in str(error).lower() else "speaks no TLS"
        return Unreachable(f"{server.place} {reason}; nothing was sent")
    return Unreachable(f"{server.place} broke off at {what} ({type(error).__name__}); nothing was sent")


def _is_final(error: SMTPResponseException) -> bool:
    """Answers from 500 on are final; 421 to 452 ask for a later try."""
    return error.code >= 500


def _said(error: SMTPResponseException, hide: Iterable[Secret | None]) -> str:
    text = f"{error.code} {error.message}"
    for secret in hide:
        text = text.replace(secret.reveal(), "***") if secret else text
    return one_line(text, _MOST_QUOTED)
