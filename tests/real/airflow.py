"""Real Airflows, 2 and 3, on SQLite and a free port of loopback: the web server alone, without a scheduler."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from ports import free_port
from real.server import running, surroundings
from real.venvs import programs

USER, PASSWORD = "quell", "pw-airflow"
TOKENS_LAST_S = 3

_DAGS = """
import datetime
from airflow.models.dag import DAG
for name in {names}:
    with DAG(name, schedule="@daily", start_date=datetime.datetime(2026, 1, 1), catchup=False, tags=["ml"]) as dag:
        EmptyOperator(task_id="train")
    globals()[name] = dag
"""
_LINEAGE = """
import datetime
from airflow.models.dag import DAG
payments = Written("s3://lake/payments")
with DAG("etl", schedule=None, start_date=datetime.datetime(2026, 1, 1), default_args={"owner": "data"}):
    EmptyOperator(task_id="load", outlets=[payments])
with DAG("features", schedule=[payments], start_date=datetime.datetime(2026, 1, 1)):
    EmptyOperator(task_id="make")
"""
_COMMON: Mapping[str, str] = {
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
    "AIRFLOW__DATABASE__LOAD_DEFAULT_CONNECTIONS": "False",
    "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
}


@contextmanager
def real_airflow3(directory: Path, dags: Sequence[str]) -> Iterator[str]:
    """Its address, while it runs. Tokens last `TOKENS_LAST_S` seconds."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    (directory / "passwords.json").write_text(json.dumps({USER: PASSWORD}))
    operator = "from airflow.providers.standard.operators.empty import EmptyOperator"
    _write(directory, dags, operator, "from airflow.sdk import Asset as Written")
    environment = {
        **_COMMON,
        "AIRFLOW_HOME": str(directory),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(directory / "passwords.json"),
        "AIRFLOW__API_AUTH__JWT_SECRET": "0123456789abcdef" * 4,
        "AIRFLOW__API_AUTH__JWT_EXPIRATION_TIME": str(TOKENS_LAST_S),
        "AIRFLOW__API_AUTH__JWT_LEEWAY": "0",
    }
    airflow = programs("airflow3", ("apache-airflow",)) / "airflow"
    _run(airflow, directory, environment, ("db", "migrate"), ("dags", "reserialize"))
    command = (airflow, "api-server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1")
    with running(command, directory, f"{url}/api/v2/version", environment=environment):
        yield url


@contextmanager
def real_airflow2(directory: Path, dags: Sequence[str]) -> Iterator[str]:
    """Its address, while it runs."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    operator = "from airflow.operators.empty import EmptyOperator"
    _write(directory, dags, operator, "from airflow.datasets import Dataset as Written")
    environment = {
        **_COMMON,
        "AIRFLOW_HOME": str(directory),
        "AIRFLOW__API__AUTH_BACKENDS": "airflow.api.auth.backend.basic_auth",
        "AIRFLOW__WEBSERVER__SECRET_KEY": "0123456789abcdef",
    }
    airflow = programs("airflow2", ("apache-airflow", "apache-airflow-providers-fab")) / "airflow"
    person = ("-u", USER, "-p", PASSWORD, "-r", "Admin", "-e", "quell@example.org", "-f", "q", "-l", "l")
    _run(airflow, directory, environment, ("db", "migrate"), ("users", "create", *person), ("dags", "reserialize"))
    command = (airflow, "webserver", "-H", "127.0.0.1", "-p", str(port), "-w", "1")
    with running(command, directory, f"{url}/api/v1/version", environment=environment):
        yield url


def _write(directory: Path, names: Sequence[str], imported: str, written: str) -> None:
    (directory / "dags").mkdir()
    (directory / "dags" / "lineage.py").write_text(f"{imported}\n{written}{_LINEAGE}")
    (directory / "dags" / "training.py").write_text(imported + _DAGS.format(names=list(names)))


def _run(airflow: Path, directory: Path, environment: Mapping[str, str], *commands: Sequence[str]) -> None:
    for command in commands:
        made = subprocess.run(
            [str(airflow), *command],
            cwd=directory,
            env={**surroundings(directory), **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert made.returncode == 0, f"airflow {' '.join(command)}: {made.stdout[-1500:]}{made.stderr[-1500:]}"
