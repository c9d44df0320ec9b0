"""A PostgreSQL database: one session, and transactions that are neither lost nor done twice when it breaks.

The driver is asyncpg, on an event loop of the store's own; what is done within a transaction is the same plain code
as on SQLite, which SQLAlchemy lets wait inside that loop.

A commit whose answer never came may have been carried out or not. Each transaction that writes therefore leaves a
mark of its own, in the same commit. Whoever connects again ends the former session first, takes its lock, and then
reads the mark: it is that of the commit in question, or the one before it, or a stranger's, who took the database over.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from quell.errors import Fenced, InUse, StoreError, Unheard
from quell.store.database import UnknownSchema, Work, migrate, newer, other_schema, unheard, versions
from quell.store.journal import JournalRow, get_meta, set_meta
from quell.store.port import Lease
from quell.store.postgresql_url import Place
from quell.store.private_loop import PrivateLoop
from quell.store.session import STATEMENT_S, Backend, Session, Unusable, begun, sqlstate

T = TypeVar("T")

_MARK = "mark"
_ATTEMPTS = 2
"""A restarted server is noticed at once by its closed connections: the second attempt finds it, or nobody does."""
_WHY = {
    "23505": "another process writes to the same store",
    "25006": "it may not be written",
    "53100": "the server's disk is full",
    "55P03": "another session keeps it locked",
    "57014": f"the server took longer than {STATEMENT_S:g} seconds",
    "57P03": "the server is starting or shutting down",
}
_TAKEN_OVER = (
    "another quell has written to it since this one lost its connection; start this one again, it cannot go on from "
    "what it knows"
)


class _Unheard(Exception):
    """Nobody can say yet whether a transaction was committed."""


class _Doubt(Generic[T]):
    """A commit whose answer did not come: what it was to bring about, and who is to be told."""

    def __init__(self, mark: bytes, work: Work[T], result: T, kept: Callable[[T], None]) -> None:
        self.mark = mark
        self.work = work
        self.result = result
        self.kept = kept
        self.done = False


class _Asked:
    """A database that is asked over one session; ``place`` is the URL without what is secret."""

    _writes = False

    def __init__(self, url: str, place: Place, *, busy_timeout_s: float, otherwise: str) -> None:
        self.place = place.shown
        self._cleared = place.cleared
        self._url = url
        self._patience_s = busy_timeout_s
        self._loop = PrivateLoop("quell-postgresql")
        self._session: Session | None = None
        self._former: Backend | None = None
        try:
            with self._speaking("open the store", otherwise):
                self._loop.run(self._open())
        except BaseException:
            self._loop.run(self._leave())
            self._loop.close()
            raise

    def read(self, what: str, then: str, work: Work[T]) -> T:
        with self._speaking(what, then):
            return self._loop.run(self._read(work))

    def close(self) -> None:
        """Ends the session, and with it the lock."""
        if self._loop.closed:
            return
        with self._speaking("close the store", "what was committed is safe"):
            try:
                self._loop.run(self._leave())
            finally:
                self._loop.close()

    # On the private loop

    async def _open(self) -> None:
        raise NotImplementedError

    async def _read(self, work: Work[T]) -> T:
        for attempt in range(1, _ATTEMPTS + 1):
            session = await self._ready()
            try:
                return await session.connection.run_sync(_within, work)
            except BaseException as error:
                if not _broken(session, error) or attempt == _ATTEMPTS:
                    raise
        raise AssertionError

    async def _ready(self) -> Session:
        """The session, or another one after it."""
        if self._session is not None and not self._session.lost:
            return self._session
        await self._leave()
        return await self._connected()

    async def _connected(self) -> Session:
        session = await begun(
            self._url, patience_s=self._patience_s, writes=self._writes, former=self._former, guard=self._guard()
        )
        self._session, self._former = session, session.backend
        return session

    def _guard(self) -> Callable[[Connection], None] | None:
        return None

    async def _leave(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.leave()

    @contextmanager
    def _speaking(self, what: str, then: str) -> Iterator[None]:
        if self._loop.closed:
            raise StoreError(f"{self.place}: could not {what}: it was closed; {then}")
        try:
            yield
        except _Unheard as error:
            raise Unheard(
                f"{self.place}: could not hear whether it could {what}: {self._cleared(str(error))}; if it did that "
                "counts, once the server answers again, and whoever asked is told to ask again"
            ) from error
        except (SQLAlchemyError, OSError, Unusable, InUse, Fenced) as error:
            reason = self._cleared(_reason(error))
            kind = type(error) if isinstance(error, StoreError) else StoreError
            raise kind(f"{self.place}: could not {what}: {reason}; {then}") from error


class PostgresqlReadOnly(_Asked):
    """Somebody who reads beside a daemon, and holds no lock. Raises StoreError for the schema of another version."""

    def __init__(self, url: str, place: Place, *, busy_timeout_s: float) -> None:
        super().__init__(url, place, busy_timeout_s=busy_timeout_s, otherwise="nothing was read")

    async def _open(self) -> None:
        session = await self._connected()
        found, newest = await session.connection.run_sync(_within, versions)
        if found != newest:
            raise StoreError(other_schema(self.place, found, newest))


class PostgresqlDatabase(_Asked):
    """The database of a daemon, which alone writes to it."""

    _writes = True

    def __init__(self, url: str, place: Place, *, busy_timeout_s: float) -> None:
        self.guard: Callable[[Connection], None] | None = None
        self.outlasted: Lease | None = None
        self._mark: bytes | None = None
        self._own = secrets.token_bytes(8)
        self._count = 0
        self._doubt: _Doubt[Any] | None = None
        super().__init__(url, place, busy_timeout_s=busy_timeout_s, otherwise="the daemon does not start")

    def write(self, what: str, then: str, work: Work[T], *, kept: Callable[[T], None] = unheard) -> T:
        with self._speaking(what, then):
            return self._loop.run(self._write(work, kept))

    def append(self, what: str, then: str, row: JournalRow, lease: bytes | None) -> bool:
        del what, then, row, lease
        return False  # each way to the server and back costs more than what one statement saves here

    def leave_word(self, work: Work[None]) -> None:
        with self._speaking("leave word of what was refused", "nobody else is told"):
            self._loop.run(self._word(work))

    async def _word(self, work: Work[None]) -> None:
        """Over a session of its own: the lock is the other's."""
        session = await begun(self._url, patience_s=self._patience_s, writes=True, locks=False)
        try:
            await session.connection.run_sync(_within, work)
        finally:
            await session.leave()

    def compact(self) -> int:
        """Nothing: the server's own autovacuum makes room."""
        return 0

    async def _open(self) -> None:
        session = await self._connected()
        self.outlasted = session.outlasted
        try:
            await session.connection.run_sync(_migrated)
        except UnknownSchema as error:
            raise StoreError(newer(self.place, error)) from error
        self._mark = await session.connection.run_sync(_within, _mark_of)

    def _guard(self) -> Callable[[Connection], None] | None:
        return self.guard if self._former is not None else None

    async def _write(self, work: Work[T], kept: Callable[[T], None]) -> T:
        try:
            return await self._written(work, kept)
        except (SQLAlchemyError, OSError, Unusable) as error:
            doubt = self._doubt
            if doubt is not None and doubt.work is work:
                raise _Unheard(_reason(error)) from error
            raise

    async def _written(self, work: Work[T], kept: Callable[[T], None]) -> T:
        doubt: _Doubt[T] | None = None
        for attempt in range(1, _ATTEMPTS + 1):
            session = await self._ready()  # settles the doubt of the attempt before
            if doubt is not None and doubt.done:
                return doubt.result
            mark = self._next_mark()
            results: list[T] = []
            try:
                await session.connection.run_sync(
                    _within, partial(_marked, mark=mark, work=work, guard=self.guard, results=results)
                )
            except BaseException as error:
                if not _broken(session, error):
                    raise
                if results:  # all that follows the work is the commit
                    doubt = self._doubt = _Doubt(mark, work, results[0], kept)
                if attempt == _ATTEMPTS:
                    raise
            else:
                self._mark = mark
                kept(results[0])
                return results[0]
        raise AssertionError

    async def _connected(self) -> Session:
        """Another session, with everything known that is in the database."""
        again = self._former is not None
        session = await super()._connected()
        try:
            if again:
                self._settle(await session.connection.run_sync(_within, _mark_of))
        except BaseException:
            await self._leave()
            raise
        return session

    def _settle(self, found: bytes | None) -> None:
        doubt = self._doubt
        if doubt is not None and found == doubt.mark:
            self._mark, doubt.done = found, True
            doubt.kept(doubt.result)
        elif found != self._mark:
            raise Fenced(_TAKEN_OVER)
        self._doubt = None

    def _next_mark(self) -> bytes:
        self._count += 1
        return self._own + self._count.to_bytes(8)


def _broken(session: Session, error: BaseException) -> bool:
    """Whether that error means that the session is of no use any more; it is cut then."""
    if isinstance(error, OSError):
        session.cut()
    return session.lost


def _within(connection: Connection, work: Work[T]) -> T:
    with connection.begin():
        return work(connection)


def _marked(
    connection: Connection, *, mark: bytes, work: Work[T], guard: Callable[[Connection], None] | None, results: list[T]
) -> None:
    if guard is not None:
        guard(connection)
    set_meta(connection, _MARK, mark)
    results.append(work(connection))


def _mark_of(connection: Connection) -> bytes | None:
    return get_meta(connection, _MARK)


def _migrated(connection: Connection) -> None:
    with connection.begin():
        connection.execute(text("SET LOCAL statement_timeout = 0"))  # tables may be large by then
        migrate(connection)


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "the server does not answer"
    if isinstance(error, OSError):
        return f"the server cannot be reached: {error.strerror or error}"
    known = _WHY.get(sqlstate(error))
    if known is not None:
        return known
    cause = error.orig.__cause__ if isinstance(error, DBAPIError) and error.orig is not None else error
    return str(cause or error).partition("\n")[0].rstrip(".")
