"""Airflow's JSON, of both APIs, to typed DAGs and runs; keys of steps to ids of runs."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

import msgspec

from quell.sdk.payload import decode

_NO_RUN_ID = re.compile(r"[^A-Za-z0-9_.~:+-]")
"""What Airflow does not take in the id of a run (its setting allowed_run_id_pattern)."""
_LONGEST_KEY = 180
_ENDED = frozenset({"success", "failed"})


class _Tag(msgspec.Struct, frozen=True):
    name: str


class Dag(msgspec.Struct, frozen=True, kw_only=True):
    """A DAG. Airflow 2 may say null of one that has never been parsed: that counts as not paused."""

    dag_id: str
    is_paused: bool | None
    timetable_summary: str | None = None
    timetable_description: str | None = None
    owners: Sequence[str] = ()
    tags: Sequence[_Tag] = ()

    @property
    def paused(self) -> bool:
        """Whether nothing of it is scheduled."""
        return bool(self.is_paused)

    @property
    def schedule(self) -> str:
        """When it runs, as Airflow tells it."""
        return self.timetable_summary or self.timetable_description or ""


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A run of a DAG."""

    dag_run_id: str
    state: str

    @property
    def ended(self) -> bool:
        """Whether it runs no more."""
        return self.state in _ENDED


class _Runs(msgspec.Struct, frozen=True):
    dag_runs: Sequence[Run]


class _Token(msgspec.Struct, frozen=True):
    access_token: str


class _Version(msgspec.Struct, frozen=True):
    version: str = ""


def dag_of(body: bytes) -> Dag:
    """Raises `BadPayload`."""
    return decode(body, Dag)


def run_of(body: bytes) -> Run:
    """Raises `BadPayload`."""
    return decode(body, Run)


def runs_of(body: bytes) -> list[Run]:
    """Raises `BadPayload`."""
    return list(decode(body, _Runs).dag_runs)


def token_of(body: bytes) -> str:
    """Raises `BadPayload`, without what was answered: it may be a token."""
    return decode(body, _Token).access_token


def version_of(body: bytes) -> str:
    """Airflow's own version. Raises `BadPayload`."""
    return decode(body, _Version).version


def run_id_of(key: str) -> str:
    """The id of the run that the step of that key triggers: readable, and no other key's."""
    digest = hashlib.sha256(key.encode()).hexdigest()[:8]
    return f"quell.{_NO_RUN_ID.sub('.', key)[:_LONGEST_KEY]}.{digest}"
