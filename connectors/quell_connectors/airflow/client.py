"""The calls to Airflow, of whichever API it speaks, each checked and typed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeVar, cast
from urllib.parse import quote

from quell.errors import BadPayload
from quell.sdk.http import Answer, Http, checked, path_part
from quell.sdk.json_api import basic
from quell.sdk.secret import Secret
from quell_connectors.airflow.translate import (
    Asset,
    Dag,
    Run,
    assets_of,
    dag_of,
    dags_of,
    run_of,
    runs_of,
    token_of,
    version_of,
)

Api = Literal["v1", "v2"]

T = TypeVar("T")
_PAGE, _PAGES = 100, 50
UNDER_WAY = "state=running&state=queued&limit=100"
_DENIED = (401, 403)
"""What Airflow 3 answers to a token that has expired: 403 as well as 401."""


class Client:
    """Raises `Unreachable`, `NoAnswer`, `Refused`, or `BadPayload` for an answer that cannot be read."""

    def __init__(self, options: Mapping[str, Any], http: Http) -> None:
        self._http = http
        self._url = str(options["url"]).rstrip("/")
        self._user = str(options.get("user") or "")
        self._password: Secret | None = options.get("password")
        self._basic = basic(self._user, self._password) if self._user and self._password else None
        self._token: Secret | None = options.get("token")
        api = str(options.get("api") or "auto")
        self._api: Api | None = None if api == "auto" else cast("Api", api)
        self._timeout_s = float(options.get("timeout") or 10.0)
        self._jwt: Secret | None = None

    async def dag(self, dag: str) -> Dag:
        """A DAG."""
        return dag_of((await self._call("GET", _dag(dag))).body)

    async def set_paused(self, dag: str, paused: bool) -> Dag:
        """Pauses or unpauses; Airflow refuses a body with anything else in it."""
        answer = await self._call("PATCH", f"{_dag(dag)}?update_mask=is_paused", {"is_paused": paused})
        return dag_of(answer.body)

    async def under_way(self, dag: str) -> list[Run]:
        """Runs that are running or queued, a hundred at most."""
        found = runs_of((await self._call("GET", f"{_dag(dag)}/dagRuns?{UNDER_WAY}")).body)
        return [run for run in found if not run.ended]

    async def dags(self) -> list[Dag]:
        """All DAGs that are there now."""
        return await self._pages("dags?order_by=dag_id", dags_of)

    async def assets(self) -> list[Asset]:
        """All assets (Airflow 3) or datasets (Airflow 2)."""
        return await self._pages("assets?" if await self._spoken() == "v2" else "datasets?", assets_of)

    async def ended_since(self, when: str) -> list[Run]:
        """Runs of all DAGs that ended then or later, the earliest first."""
        return await self._pages(f"dags/~/dagRuns?end_date_gte={quote(when)}&order_by=end_date", runs_of)

    async def _pages(self, path: str, read: Callable[[bytes], list[T]]) -> list[T]:
        """All of a list, a hundred at a time."""
        found: list[T] = []
        for page in range(_PAGES):
            asked = f"{path}{'' if path.endswith('?') else '&'}limit={_PAGE}&offset={page * _PAGE}"
            some = read((await self._call("GET", asked)).body)
            found += some
            if len(some) < _PAGE:
                break
        return found

    async def run(self, dag: str, run_id: str) -> Run | None:
        """A run, or None."""
        answer = await self._answered("GET", _run(dag, run_id))
        return None if answer.status == 404 else run_of(self._checked(answer, "GET", _run(dag, run_id)).body)

    async def trigger(self, dag: str, run_id: str, conf: Mapping[str, Any], note: str) -> Run | None:
        """Starts a run; None when there is one of that id."""
        body: dict[str, Any] = {"dag_run_id": run_id, "conf": dict(conf)}
        if note:
            body["note"] = note
        if await self._spoken() == "v2":
            body["logical_date"] = None  # required there, and null lets Airflow choose
        answer = await self._answered("POST", f"{_dag(dag)}/dagRuns", body)
        if answer.status == 409:
            return None
        return run_of(self._checked(answer, "POST", f"{_dag(dag)}/dagRuns").body)

    async def fail(self, dag: str, run_id: str) -> None:
        """Marks a run failed, which ends its tasks."""
        mask = "?update_mask=state" if await self._spoken() == "v2" else ""  # the older API refuses a mask here
        await self._call("PATCH", f"{_run(dag, run_id)}{mask}", {"state": "failed"})

    async def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Answer:
        return self._checked(await self._answered(method, path, body), method, path)

    def _checked(self, answer: Answer, method: str, path: str) -> Answer:
        who = f"Airflow ({method} {path.partition('?')[0]})"
        return checked(answer, who, (self._password, self._token, self._jwt, self._basic))

    async def _answered(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Answer:
        """The answer, whatever its status. A token that is no longer taken is renewed, once."""
        api = await self._spoken()
        known = self._jwt
        answer = await self._asked(method, f"api/{api}/{path}", await self._headers(api), body)
        if answer.status in _DENIED and known is not None:
            self._jwt = None
            answer = await self._asked(method, f"api/{api}/{path}", await self._headers(api), body)
        return answer

    async def _asked(
        self, method: str, path: str, headers: Mapping[str, str], body: Mapping[str, Any] | None = None
    ) -> Answer:
        return await self._http.request(
            method, f"{self._url}/{path}", headers=headers, json=body, timeout_s=self._timeout_s
        )

    async def _spoken(self) -> Api:
        """The API that this Airflow speaks, found out once."""
        if self._api is None:
            newer = await self._asked("GET", "api/v2/version", self._given())
            if newer.status == 404:  # Airflow 2 knows no such page
                older = await self._asked("GET", "api/v1/version", self._given())
                version_of(self._checked(older, "GET", "/api/v1/version, as there is no /api/v2").body)
                self._api = "v1"
            else:
                version_of(self._checked(newer, "GET", "/api/v2/version").body)
                self._api = "v2"
        return self._api

    async def _headers(self, api: Api) -> Mapping[str, str]:
        if self._token or api == "v1" or not self._password:
            return self._given()
        if self._jwt is None:
            self._jwt = await self._login(self._password)
        return {"Authorization": f"Bearer {self._jwt.reveal()}"}

    async def _login(self, password: Secret) -> Secret:
        body = {"username": self._user, "password": password.reveal()}
        answer = self._checked(await self._asked("POST", "auth/token", {}, body), "POST", "/auth/token")
        try:
            return Secret(token_of(answer.body))
        except BadPayload:
            raise BadPayload("Airflow (POST /auth/token) answered without an access_token") from None

    def _given(self) -> dict[str, str]:
        """What the options alone allow to send."""
        if self._token:
            return {"Authorization": f"Bearer {self._token.reveal()}"}
        if self._api == "v2" or not self._basic:
            return {}
        return {"Authorization": self._basic.reveal()}


def _dag(dag: str) -> str:
    return f"dags/{path_part(dag)}"


def _run(dag: str, run_id: str) -> str:
    return f"{_dag(dag)}/dagRuns/{path_part(run_id)}"
