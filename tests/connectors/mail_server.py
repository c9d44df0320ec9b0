"""A real mail server (aiosmtpd) on a free port of loopback; keeps what it is given, fails when told to."""

from __future__ import annotations

import asyncio
import ssl
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from ports import free_port

USER, PASSWORD = "quell", "quell-canary-5d1f-mail"


@dataclass
class MailServer:
    """``faults`` are for the next mails: an answer to DATA, or "cut" (taken, and the connection breaks before it is
    said), or "slow". ``answers`` are those to addresses that are not taken."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    envelopes: list[tuple[str, list[str], bytes]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)
    logins: list[bytes] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)
    protocols: list[SMTP] = field(default_factory=list)

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.answers:
            return self.answers[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        assert server.transport is not None
        fault = self.faults.pop(0) if self.faults else ""
        if fault == "slow":
            await asyncio.sleep(5)
        if fault[:1].isdigit():
            return fault
        raw = envelope.original_content or b""
        mail = message_from_bytes(raw, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        self.envelopes.append((envelope.mail_from or "", list(envelope.rcpt_tos), raw))
        self.encrypted.append(server.transport.get_extra_info("sslcontext") is not None)
        if fault == "cut":
            server.transport.abort()
        return "250 queued"

    def login(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append(data.login)
        right = data.login == USER.encode() and data.password == PASSWORD.encode()
        return AuthResult(success=right, handled=False, message=None if right else f"535 no: {PASSWORD}")


@asynccontextmanager
async def open_mail_server(
    encryption: str = "none", context: ssl.SSLContext | None = None, server: MailServer | None = None
) -> AsyncIterator[MailServer]:
    """The server while it takes connections; given again, it comes back at its port."""
    mail = server or MailServer(free_port())
    starttls = context if encryption == "starttls" else None

    def protocol() -> SMTP:
        with warnings.catch_warnings(action="ignore"):  # it does not see the TLS that the socket has from the start
            made = SMTP(
                mail, hostname="mail.test", tls_context=starttls, require_starttls=starttls is not None,
                authenticator=mail.login if context else None, auth_required=context is not None,
                auth_require_tls=encryption == "starttls", loop=asyncio.get_running_loop(),
            )  # fmt: skip
        mail.protocols.append(made)
        return made

    listening = await asyncio.get_running_loop().create_server(
        protocol, "127.0.0.1", mail.port, ssl=context if encryption == "tls" else None
    )
    try:
        yield mail
    finally:
        listening.close()
        for each in mail.protocols:
            if each.transport is not None:
                each.transport.abort()
        await listening.wait_closed()
        await asyncio.sleep(0)
