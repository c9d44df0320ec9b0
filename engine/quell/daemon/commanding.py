"""A person's command on its way through the core: put, waited for, and what the audit trail says became of it."""

from __future__ import annotations

from quell.daemon.inbox import Inbox
from quell.daemon.loop import Loop
from quell.daemon.writer import Writer
from quell.model.records import CommandRecord

_REFUSED = "refused: "
"""So begins what the core's audit says of a command that it did not carry out."""
_AUDITS_READ = 200
_WAIT_S = 5.0


async def commanded(
    loop: Loop, inbox: Inbox, writer: Writer, command: CommandRecord, wait_s: float = _WAIT_S
) -> str | None:
    """Why the core refused a command, "" when it did what was asked, None when it has not decided over it yet.

    Raises what `Inbox.put` raises.
    """
    seq = await inbox.put([command])
    if not await loop.passed(seq, wait_s):
        return None
    newest = await writer.call(writer.store.audit, _AUDITS_READ)
    said = [
        entry.audit.detail
        for entry in newest
        if entry.audit.at >= command.at
        and (entry.audit.who, entry.audit.what, entry.audit.target) == (command.by, command.verb, command.target)
    ]
    refused = [detail.removeprefix(_REFUSED) for detail in said if detail.startswith(_REFUSED)]
    return refused[0] if refused and len(refused) == len(said) else ""
