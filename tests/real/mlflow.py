"""A real MLflow tracking server with its registry in SQLite, on a free port of loopback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ports import free_port
from real.server import running
from real.venvs import programs

PACKAGES = ("mlflow",)


@contextmanager
def real_mlflow(directory: Path) -> Iterator[str]:
    """Its address, while it runs."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = (programs("mlflow", PACKAGES) / "mlflow", "server", "--host", "127.0.0.1", "--port", str(port),
               "--backend-store-uri", f"sqlite:///{directory}/mlflow.db", "--workers", "1")  # fmt: skip
    quiet = {
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "DO_NOT_TRACK": "true",
        "MLFLOW_WEBHOOK_ALLOWED_SCHEMES": "http", "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS": "true",
        "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY": "cXVlbGwtdGVzdHMtcXVlbGwtdGVzdHMtcXVlbGwtMDE=",
    }  # fmt: skip
    with running(command, directory, f"{url}/health", environment=quiet):
        yield url
