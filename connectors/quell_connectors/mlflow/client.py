"""The calls to an MLflow registry, each checked and typed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quell.errors import Refused
from quell.sdk.http import Answer, Http, checked
from quell.sdk.json_api import basic
from quell.sdk.secret import Secret
from quell_connectors.mlflow.runs import Run, run_of
from quell_connectors.mlflow.translate import IS_PROMPT, Model, Version, model_of, models_of, version_of, versions_of

_API = "/api/2.0/mlflow"
_PAGES = 20
"""Pages of a hundred versions that are looked through for an earlier one."""


class Client:
    """Raises `Unreachable`, `NoAnswer`, `Refused`, or `BadPayload` for an answer that cannot be read."""

    def __init__(self, options: Mapping[str, Any], http: Http) -> None:
        self._http = http
        self._url = str(options["url"]).rstrip("/")
        self._user = str(options.get("user") or "")
        password: Secret | None = options.get("password")
        self._basic = basic(self._user, password) if self._user and password else None
        self._password = password
        self._token: Secret | None = options.get("token")
        self._timeout_s = float(options.get("timeout") or 10.0)

    async def model(self, name: str) -> Model:
        """A registered model with its tags and aliases."""
        return model_of((await self._get("registered-models/get", name=name)).body)

    async def version(self, name: str, version: str) -> Version:
        """One version of a model."""
        return version_of((await self._get("model-versions/get", name=name, version=version)).body)

    async def versions(self, name: str, *, prompt: bool = False) -> list[Version]:
        """All versions of a model, or of a prompt, the newest two thousand of them."""
        if "'" in name and '"' in name:
            raise Refused(f"MLflow cannot be asked for versions of {name}: its name has both kinds of quotes")
        quote = '"' if "'" in name else "'"
        prompts = f" AND tags.`{IS_PROMPT}`='true'" if prompt else ""
        asked = {
            "filter": f"name={quote}{name}{quote}{prompts}",
            "max_results": "100",
            "order_by": "version_number DESC",
        }
        found: list[Version] = []
        page = ""
        for _ in range(_PAGES):
            answer = await self._get("model-versions/search", **asked, **({"page_token": page} if page else {}))
            versions, page = versions_of(answer.body)
            found += versions
            if not page:
                break
        return found

    async def models(self, page: str = "", *, prompts: bool = False) -> tuple[list[Model], str]:
        """A hundred registered models, or prompts, and the token of the next page."""
        asked = {"max_results": "100", **({"page_token": page} if page else {})}
        if prompts:  # which MLflow leaves out of every other search
            asked["filter"] = f"tags.`{IS_PROMPT}` = 'true'"
        return models_of((await self._get("registered-models/search", **asked)).body)

    async def run(self, run_id: str) -> Run | None:
        """A run with its parameters, metrics and inputs; None when it is not there any more."""
        answer = await self._answered("GET", "runs/get", query={"run_id": run_id})
        return None if answer.status == 404 else run_of(self._checked(answer, "GET", "runs/get").body)

    async def set_alias(self, name: str, alias: str, version: str) -> None:
        """Points an alias to a version, wherever it pointed."""
        await self._send("POST", "registered-models/alias", {"name": name, "alias": alias, "version": version})

    async def delete_alias(self, name: str, alias: str) -> None:
        """Removes an alias; MLflow takes one that is not there for removed."""
        await self._send("DELETE", "registered-models/alias", {"name": name, "alias": alias})

    async def describe(self, name: str, version: str, text: str) -> None:
        """Gives a version, or the model for version "", its description."""
        await self._send("PATCH", f"{_of(version)}/update", {**_whose(name, version), "description": text})

    async def set_tag(self, name: str, version: str, key: str, value: str) -> None:
        """Sets a tag of a version, or of the model for version ""."""
        await self._send("POST", f"{_of(version)}/set-tag", {**_whose(name, version), "key": key, "value": value})

    async def delete_tag(self, name: str, version: str, key: str) -> None:
        """Removes a tag; one that is not there is none to MLflow either."""
        await self._send("DELETE", f"{_of(version)}/delete-tag", {**_whose(name, version), "key": key})

    async def _get(self, path: str, **query: str) -> Answer:
        return await self._call("GET", path, query=query)

    async def _send(self, method: str, path: str, body: Mapping[str, str]) -> None:
        await self._call(method, path, body=body)

    async def _call(
        self, method: str, path: str, *, query: Mapping[str, str] | None = None, body: Mapping[str, str] | None = None
    ) -> Answer:
        return self._checked(await self._answered(method, path, query=query, body=body), method, path)

    async def _answered(
        self, method: str, path: str, *, query: Mapping[str, str] | None = None, body: Mapping[str, str] | None = None
    ) -> Answer:
        return await self._http.request(
            method,
            f"{self._url}{_API}/{path}",
            headers=self._headers(),
            query=query,
            json=body,
            timeout_s=self._timeout_s,
        )

    def _checked(self, answer: Answer, method: str, path: str) -> Answer:
        return checked(answer, f"MLflow ({method} {path})", (self._password, self._token, self._basic))

    def _headers(self) -> dict[str, str]:
        if self._token:
            return {"Authorization": f"Bearer {self._token.reveal()}"}
        if self._basic:
            return {"Authorization": self._basic.reveal()}
        return {}


def _of(version: str) -> str:
    return "model-versions" if version else "registered-models"


def _whose(name: str, version: str) -> dict[str, str]:
    return {"name": name, "version": version} if version else {"name": name}
