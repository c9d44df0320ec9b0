"""One session with a PostgreSQL server: what is asked of the server, and the lock that keeps other daemons out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import asyncpg
from sqlalchemy import Connection, NullPool, inspect, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from quell.errors import InUse
from quell.store import lease
from quell.store.port import Lease
from quell.store.tables import META

T = TypeVar("T")

OLDEST = 130000
"""The oldest server that is taken: older ones are no longer looked after by anybody."""
STATEMENT_S = 20.0
"""No statement takes longer: a snapshot of 50 MB over a slow network takes five."""
_CONNECT_S = 5.0
_SILENT_S = STATEMENT_S + 5.0
"""A server that says nothing for so long is gone, whatever the network believes."""
_IDLE_IN_TRANSACTION_S = 60.0
_LOCK = 0x7175656C6C  # "quell": one daemon to a database

_SERVER = text(
    "SELECT current_setting('server_version_num')::int AS version, current_setting('server_version') AS named, "
    "current_setting('server_encoding') AS encoding, pg_is_in_recovery() AS standby, "
    "pg_backend_pid() AS pid, "
    "(SELECT extract(epoch FROM backend_start)::text FROM pg_stat_activity WHERE pid = pg_backend_pid()) AS began"
)
_DURABLE = text(
    "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
)
_END = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE pid = :pid AND extract(epoch FROM backend_start)::text = :began"
)
_LOOK_S = 0.5
"""Between two looks whether the holder of the lock renews its lease."""
_OUST = text(
    "SELECT pg_terminate_backend(pid) FROM pg_locks "
    "WHERE locktype = 'advisory' AND granted AND objsubid = 1 "
    "AND (classid::bigint << 32) + objid::bigint = :key "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)
_TAKE = text("SELECT pg_advisory_lock(:key)")
_HOLDER = text(
    "SELECT a.application_name AS name, host(a.client_addr) AS address "
    "FROM pg_locks l JOIN pg_stat_activity a USING (pid) "
    "WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 "
    "AND (l.classid::bigint << 32) + l.objid::bigint = :key "
    "AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


class Unusable(Exception):
    """A server that answers and is no place for a store, for the reason given."""


class Backend(NamedTuple):
    """The server's side of a session: its process, and when that began, since numbers come again."""

    pid: int
    began: str


class Session:
    """A connection, and what stands at its other end."""

    def __init__(self, engine: AsyncEngine, connection: AsyncConnection, driver: Any) -> None:
        self.connection = connection
        self.backend: Backend | None = None
        self.outlasted: Lease | None = None
        """The lease of whoever held the lock, and was found not to renew it any more."""
        self._engine = engine
        self._driver = driver

    @property
    def lost(self) -> bool:
        """Whether nothing can be asked over it any more."""
        return bool(self._driver.is_closed())

    def cut(self) -> None:
        """Ends it without a word: the other side is gone, or does not answer. To be left afterwards, too."""
        self._driver.terminate()

    async def leave(self) -> None:
        """Closes what is left of it, in order if it is not lost."""
        if self.lost:
            await self.connection.invalidate()
        await self.connection.close()
        await self._engine.dispose()


async def begun(
    url: str,
    *,
    patience_s: float,
    writes: bool,
    locks: bool = True,
    former: Backend | None = None,
    guard: Callable[[Connection], None] | None = None,
) -> Session:
    """A session; one that ``writes`` holds the lock, unless it is not to (``locks``).

    ``patience_s`` is waited for a lock. ``former`` is this daemon's session before: where the server did not notice
    its end it is ended, for it would hold the lock. ``guard`` raises when another owns the database meanwhile. Raises
    `Unusable`, `InUse`, or what the driver raises.
    """
    made: list[Any] = []

    async def connect() -> Any:
        try:
            made.append(await asyncpg.connect(url, **_settings(patience_s, writes=writes)))
        except ValueError as error:  # its text may hold what stands at a wrong place of the URL: a password
            raise Unusable("the URL is not understood") from error
        return made[-1]

    engine = create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=NullPool)
    connection = await engine.connect()
    session = Session(engine, connection, made[-1])
    try:
        session.backend = await connection.run_sync(_settled, writes, former)
        if guard is not None:
            await connection.run_sync(_within, guard)
        if writes and locks:
            session.outlasted = await _taken(connection)
    except BaseException:
        session.cut()
        await session.leave()
        raise
    return session


def _settings(patience_s: float, *, writes: bool) -> dict[str, Any]:
    return {
        "timeout": _CONNECT_S,
        "command_timeout": _SILENT_S,
        "server_settings": {
            "application_name": lease.this_process().name,
            "statement_timeout": _ms(STATEMENT_S),
            "default_transaction_read_only": "off" if writes else "on",
            "lock_timeout": _ms(patience_s),
            "idle_in_transaction_session_timeout": _ms(_IDLE_IN_TRANSACTION_S),
            # A machine that vanished holds its lock no longer than this.
            "tcp_keepalives_idle": "10",
            "tcp_keepalives_interval": "5",
            "tcp_keepalives_count": "3",
        },
    }


def _ms(seconds: float) -> str:
    return str(max(1, round(seconds * 1000)))


def _settled(connection: Connection, writes: bool, former: Backend | None) -> Backend:
    with connection.begin():
        server = connection.execute(_SERVER).one()
        if server.version < OLDEST:
            raise Unusable(f"the server is PostgreSQL {server.named}, and quell needs {OLDEST // 10000} or newer")
        if server.encoding != "UTF8":
            raise Unusable(f'the database is encoded in "{server.encoding}", and quell needs UTF8')
        if server.standby and writes:
            raise Unusable("the server is a standby that only reads; name the primary")
        connection.execute(_DURABLE)
        if former is not None:
            connection.execute(_END, former._asdict())
        return Backend(server.pid, server.began)


async def _taken(connection: AsyncConnection) -> Lease | None:
    """Takes the lock, which goes with the session, however that ends.

    A session may outlive its owner's strength: of a process that was stopped, of a machine that vanished. Whoever holds
    the lock and does not renew its lease for as long as it lasts is ended; its lease is returned.
    """
    since = time.monotonic()
    seen = await connection.run_sync(_within, _lease)
    try:
        await _lock(connection)
    except DBAPIError as error:
        if sqlstate(error) != "55P03":
            raise
    else:
        return None
    async with connection.begin():
        holder = (await connection.execute(_HOLDER, {"key": _LOCK})).first()
    name = "unknown" if holder is None else (holder.name or "unknown")
    if not await _outlasted(connection, seen, name, since):
        at = f", from {holder.address}" if holder is not None and holder.address else ""
        raise InUse(f'another quell uses it ("{name}"{at}): end that one, or give this one a database of its own')
    async with connection.begin():
        await connection.execute(_OUST, {"key": _LOCK})
    await _lock(connection)
    return seen


async def _lock(connection: AsyncConnection) -> None:
    async with connection.begin():
        await connection.execute(_TAKE, {"key": _LOCK})


async def _outlasted(connection: AsyncConnection, seen: Lease | None, name: str, since: float) -> bool:
    """Whether the lock's holder owns the lease that was ``seen`` then, and has not renewed it for all its time."""
    if seen is None or seen.holder is None or seen.holder.name != name:
        return False
    while await connection.run_sync(_within, _lease) == seen:
        left_s = since + lease.LEASE_S - time.monotonic()
        if left_s <= 0:
            return True
        await asyncio.sleep(min(left_s, _LOOK_S))
    return False


def _lease(connection: Connection) -> Lease | None:
    """Before the schema is brought up to date there may be no table to read it from."""
    return lease.read(connection) if inspect(connection).has_table(META.name) else None


def _within(connection: Connection, work: Callable[[Connection], T]) -> T:
    with connection.begin():
        return work(connection)


def sqlstate(error: BaseException) -> str:
    """The five characters by which PostgreSQL names what went wrong; empty when it was not the server that spoke."""
    orig = getattr(error, "orig", error)
    return str(getattr(orig, "sqlstate", None) or "")
