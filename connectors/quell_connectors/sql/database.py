"""One look into a database: a connection, a read-only transaction per query, a time limit that the database keeps.

Drivers that wait are used in a thread of their own; one that does not wait (asyncpg) gets an event loop there.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from quell.errors import Refused, Unreachable

_ASYNC = frozenset({"asyncpg", "psycopg_async", "aiosqlite", "asyncmy", "aiomysql"})
_STEPS = 1000
"""Instructions of SQLite between two looks at the clock."""
_LIMITS: Mapping[str, tuple[str, ...]] = {
    "postgresql": ("SET TRANSACTION READ ONLY", "SET LOCAL statement_timeout = {ms}"),
    "mysql": ("SET SESSION TRANSACTION READ ONLY", "SET SESSION max_execution_time = {ms}"),
    "mariadb": ("SET SESSION TRANSACTION READ ONLY", "SET SESSION max_statement_time = {s}"),
}
"""What makes a transaction read only and ends a long statement, by dialect; SQLite is opened so."""


@dataclass(frozen=True, slots=True)
class Question:
    """A statement with its values, and how many rows of its answer are wanted at most."""

    sql: str
    params: Mapping[str, Any]
    most: int


@dataclass(frozen=True, slots=True)
class Table:
    """Columns and rows; ``wrong`` says why there are none. ``more``: there were more rows than were wanted."""

    columns: Sequence[str] = ()
    rows: Sequence[Sequence[Any]] = ()
    more: bool = False
    wrong: str = ""


class Database:
    """Answers questions. ``who`` is named in errors, which never show the URL."""

    def __init__(self, url: str, who: str, timeout_s: float) -> None:
        self._who = who
        self._timeout_s = timeout_s
        try:
            self._url = _with_driver(make_url(url))
        except (ArgumentError, ValueError):  # its message holds the URL
            raise Refused(f"{who}: the URL is none of a database; write postgresql://…, sqlite:////path") from None
        self.dialect = self._url.get_backend_name()

    def answers(self, questions: Sequence[Question]) -> list[Table]:
        """A table for each. Raises `Unreachable` or `Refused` when nothing could be asked."""
        try:
            if self._url.get_driver_name() in _ASYNC:
                return asyncio.run(self._awaited(questions))
            return self._waited(questions)
        except (NoSuchModuleError, ModuleNotFoundError) as error:
            name = self._url.drivername
            raise Refused(f'{self._who}: the driver of "{name}" is not installed ({error})') from error
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            raise Unreachable(f"{self._who} cannot be connected to: {self._shown(error)}") from error

    def _waited(self, questions: Sequence[Question]) -> list[Table]:
        url, arguments = self._url, self._arguments()
        if self.dialect == "sqlite":
            url = url.set(database=f"file:{url.database}", query={**url.query, "mode": "ro", "uri": "true"})
        engine = create_engine(url, poolclass=NullPool, connect_args=arguments)
        try:
            with engine.connect() as connection:
                return [self._table(connection, question) for question in questions]
        finally:
            engine.dispose()

    async def _awaited(self, questions: Sequence[Question]) -> list[Table]:
        engine = create_async_engine(self._url, poolclass=NullPool, connect_args=self._arguments())
        connection = engine.connect()
        try:
            async with asyncio.timeout(self._timeout_s):
                await connection.start()
            return [await connection.run_sync(self._table, question) for question in questions]
        finally:
            await connection.close()
            await engine.dispose()

    def _arguments(self) -> dict[str, Any]:
        match self._url.get_driver_name():
            case "asyncpg":
                return {"timeout": self._timeout_s, "command_timeout": self._timeout_s + 5.0}
            case "pysqlite":
                return {"timeout": min(self._timeout_s, 5.0), "check_same_thread": False}
            case "psycopg" | "psycopg2" | "pymysql" | "mysqldb":
                return {"connect_timeout": max(1, int(self._timeout_s))}
        return {}

    def _table(self, connection: Connection, question: Question) -> Table:
        """Raises only what says that the connection itself is gone."""
        begun = time.monotonic()
        try:
            if self.dialect == "sqlite":
                self._limit(connection.connection.driver_connection)
            for statement in _LIMITS.get(self.dialect, ()):
                connection.execute(text(statement.format(ms=int(self._timeout_s * 1000), s=self._timeout_s)))
            result = connection.execute(text(question.sql), dict(question.params))
            rows = result.fetchmany(question.most + 1)
            columns = list(result.keys())
            result.close()
            return Table(columns, rows[: question.most], more=len(rows) > question.most)
        except DBAPIError as error:
            if error.connection_invalidated:
                raise
            slow = time.monotonic() - begun >= self._timeout_s * 0.95
            said = f"it took longer than {self._timeout_s:g} s and was stopped" if slow else self._shown(error)
            if "offset-naive" in said:
                said += "; the column has no zone: write time_as: naive"
            return Table(wrong=said)
        except SQLAlchemyError as error:
            return Table(wrong=self._shown(error))
        finally:
            connection.rollback()

    def _limit(self, raw: Any) -> None:
        """SQLite: nothing is written, and the statement ends when its time is over."""
        end = time.monotonic() + self._timeout_s
        raw.execute("PRAGMA query_only = ON")
        raw.set_progress_handler(lambda: int(time.monotonic() > end), _STEPS)

    def _shown(self, error: BaseException) -> str:
        """What the database said, in a line, without the password."""
        said = str(getattr(error, "orig", None) or error).strip().partition("\n")[0][:300]
        said = said.rpartition(">: ")[2] or said
        password = self._url.password
        return said.replace(str(password), "***") if password else said


def _with_driver(url: URL) -> URL:
    """PostgreSQL is asked through asyncpg, which quell has, unless the URL names another driver."""
    if url.drivername in {"postgresql", "postgres"}:
        return url.set(drivername="postgresql+asyncpg")
    return url.set(drivername="sqlite+pysqlite") if url.drivername == "sqlite" else url
