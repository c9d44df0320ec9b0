"""A model registry that answers as MLflow 3 does; its words were taken from a real one."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from connectors.wire import Pretend


class PretendMLflow(Pretend):
    """``models`` by name: versions by number, aliases and tags. ``runs`` by id, as MLflow tells of them."""

    def __init__(self) -> None:
        super().__init__()
        self.models: dict[str, dict[str, Any]] = {}
        self.knows_no_prompts = False
        self.runs: dict[str, dict[str, Any]] = {}

    async def answer(self, request: web.Request, body: Any) -> web.Response:
        given = {**request.query, **(body or {})}
        verb = request.path.removeprefix("/api/2.0/mlflow/")
        name = given.get("name") or given.get("filter", "").partition(" AND ")[0].partition("=")[2].strip("'\"")
        if (request.method, verb) == ("POST", "registered-models/create"):
            tags = {tag["key"]: tag["value"] for tag in given.get("tags", ())}
            self.models[name] = {"versions": {}, "aliases": {}, "tags": tags}
            return web.json_response({"registered_model": {"name": name}})
        if (request.method, verb) == ("GET", "model-versions/search"):
            return self._search(name, given)
        if (request.method, verb) == ("GET", "registered-models/search"):
            return self._listed(given)
        if (request.method, verb) == ("GET", "runs/get"):
            run = self.runs.get(given["run_id"])
            return (
                _missing(f"Run with id={given['run_id']} not found") if run is None else web.json_response({"run": run})
            )
        model = self.models.get(name)
        if model is None:
            return _missing(f"Registered Model with name={name} not found")
        if (request.method, verb) == ("POST", "model-versions/create"):
            number = str(len(model["versions"]) + 1)
            model["versions"][number] = {"tags": {}, "status": "READY"}
            return web.json_response({"model_version": self._version(name, number)})
        version = given.get("version")
        if version and version not in model["versions"]:
            return _missing(f"Model Version (name={name}, version={version}) not found")
        return self._of_model(request.method, verb, model, given)

    def _of_model(self, method: str, verb: str, model: dict[str, Any], given: dict[str, str]) -> web.Response:
        name, version = given["name"], given.get("version", "")
        tags = model["versions"][version]["tags"] if verb.startswith("model-versions") else model["tags"]
        match method, verb.partition("/")[2]:
            case "GET", "get":
                if verb.startswith("model-versions"):
                    return web.json_response({"model_version": self._version(name, version)})
                return web.json_response({"registered_model": self._model(name)})
            case "POST", "alias":
                model["aliases"][given["alias"]] = version
            case "DELETE", "alias":
                model["aliases"].pop(given["alias"], None)
            case "PATCH", "update":
                (model["versions"][version] if version else model)["description"] = given["description"]
            case "POST", "set-tag":
                tags[given["key"]] = given["value"]
            case "DELETE", "delete-tag":
                tags.pop(given["key"], None)
            case _:
                return web.json_response({"error_code": "ENDPOINT_NOT_FOUND", "message": "No API found"}, status=404)
        return web.json_response({})

    def _search(self, name: str, given: dict[str, str]) -> web.Response:
        asked, kept = "is_prompt" in given["filter"], self.models.get(name, {"versions": {}, "tags": {}})
        shown = asked == (kept["tags"].get("mlflow.prompt.is_prompt") == "true")
        numbers = sorted(map(int, kept["versions"] if shown else ()), reverse=True)
        start, most = int(given.get("page_token", "0")), int(given["max_results"])
        page = numbers[start : start + most]
        answer: dict[str, Any] = {"model_versions": [self._version(name, str(number)) for number in page]}
        if start + most < len(numbers):
            answer["next_page_token"] = str(start + most)
        return web.json_response(answer if page else {})

    def _listed(self, given: dict[str, str]) -> web.Response:
        prompts = "is_prompt" in given.get("filter", "")  # left out of every other search
        if prompts and self.knows_no_prompts:
            return web.json_response({"error_code": "INVALID_PARAMETER_VALUE", "message": "bad filter"}, status=400)
        named = [
            name
            for name, one in self.models.items()
            if prompts == (one["tags"].get("mlflow.prompt.is_prompt") == "true")
        ]
        names, start, most = sorted(named), int(given.get("page_token", "0")), int(given["max_results"])
        answer: dict[str, Any] = {"registered_models": [self._model(name) for name in names[start : start + most]]}
        if start + most < len(names):
            answer["next_page_token"] = str(start + most)
        return web.json_response(answer if names else {})

    def _model(self, name: str) -> dict[str, Any]:
        model = self.models[name]
        newest = max(map(int, model["versions"]), default=0)
        shown: dict[str, Any] = {"name": name, "creation_timestamp": 1795276210876}
        if newest:
            shown["latest_versions"] = [self._version(name, str(newest))]
        if model.get("description"):
            shown["description"] = model["description"]
        if model["tags"]:
            shown["tags"] = _pairs(model["tags"])
        if model["aliases"]:
            shown["aliases"] = [{"alias": alias, "version": number} for alias, number in model["aliases"].items()]
        return shown

    def _version(self, name: str, number: str) -> dict[str, Any]:
        version = self.models[name]["versions"][number]
        made = 1795276210876 + int(number) * 1000
        shown = {
            "name": name, "version": number, "status": version["status"], "source": "s3://x/y",
            "run_id": version.get("run_id", ""), "creation_timestamp": made,
            "description": version.get("description", ""),
        }  # fmt: skip
        return {**shown, "tags": _pairs(version["tags"])} if version["tags"] else shown


def _pairs(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in tags.items()]


def _missing(message: str) -> web.Response:
    return web.json_response({"error_code": "RESOURCE_DOES_NOT_EXIST", "message": message}, status=404)
