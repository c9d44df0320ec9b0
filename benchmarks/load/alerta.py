"""Alerta, where it is installed: its server on a PostgreSQL of its own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from load.postgres import database
from load.process import free_port, started
from load.servers import NotThere, Server, wait_until_ready

_SETTINGS = """\
AUTH_REQUIRED = False
SECRET_KEY = "only for this run"
DEFAULT_ENVIRONMENT = "Production"
ALLOWED_ENVIRONMENTS = ["Production"]
PLUGINS = ["reject", "blackout"]
HOUSEKEEPING_INTERVAL = 3600
"""


@contextmanager
def alerta() -> Iterator[Server]:
    """Alerta's server under gunicorn if that is there, else its own. Raises NotThere."""
    program, own = shutil.which("gunicorn"), shutil.which("alertad")
    if own is None:
        raise NotThere("not installed (pip install alerta-server)")
    with TemporaryDirectory(prefix="quell-load-") as folder, database() as (url, pid):
        place, port = Path(folder), free_port()
        (place / "alertad.conf").write_text(_SETTINGS)
        command = [own, "run", f"--port={port}", "--with-threads"]
        if program:
            command = [program, "--workers=2", f"--bind=127.0.0.1:{port}", "alerta:create_app()"]
        env = {"ALERTA_SVR_CONF_FILE": str(place / "alertad.conf"), "DATABASE_URL": url}
        with started(command, place, place / "log", **env) as process:
            server = Server("Alerta", process, port, path="/webhooks/prometheus", wrap=True, also=(pid,))
            wait_until_ready(server, "/management/gtg", place / "log")
            yield server
