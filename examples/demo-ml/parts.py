"""What the demo starts: MLflow, a scheduler, a ticket desk, quell and the endpoint, each on a free port of loopback."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from quell.cli.client import Client
from quell.cli.demo.child import Child, daemon, free_port, tickets
from quell.cli.exits import Failed
from quell.cli.starting import new_token

HERE = Path(__file__).parent
BUILD = HERE.parents[1] / "build" / "real"
_INSTALL_WITHIN_S = 900
_READY_WITHIN_S = 180.0
_QUIET = {
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "DO_NOT_TRACK": "true", "NO_PROXY": "*", "no_proxy": "*",
    "GIT_PYTHON_REFRESH": "quiet", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "PYTHONWARNINGS": "ignore",
}  # fmt: skip
_TOKENS = """\
tokens:
  - {{id: demo, sha256: {digest}, scopes: [ingest, read, act, approve, admin], roles: [ml], by: mia}}
"""


@dataclass(frozen=True)
class Parts:
    """What runs, and how to speak with it."""

    mlflow: Child
    scheduler: Child
    desk: Child
    daemon: Child
    endpoint: Child
    client: Client
    trained: str


def python_with_mlflow() -> Path:
    """A Python of its own with what requirements.txt names, installed once. Raises `Failed`."""
    wanted = HERE / "requirements.txt"
    mark = hashlib.sha256(f"{sys.version}\n{wanted.read_text()}".encode()).hexdigest()[:12]
    home = Path(os.environ.get("QUELL_REAL") or BUILD) / f"demo-ml-{mark}"
    home.parent.mkdir(parents=True, exist_ok=True)
    with (home.parent / "demo-ml.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / "complete").exists():
            print(f"installing MLflow, scikit-learn and OpenTelemetry into {home} (once; a minute or two)", flush=True)
            shutil.rmtree(home, ignore_errors=True)
            _run([sys.executable, "-m", "venv", str(home)])
            pip = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            _run([*pip, "-r", str(wanted)])
            (home / "complete").touch()
    return home / "bin" / "python"


def _run(command: list[str]) -> None:
    try:
        made = subprocess.run(command, check=False, timeout=_INSTALL_WITHIN_S, capture_output=True, text=True)
    except subprocess.TimeoutExpired:
        raise Failed(f"{' '.join(command)} took longer than {_INSTALL_WITHIN_S} s") from None
    if made.returncode:
        raise Failed(f"{' '.join(command)} failed:\n{made.stderr[-1500:]}")


def started(stack: ExitStack, place: Path, python: Path) -> Parts:
    """Starts everything, what is slow side by side; the stack ends it. Raises `Failed`."""
    ports = [free_port() for _ in range(5)]
    urls = [f"http://127.0.0.1:{port}" for port in ports]
    words = [
        str(python.with_name("mlflow")), "server", "--host", "127.0.0.1", "--port", str(ports[0]), "--workers", "1",
        "--backend-store-uri", f"sqlite:///{place}/mlflow.db", "--default-artifact-root", str(place / "artifacts"),
    ]  # fmt: skip
    mlflow = Child("MLflow server", words, urls[0], "/health", place / "mlflow.log", (), _QUIET, _READY_WITHIN_S)
    own = (sys.executable,)
    scheduler = Child(
        "scheduler",
        [str(HERE / "scheduler.py"), str(ports[1])],
        urls[1],
        "/api/v2/version",
        place / "scheduler.log",
        own,
    )
    desk = tickets(place, ports[2])
    estate = _estate(place, dict(zip((5000, 8080, 8081, 8082), (*ports[:3], ports[4]), strict=True)))
    token, digest = new_token("demo")
    (estate / "tokens.yaml").write_text(_TOKENS.format(digest=digest))
    quell = daemon(estate, ports[3])
    endpoint = Child(
        "endpoint", [str(HERE / "endpoint.py"), str(ports[4]), urls[0], urls[3]], urls[4], "/version",
        place / "endpoint.log", (str(python),), _QUIET, _READY_WITHIN_S,
    )  # fmt: skip
    children = mlflow, scheduler, desk, quell, endpoint
    for child in children:
        stack.callback(child.stop)
    for child in (mlflow, scheduler, desk, endpoint):  # the endpoint waits until there is a model to serve
        child.begin()
    trained = _trained(python, urls[0], place)
    quell.begin()  # now, so that it does not take the first versions for a change
    for child in children:
        child.ready_now()
    return Parts(mlflow, scheduler, desk, quell, endpoint, Client(urls[3], token), trained)


def _trained(python: Path, mlflow_url: str, place: Path) -> str:
    """Trains and registers the model; returns what that said."""
    trainer = Child(
        "training", [str(HERE / "train.py"), mlflow_url], "", "", place / "train.log", (str(python),), _QUIET
    )
    try:
        return trainer.begin().ended(_READY_WITHIN_S)
    finally:
        trainer.stop()


def _estate(place: Path, ports: Mapping[int, int]) -> Path:
    """Copies estate/, with free ports in the place of those written there, and a token; returns the copy."""
    folder = place / "estate"
    shutil.copytree(HERE / "estate", folder)
    config = folder / "quell.yaml"
    text = config.read_text(encoding="utf-8")
    for usual, free in ports.items():
        text = text.replace(f"http://127.0.0.1:{usual}", f"http://127.0.0.1:{free}")
    config.write_text(text, encoding="utf-8")
    (folder / "airflow-password").chmod(0o600)
    return folder
