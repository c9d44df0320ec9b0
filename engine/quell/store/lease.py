"""Who may write and act: a lease in the store itself, with a number that only grows.

Whoever takes a store over takes the next number; from then on nothing is kept in the name of a smaller one, however
alive its owner believes to be. A lease needs no clock that two machines share: its owner counts ``beat`` up, and who
waits for it to end looks whether it still does.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path

import msgspec
from sqlalchemy import Connection, delete, func, insert, select

from quell.errors import Fenced, InUse
from quell.model.decision import Audit
from quell.store.codec import decode, encode
from quell.store.journal import get_meta, set_meta
from quell.store.port import Holder, Lease
from quell.store.tables import LEDGER, REFUSED

LEASE = "lease"
"""The name of the fact that holds it."""
LEASE_S = 10.0
"""An owner that could not renew its lease for so long acts no more; who has watched it for so long may take it."""
_HELD = f"SELECT value FROM meta WHERE name = '{LEASE}'"  # noqa: S608 - a constant
_MOST_REFUSED = 1_000


class Refusal(msgspec.Struct, frozen=True):
    """What an owner of an older number wanted to do when it was refused. ``at`` is its own clock's time."""

    at: float
    number: int
    holder: str
    what: str


def this_process() -> Holder:
    """Who asks."""
    name = f"quell {socket.gethostname()[:32]} process {os.getpid()}"
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        space = os.stat("/proc/self/ns/pid").st_ino  # noqa: PTH116 - a path that need not resolve
        began = _began(os.getpid())
    except OSError:
        return Holder(name)
    return Holder(name, f"{boot}/{space}", os.getpid(), began or "")


def ended(holder: Holder | None) -> bool:
    """Whether that process is known to have ended: only of this machine since it was started can that be known."""
    if holder is None:
        return True
    mine = this_process()
    if not mine.machine or holder.machine != mine.machine:
        return False
    return holder == mine or _began(holder.pid) != holder.began


def _began(pid: int) -> str | None:
    """When a living process began, in ticks since the machine did; None when there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in {"Z", "X"} else fields[19]


# Rows


def read(connection: Connection) -> Lease | None:
    """The lease as it stands; None when none was ever taken."""
    found = get_meta(connection, LEASE)
    return None if found is None else decode(found, Lease)


def take(connection: Connection, seen: Lease | None, holder: Holder) -> Lease:
    """The next number, for ``holder``. Raises InUse when the lease is not as it was ``seen``: somebody renewed it."""
    found = read(connection)
    if found != seen:
        raise InUse(f'another quell uses it ("{_named(found)}"): end that one, or give this one a store of its own')
    # A backup that was put back may bring acts with it that were begun under a greater number than is known here.
    begun = connection.scalar(select(func.max(LEDGER.c.lease))) or 0
    lease = Lease(max(begun, 0 if found is None else found.number) + 1, 0, holder)
    set_meta(connection, LEASE, encode(lease))
    return lease


def renew(connection: Connection, lease: Lease, beat: int) -> None:
    """Shows that the owner lives. Raises Fenced."""
    check(connection, lease)
    set_meta(connection, LEASE, encode(beaten(lease, beat)))


def beaten(lease: Lease, beat: int) -> Lease:
    """The lease with so many signs of life."""
    return msgspec.structs.replace(lease, beat=beat)


def give_up(connection: Connection, lease: Lease) -> None:
    """Lets the next owner begin at once. Raises Fenced."""
    check(connection, lease)
    set_meta(connection, LEASE, encode(Lease(lease.number)))


def check(connection: Connection, lease: Lease) -> None:
    """Raises Fenced when another owner has taken the store over."""
    value = connection.exec_driver_sql(_HELD).scalar()  # asked in every commit: built anew it would cost the double
    found = None if value is None else decode(bytes(value), Lease)
    if found is None or found.number != lease.number:
        number = "no" if found is None else found.number
        raise Fenced(
            f'another quell ("{_named(found)}", lease {number}) has taken the store over from this one (lease '
            f"{lease.number}), which does nothing more; what it had begun is the other's now"
        )


def _named(lease: Lease | None) -> str:
    return "unknown" if lease is None or lease.holder is None else lease.holder.name


# What was refused


def note(connection: Connection, refusal: Refusal) -> None:
    """Leaves word for the present owner, who puts it into the audit trail; writing there is for it alone."""
    connection.execute(insert(REFUSED), msgspec.structs.asdict(refusal))


def noted(connection: Connection) -> list[Audit]:
    """What was refused to former owners since it was asked last, as entries for the audit trail."""
    rows = connection.execute(select(REFUSED).order_by(REFUSED.c.n).limit(_MOST_REFUSED)).all()
    if rows:
        connection.execute(delete(REFUSED).where(REFUSED.c.n <= rows[-1].n))
    return [
        Audit(at=row.at, who=row.holder, what="refused", target=f"lease {row.number}", detail=f"could not {row.what}")
        for row in rows
    ]
