"""The calls to Argo CD's API, each checked and typed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from quell.errors import Refused, Unreachable
from quell.sdk.http import Answer, Http, checked
from quell.sdk.identity import Identity
from quell.sdk.payload import decode
from quell.sdk.secret import Secret
from quell_connectors.argocd.translate import MARK, App, Entry


class Busy(Unreachable):
    """Another operation is under way; nothing was done."""


_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_LONGEST_S = 15.0


class Client:
    """Raises `Unreachable`, `Busy`, `NoAnswer`, `Refused`, or `BadPayload` for an answer that cannot be read."""

    def __init__(self, options: Mapping[str, Any], http: Http) -> None:
        self._http = http
        self._url = str(options["url"]).rstrip("/")
        self._token: Secret | None = options.get("token")
        names = ("ca_file", "cert_file", "key_file", "token_file")
        files = {name: str(options.get(name) or "") for name in names}
        self._identity = Identity(**files) if any(files.values()) else None
        where = {"appNamespace": options.get("app_namespace"), "project": options.get("project")}
        self._where = {name: str(value) for name, value in where.items() if value}

    async def app(self, name: str, timeout_s: float, refresh: str = "") -> App:
        """An application; with ``refresh`` (normal, hard) compared with git anew."""
        query = {**self._where, **({"refresh": refresh} if refresh else {})}
        return App.of((await self._call("GET", name, "", timeout_s, query=query)).body)

    async def may(self, action: str, app: App, timeout_s: float) -> bool:
        """Whether our account may do something with an application."""
        inside = f"{app.project}/{app.name}"
        if self._where.get("appNamespace"):
            inside = f"{app.project}/{app.namespace}/{app.name}"
        path = f"/api/v1/account/can-i/applications/{action}/{inside}"
        answer = await self._ask("GET", path, timeout_s)
        if answer.status == 404:
            return True  # a version that cannot be asked
        said = decode(checked(answer, f"Argo CD (may I {action} {app.name})", (self._token,)).body, dict[str, Any])
        return said.get("value") == "yes"

    async def rollback(self, name: str, entry: Entry, prune: bool, timeout_s: float) -> None:
        """Begins the deployment of an entry of the history."""
        await self._call("POST", name, "/rollback", timeout_s, {"name": name, "id": entry.id, "prune": prune})

    async def sync(self, name: str, revision: str, prune: bool, key: str, timeout_s: float) -> None:
        """Begins the deployment of a revision, with a note that holds our key."""
        body = {"name": name, "prune": prune, "infos": [{"name": MARK, "value": key}]}
        await self._call("POST", name, "/sync", timeout_s, {**body, **({"revision": revision} if revision else {})})

    async def set_auto_sync(self, name: str, automated: Mapping[str, Any] | None, timeout_s: float) -> None:
        """Turns auto-sync off (None) or on with these settings."""
        patch = msgspec.json.encode({"spec": {"syncPolicy": {"automated": automated}}}).decode()
        await self._call("PATCH", name, "", timeout_s, {"name": name, "patch": patch, "patchType": "merge"})

    async def terminate(self, name: str, timeout_s: float) -> None:
        """Ends the operation that is under way."""
        await self._call("DELETE", name, "/operation", timeout_s, query=self._where)

    async def _call(
        self,
        method: str,
        name: str,
        tail: str,
        timeout_s: float,
        body: Mapping[str, Any] | None = None,
        *,
        query: Mapping[str, str] | None = None,
    ) -> Answer:
        if not _NAME.fullmatch(name):
            raise Refused(f'"{name[:80]}" is no name of an application; nothing was done')
        json = None if body is None else {**body, **self._where}
        answer = await self._ask(method, f"/api/v1/applications/{name}{tail}", timeout_s, query, json)
        try:
            return checked(answer, f"Argo CD ({method} {name}{tail})", (self._token,))
        except Refused as error:
            if b"operation is already in progress" in answer.body:
                raise Busy(str(error)) from None
            raise

    async def _ask(
        self,
        method: str,
        path: str,
        timeout_s: float,
        query: Mapping[str, str] | None = None,
        json: Mapping[str, Any] | None = None,
    ) -> Answer:
        headers = {"Authorization": f"Bearer {self._token.reveal()}"} if self._token else {}
        extra: dict[str, Any] = {} if self._identity is None else {"identity": self._identity}
        return await self._http.request(
            method,
            f"{self._url}{path}",
            headers=headers,
            query=dict(query or {}),
            json=json,
            timeout_s=min(timeout_s, _LONGEST_S),
            **extra,
        )
