"""An Airflow that answers as 2.11 or as 3.3 does; its words were taken from real ones."""

from __future__ import annotations

import base64
import re
from typing import Any

from aiohttp import web

from connectors.wire import Pretend

USER, PASSWORD = "quell", "pw-airflow"
BASIC = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
_RUN_ID = re.compile(r"[A-Za-z0-9_.~:+-]+")


class PretendAirflow(Pretend):
    """``paused`` and ``runs`` by DAG; ``tokens`` that are taken, of Airflow 3 only; `expire` takes none any more."""

    def __init__(self, major: int = 3) -> None:
        super().__init__()
        self.major = major
        self.paused: dict[str, bool] = {}
        self.runs: dict[str, dict[str, dict[str, Any]]] = {}
        self.assets: list[dict[str, Any]] = []
        self.tokens: list[str] = []
        self.issued = 0

    def expire(self) -> None:
        self.tokens.clear()

    async def answer(self, request: web.Request, body: Any) -> web.Response:
        path = request.raw_path.partition("?")[0]
        if self.major == 2:
            if not path.startswith("/api/v1/"):
                return web.Response(status=404, text="\n\n<!DOCTYPE html>\n<title>Airflow 404</title>")
            if path == "/api/v1/version":
                return web.json_response({"git_version": "", "version": "2.11.2"})
            if request.headers.get("Authorization") != BASIC:
                return self._problem(403, "Forbidden")
            return self._dags(request, path.removeprefix("/api/v1/"), body)
        if path.startswith("/api/v1/"):
            return web.json_response({"error": "/api/v1 has been removed in Airflow 3"}, status=404)
        if path == "/api/v2/version":
            return web.json_response({"version": "3.3.2", "git_version": ".release:aa"})
        if path == "/auth/token":
            if body != {"username": USER, "password": PASSWORD}:
                return self._problem(401, "Invalid credentials")
            self.issued += 1
            self.tokens.append(f"jwt-{self.issued}")
            return web.json_response({"access_token": self.tokens[-1]}, status=201)
        sent = request.headers.get("Authorization", "")
        if not sent:
            return self._problem(401, "Not authenticated")
        if sent.removeprefix("Bearer ") not in self.tokens:
            return self._problem(403, "Invalid JWT token")
        return self._dags(request, path.removeprefix("/api/v2/"), body)

    def _listed(self, request: web.Request, path: str) -> web.Response:
        found: list[Any]
        if path == "dags":
            key, found = "dags", [self._dag(name) for name in sorted(self.paused)]
        elif path in {"assets", "datasets"}:
            key, found = path, self.assets
        else:
            since = request.query["end_date_gte"][:19]
            every = [
                run for runs in self.runs.values() for run in runs.values() if (run["end_date"] or "")[:19] >= since
            ]
            key, found = "dag_runs", sorted(every, key=lambda run: str(run["end_date"]))
        start = int(request.query["offset"])
        shown = found[start : start + int(request.query["limit"])]
        return web.json_response({key: shown, "total_entries": len(found)})

    def _dags(self, request: web.Request, path: str, body: Any) -> web.Response:
        if path in {"dags", "dags/~/dagRuns", "assets" if self.major == 3 else "datasets"}:
            return self._listed(request, path)
        if path.partition("/")[0] != "dags":
            return self._problem(404, "Not Found")
        _, name, *rest = path.split("/")
        if name not in self.paused:
            return self._problem(404, f"The DAG with dag_id: {name} was not found", "DAG not found")
        mask = request.query.get("update_mask")
        runs = self.runs.setdefault(name, {})
        match request.method, rest:
            case "GET", []:
                return web.json_response(self._dag(name))
            case "PATCH", []:
                if mask != "is_paused" or set(body) != {"is_paused"}:
                    return self._problem(400 if self.major == 2 else 422, "Extra inputs are not permitted")
                self.paused[name] = body["is_paused"]
                return web.json_response(self._dag(name))
            case "GET", ["dagRuns"]:
                states = request.query.getall("state")
                shown = [run for run in runs.values() if run["state"] in states][: int(request.query["limit"])]
                return web.json_response({"dag_runs": shown, "total_entries": len(shown)})
            case "POST", ["dagRuns"]:
                return self._started(name, runs, body)
            case "GET", ["dagRuns", run]:
                found = runs.get(run)
                return web.json_response(found) if found else self._problem(404, f"The DagRun {run} was not found")
            case "PATCH", ["dagRuns", run]:
                if (mask is None) == (self.major == 3):
                    return self._problem(400, "Extra query parameter(s) update_mask not in spec")
                runs[run] |= body
                return web.json_response(runs[run])
        return self._problem(405, "Method Not Allowed")

    def _started(self, name: str, runs: dict[str, dict[str, Any]], body: dict[str, Any]) -> web.Response:
        run = body["dag_run_id"]
        if not _RUN_ID.fullmatch(run):
            return self._problem(400, f"The run_id provided '{run}' does not match regex pattern")
        if self.major == 3 and "logical_date" not in body:
            return self._problem(422, "Field required")
        if run in runs:
            if self.major == 2:
                return self._problem(409, f"DAGRun with DAG ID: '{name}' and DAGRun ID: '{run}' already exists")
            detail = {"reason": "Unique constraint violation", "statement": "hidden", "message": "Serious error"}
            return web.json_response({"detail": detail}, status=409)
        runs[run] = {"dag_run_id": run, "dag_id": name, "state": "queued", "run_type": "manual", "conf": body["conf"],
                     "note": body.get("note"), "start_date": None, "end_date": None}  # fmt: skip
        return web.json_response(runs[run])

    def _dag(self, name: str) -> dict[str, Any]:
        shown = {"dag_id": name, "is_paused": self.paused[name], "owners": ["airflow"], "tags": [{"name": "ml"}],
                 "timetable_description": "At 00:00", "description": None, "next_dagrun": None}  # fmt: skip
        return shown if self.major == 2 else {**shown, "timetable_summary": "0 0 * * *", "is_stale": False}

    def _problem(self, status: int, detail: str, title: str = "No") -> web.Response:
        if self.major == 3:
            return web.json_response({"detail": detail}, status=status)
        body = {"detail": None if status == 403 else detail, "status": status, "title": title, "type": "https://x"}
        return web.json_response({**body, "title": "Forbidden"} if status == 403 else body, status=status)
