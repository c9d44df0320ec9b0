"""The action that sends mail."""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, ClassVar
from weakref import WeakValueDictionary

from quell.errors import Refused, Unreachable
from quell.sdk.connector import Call, Context, Done
from quell.sdk.identity import Identity, Trust
from quell.sdk.secret import Secret
from quell.sdk.spec import Spec
from quell.sdk.ticket_text import said
from quell_connectors.email.letter import Letter, address_of, letter_of
from quell_connectors.email.session import Server, Taken, delivered
from quell_connectors.email.spec import PORTS, SPEC

LONGEST_S = 20.0
"""One conversation takes no longer, so that a server that hangs is heard of within the step."""
_REMEMBERED = 1000
_HOST = re.compile(r"[A-Za-z0-9:._-]{1,253}")


class Email:
    """Hands each mail to one server; whoever got it under a key is not sent it again by this process."""

    spec: ClassVar[Spec] = SPEC

    def __init__(self, options: Mapping[str, Any], context: Context) -> None:
        self._options = options
        self._source = context.source
        self._dial = context.dial
        self._trust = Trust()
        self._told: OrderedDict[str, set[str]] = OrderedDict()
        self._gates: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        password = options.get("password")
        self._password = password if isinstance(password, Secret) and password else None
        for place in ("host", "name"):
            if not _HOST.fullmatch(said(options, place) or "x"):
                raise ValueError(f'{place}: "{said(options, place)}" is no name of a machine')
        for address in (options.get("sender"), *(options.get("to") or ())):
            address_of(address)
        if options.get("encryption") == "none" and self._password:
            raise ValueError("a password is not sent in the clear; use encryption starttls or tls, or no password")
        if bool(options.get("user")) != bool(self._password) and options.get("user"):
            raise ValueError("a user needs a password")

    async def act(self, call: Call) -> Done:
        """Sends. A dry run asks the server whether it would take the mail, and does not give it."""
        if call.action != "send":
            raise Refused(f'no action "{call.action}"; there is send')
        letter = letter_of(call.params, self._options, self._source, call.key, call.now)
        async with self._gates.setdefault(letter.message_id, asyncio.Lock()):
            return await self._send(call, letter)

    async def _send(self, call: Call, letter: Letter) -> Done:
        told = self._told.get(letter.message_id, set())
        left = [address for address in letter.recipients if address not in told]
        output = {"message_id": letter.message_id, "subject": letter.subject}
        everybody = f'"{letter.subject}" to {_listed(letter.recipients)}'
        if not left:
            return Done(f"sent {everybody}; it was sent before", {**output, "sent": list(letter.recipients)})
        taken = await self._delivered(call, letter, left)
        if not call.dry_run:
            self._remember(letter.message_id, taken)
        no = "; ".join(f"{address}: {answer}" for address, answer in {**taken.later, **taken.refused}.items())
        if taken.later:
            got = f"{_listed(taken.sent)} got it; " if taken.sent else ""
            raise Unreachable(f"{got}the mail server takes it later for {_listed(taken.later)} ({no})"[:600])
        if not taken.sent and not told:
            raise Refused(f"the mail server takes nothing for {_listed(taken.refused)} ({no}); nothing was sent"[:600])
        verb = "would send" if call.dry_run else "sent"
        sent = [address for address in letter.recipients if address not in taken.refused]
        sentence = f'{verb} "{letter.subject}" to {_listed(sent)}'
        if taken.refused:
            sentence = f"{sentence}; refused: {no}"[:600]
        return Done(sentence, {**output, "sent": sent, "refused": sorted(taken.refused)})

    async def _delivered(self, call: Call, letter: Letter, to: list[str]) -> Taken:
        encryption = said(self._options, "encryption") or "starttls"
        port = self._options.get("port")
        server = Server(
            host=said(self._options, "host"),
            port=int(port) if port else PORTS[encryption],
            encryption=encryption,
            name=said(self._options, "name") or letter.sender.rpartition("@")[2],
            user=said(self._options, "user"),
            password=self._password,
        )
        trust = None
        if encryption != "none":
            trust = self._trust.context(Identity(ca_file=said(self._options, "ca_file")))
        within_s = min(call.timeout_s, LONGEST_S)
        return await delivered(
            server, self._dial, trust, letter, to, dry_run=call.dry_run, timeout_s=within_s
        )  # fmt: skip

    def _remember(self, message_id: str, taken: Taken) -> None:
        """A server that takes a mail for some and asks to wait for others must not give it to the first again."""
        self._told.setdefault(message_id, set()).update(taken.sent)
        while len(self._told) > _REMEMBERED:
            self._told.popitem(last=False)


def _listed(addresses: object) -> str:
    listed = list(addresses) if isinstance(addresses, (list, tuple, dict)) else []
    more = f" and {len(listed) - 5} more" if len(listed) > 5 else ""
    return ", ".join(listed[:5]) + more
