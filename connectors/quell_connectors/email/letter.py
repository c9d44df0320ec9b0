"""A mail as it is sent: addresses that are only addresses, headers that are only headers, text for a small screen."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from hashlib import blake2b
from typing import Any

import msgspec

from quell.errors import Refused
from quell.sdk.ticket_text import clean, cut, one_line, said
from quell_connectors.email.inline import Inline, page_of, pictures_of

MAX_SUBJECT = 180
"""Characters; a phone shows about forty of them, so that what matters stands first."""
MAX_TEXT = 100_000
MAX_RECIPIENTS = 100
_ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?")
_NAMED = re.compile(r'(?:"?([^"<>\\\x00-\x1f]*?)"?\s*<([^<>\s]+)>|([^<>\s]+))')
_IMPORTANT = frozenset({"critical", "crit", "page", "emergency", "fatal", "disaster", "blocker", "p1", "sev1", "high"})


@dataclass(frozen=True, slots=True)
class Letter:
    """``sender`` and ``recipients`` are the envelope; ``raw`` is the message with its headers, lines ended by CRLF."""

    sender: str
    recipients: tuple[str, ...]
    subject: str
    message_id: str
    raw: bytes


def address_of(text: object) -> Address:
    """An address, with or without a name before it. Raises ValueError for anything else."""
    found = _NAMED.fullmatch(text.strip()) if isinstance(text, str) else None
    name, spec = (found[1] or "", found[2] or found[3]) if found else ("", "")
    if not _ADDRESS.fullmatch(spec):
        shown = one_line(str(text), 80)
        raise ValueError(f'"{shown}" is no e-mail address; write one such as ana@example.org')
    user, _, domain = spec.rpartition("@")
    try:
        return Address(display_name=one_line(name, 80), username=user, domain=domain)
    except (MessageError, ValueError) as error:
        raise ValueError(f'"{one_line(spec, 80)}" is no e-mail address ({error})') from error


def letter_of(params: Mapping[str, Any], options: Mapping[str, Any], source: str, key: str, now: float) -> Letter:
    """The mail that a step or a page asks for. Raises `Refused` when it says nothing or goes to nobody."""
    try:
        sender = address_of(options.get("sender"))
        recipients = _recipients(params.get("to") or options.get("to") or ())
    except ValueError as error:
        raise Refused(f"{error}; nothing was sent") from error
    text = cut(said(params, "text"), MAX_TEXT).strip()
    severity, incident = one_line(said(params, "severity"), 20), one_line(said(params, "incident"), 80)
    subject = one_line(said(params, "subject"), MAX_SUBJECT) or _subject(params, text, severity)
    if not subject:
        raise Refused('email.send needs a "text"; nothing was sent')
    known = (source, key, sender.addr_spec, [one.addr_spec for one in recipients], subject, text)
    message_id = f"<quell.{_digest(known)}@{sender.domain}>"
    letter = EmailMessage(policy=SMTP)
    letter["From"] = sender
    letter["To"] = recipients
    letter["Subject"] = subject
    letter["Date"] = format_datetime(datetime.fromtimestamp(now, UTC))
    letter["Message-ID"] = message_id
    if incident:
        # Not the id of any mail: what all mails of one incident answer to, so that mailboxes show them together.
        thread = f"<quell.{_digest((source, incident))}@{sender.domain}>"
        letter["In-Reply-To"] = thread
        letter["References"] = thread
    # No out-of-office note comes back to a machine.
    letter["Auto-Submitted"] = "auto-generated"
    letter["X-Auto-Response-Suppress"] = "All"
    if severity.lower() in _IMPORTANT:
        letter["Importance"] = "high"
        letter["X-Priority"] = "1"
    pictures = pictures_of(params)
    body = _body(text, params, incident, pictures)
    letter.set_content(body, cte="quoted-printable")
    html = clean(said(params, "html"))
    if len(html) > MAX_TEXT:
        raise Refused(f'"html" has {len(html)} characters; at most {MAX_TEXT} are sent; nothing was sent')
    drawn = [one for one in pictures if one.png]
    if html or drawn:
        _with_pictures(letter, html or page_of(body, drawn), drawn)
    return Letter(sender.addr_spec, tuple(one.addr_spec for one in recipients), subject, message_id, bytes(letter))


def _subject(params: Mapping[str, Any], text: str, severity: str) -> str:
    title = one_line(said(params, "title"), MAX_SUBJECT) or one_line(text.partition("\n")[0], MAX_SUBJECT)
    return one_line(f"{severity.upper()}: {title}" if severity and title else title, MAX_SUBJECT)


def _with_pictures(letter: EmailMessage, html: str, pictures: Sequence[Inline]) -> None:
    letter.add_alternative(html, subtype="html", cte="quoted-printable")
    *_, shown = letter.iter_parts()
    assert isinstance(shown, EmailMessage), "it was made just now"
    for one in pictures:
        shown.add_related(one.png, "image", "png", cid=f"<{one.cid}>", filename=one.name, disposition="inline")


def _body(text: str, params: Mapping[str, Any], incident: str, pictures: Sequence[Inline]) -> str:
    """The cause comes first, for a preview shows no more. What the subject says already stands at the end."""
    link = clean(said(params, "link")).strip()
    last = f"Incident {incident}" if incident else ""
    head, _, rest = text.partition("\n")
    if incident and head.startswith(f"{incident} ") and rest.strip():
        text, last = rest.strip(), head.strip()
    foot = [line for line in (link, last) if line]
    told = [picture.text for picture in pictures]
    return "\n\n".join(part for part in (text, *told, "\n".join(foot)) if part) + "\n"


def _recipients(given: Iterable[Any]) -> list[Address]:
    listed: dict[str, Address] = {}
    for one in given:
        address = address_of(one)
        listed.setdefault(address.addr_spec.lower(), address)
    if not listed:
        raise Refused('email.send needs a "to", in the step or as the source\'s option; nothing was sent')
    if len(listed) > MAX_RECIPIENTS:
        raise Refused(f"{len(listed)} addresses; at most {MAX_RECIPIENTS} are sent to; nothing was sent")
    return list(listed.values())


def _digest(what: object) -> str:
    # Of what is said, too: a mailbox that shows one mail per Message-ID must not drop another quell's page.
    return blake2b(msgspec.json.encode(what), digest_size=16).hexdigest()
