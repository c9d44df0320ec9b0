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
    description: str | None = None

    @property
    def paused(self) -> bool:
        """Whether nothing of it is scheduled."""
        return bool(self.is_paused)

    @property
    def schedule(self) -> str:
        """When it runs, as Airflow tells it."""
        return self.timetable_summary or self.timetable_description or ""


class CodeVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a DAG's code, as Airflow 3 numbers them; the bundle's is that of its git repository."""

    version_number: int
    bundle_version: str | None = None
    bundle_url: str | None = None
    created_at: str | None = None


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A run of a DAG."""

    dag_run_id: str
    state: str
    dag_id: str = ""
    start_date: str | None = None
    end_date: str | None = None
    run_type: str | None = None
    triggering_user_name: str | None = None
    dag_versions: Sequence[CodeVersion] | None = None

    @property
    def ended(self) -> bool:
        """Whether it runs no more."""
        return self.state in _ENDED


class _Dags(msgspec.Struct, frozen=True):
    dags: Sequence[Dag]
    total_entries: int = 0


class _Reference(msgspec.Struct, frozen=True):
    dag_id: str | None = None


class Asset(msgspec.Struct, frozen=True, kw_only=True):
    """An asset of Airflow 3, a dataset of Airflow 2: who writes it, who reads it or begins when it was written."""

    uri: str
    name: str = ""
    producing_tasks: Sequence[_Reference] | None = None
    consuming_tasks: Sequence[_Reference] | None = None
    scheduled_dags: Sequence[_Reference] | None = None
    consuming_dags: Sequence[_Reference] | None = None

    @property
    def written_by(self) -> list[str]:
        """The DAGs that write it."""
        return sorted({one.dag_id for one in self.producing_tasks or () if one.dag_id})

    @property
    def read_by(self) -> list[str]:
        """The DAGs that read it."""
        every = (*(self.consuming_tasks or ()), *(self.scheduled_dags or ()), *(self.consuming_dags or ()))
        return sorted({one.dag_id for one in every if one.dag_id})


class _Assets(msgspec.Struct, frozen=True):
    assets: Sequence[Asset] = ()
    datasets: Sequence[Asset] = ()


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


def dags_of(body: bytes) -> list[Dag]:
    """Raises `BadPayload`."""
    return list(decode(body, _Dags).dags)


def assets_of(body: bytes) -> list[Asset]:
    """Of either API. Raises `BadPayload`."""
    answer = decode(body, _Assets)
    return [*answer.assets, *answer.datasets]


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
