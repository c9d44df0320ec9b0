"""Argo CD's API on a real socket, as far as the connector uses it, after its documentation and its server's refusals.

An operation stands as asked for until ``steps`` more reads of the application, then it has ended: `outcome` says how.
The first read after it was asked for may come from a cache that does not show it yet (``stale``).
"""

from __future__ import annotations

import copy
import json
from typing import Any

from aiohttp import web

from connectors.deliveries import golden
from connectors.serving import Faulty

REASONS = {400: 9, 401: 16, 403: 7, 404: 5, 429: 8, 500: 13, 503: 14}


class Problem(Exception):
    """Becomes an error of the gateway."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        super().__init__(message)


class ArgoServer(Faulty):
    """``app`` is the one application there is."""

    def __init__(self) -> None:
        super().__init__()
        self.app: dict[str, Any] = golden("argocd_application.json")
        self.outcome = "Succeeded"
        self.steps = 1
        self.stale = True
        self.started = 0
        self.denied: set[str] = set()
        self._shown: dict[str, Any] | None = None
        self._left = 0

    def refusal(self, status: int) -> Any:
        message = f"the server says {status}"
        return {"error": message, "code": REASONS[status], "message": message}

    def answer(self, request: web.Request, raw: bytes) -> web.Response:
        try:
            return web.json_response(self._answer(request, json.loads(raw or b"{}")))
        except Problem as problem:
            text = {"error": str(problem), "code": REASONS[problem.status], "message": str(problem)}
            return web.json_response(text, status=problem.status)

    def _answer(self, request: web.Request, body: dict[str, Any]) -> Any:
        match [request.method, *request.path.strip("/").split("/")[2:]]:
            case ["GET", "account", "can-i", "applications", action, _project, _name]:
                return {"value": "no" if action in self.denied else "yes"}
            case ["GET", "applications", "checkout"]:
                return self._read()
            case ["PATCH", "applications", "checkout"]:
                self._must("update")
                assert body["patchType"] == "merge"
                self.app["spec"]["syncPolicy"] |= json.loads(body["patch"])["spec"]["syncPolicy"]
                if self.app["spec"]["syncPolicy"]["automated"] is None:
                    del self.app["spec"]["syncPolicy"]["automated"]
                return self.app
            case ["DELETE", "applications", "checkout", "operation"]:
                self._must("sync")
                self.app["status"]["operationState"]["phase"] = "Terminating"
                self._left, self.outcome = 1, "Failed"
                return {}
            case ["POST", "applications", "checkout", "rollback"]:
                return self._rollback(body)
            case ["POST", "applications", "checkout", "sync"]:
                wanted = body.get("revision") or "main"
                if "automated" in self.app["spec"]["syncPolicy"] and wanted != "main":
                    raise Problem(400, f"Cannot sync to {wanted}: auto-sync currently set to main")
                revision = "a" * 40 if wanted == "main" else wanted
                return self._begin({"sync": {"revision": revision}, "info": body["infos"]})
        raise Problem(403, "permission denied")  # as Argo CD answers for what is not there, too

    def _must(self, action: str) -> None:
        if action in self.denied:
            raise Problem(403, f"permission denied: applications, {action}, shop/checkout, sub: quell")

    def _rollback(self, body: dict[str, Any]) -> Any:
        self._must("sync")
        if "automated" in self.app["spec"]["syncPolicy"]:
            raise Problem(400, "rollback cannot be initiated when auto-sync is enabled")
        entry = next((one for one in self.app["status"]["history"] if one["id"] == body["id"]), None)
        if entry is None:
            raise Problem(400, f"application checkout does not have deployment with id {body['id']}")
        return self._begin({"sync": {"revision": entry["revision"], "prune": body["prune"]}})

    def _begin(self, operation: dict[str, Any]) -> Any:
        if "operation" in self.app:
            raise Problem(400, "another operation is already in progress")
        self._shown = copy.deepcopy(self.app) if self.stale else None
        self.app["operation"] = {**operation, "initiatedBy": {"username": "quell"}}
        self.started += 1
        self._left = self.steps
        return self.app

    def _read(self) -> Any:
        shown, self._shown = self._shown, None
        if shown is not None:
            return shown
        if "operation" in self.app or self.app["status"]["operationState"]["phase"] in ("Running", "Terminating"):
            self._go_on()
        return self.app

    def _go_on(self) -> None:
        status = self.app["status"]
        state = status["operationState"]
        if self._left:
            self._left -= 1
            if "operation" in self.app and state["phase"] != "Terminating":
                moment = f"2026-03-01T10:00:{self.started:02}Z"
                status["operationState"] = {"operation": self.app["operation"], "phase": "Running", "startedAt": moment}
            return
        asked = self.app.pop("operation", state.get("operation"))
        revision = asked["sync"]["revision"]
        result = {"revision": revision, "source": {}}
        status["operationState"] = {
            "operation": asked, "phase": self.outcome, "startedAt": f"2026-03-01T10:00:{self.started:02}Z",
            "message": "one or more objects failed to apply" if self.outcome == "Failed" else "successfully synced",
            "syncResult": result,
        }  # fmt: skip
        if self.outcome == "Succeeded":
            old = next((one for one in status["history"] if one["revision"] == revision), status["history"][-1])
            newest = {**old, "revision": revision, "id": status["history"][-1]["id"] + 1}
            status["history"].append(newest)
            status["sync"] = {"status": "OutOfSync", "revision": "9" * 40}
        self.outcome = "Succeeded"
