"""A Kubernetes API on a real socket, as far as connectors use it: versions, selectors, patches, rights, a controller.

Behaviour after the API's documentation: every write raises ``resourceVersion``; a patch that names another version is
answered 409; a merge patch with null removes; a JSON patch whose operations do not fit is answered 422; ``dryRun=All``
answers as if and keeps nothing; errors are Status objects.
"""

from __future__ import annotations

import copy
import json
from typing import Any

from aiohttp import web

from connectors.deliveries import golden
from connectors.serving import Faulty

REASONS = {
    400: "BadRequest", 401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 409: "Conflict",
    415: "UnsupportedMediaType", 422: "Invalid", 429: "TooManyRequests", 500: "InternalError",
    503: "ServiceUnavailable", 504: "Timeout",
}  # fmt: skip
REVISION = "deployment.kubernetes.io/revision"
HASH = "pod-template-hash"


class Problem(Exception):
    """Becomes a Status object."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        super().__init__(message)


class Cluster(Faulty):
    """``objects`` by path; ``meddle`` is called before each patch, as somebody else who changes things might come."""

    def __init__(self, objects: str = "kubernetes_cluster.json") -> None:
        super().__init__()
        self.objects: dict[str, dict[str, Any]] = {}
        self.logs: dict[str, str] = {}
        self.forbidden: set[tuple[str, str]] = set()
        self.version = 1000
        self.meddle: Any = None
        self.no_status = False
        self.writes = 0
        for path, found in golden(objects).items():
            self.put(path, found)

    def put(self, path: str, found: dict[str, Any]) -> None:
        self.version += 1
        found["metadata"]["resourceVersion"] = str(self.version)
        self.objects[path] = found

    def touch(self, path: str) -> None:
        """Somebody changes something else in an object."""
        self.put(path, self.objects[path])

    def refusal(self, status: int) -> Any:
        message = {
            409: "Operation cannot be fulfilled: the object has been modified; "
            "please apply your changes to the latest version and try again",
            429: "the server has received too many requests and has asked us to try again later",
        }.get(status, f"the server says {status}")
        return {
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": message, "reason": REASONS[status], "code": status,
        }  # fmt: skip

    def answer(self, request: web.Request, raw: bytes) -> web.Response:
        try:
            found = self._answer(request, raw)
        except Problem as problem:
            status = {**self.refusal(problem.status), "message": str(problem)}
            return web.json_response(status, status=problem.status)
        return web.Response(text=found) if isinstance(found, str) else web.json_response(found)

    def _answer(self, request: web.Request, raw: bytes) -> Any:
        parts = request.path.strip("/").split("/")
        tail = parts.pop() if parts[-1] in ("scale", "status", "log") else ""
        path = "/" + "/".join(parts)
        collection = len(parts) % 2 == (0 if parts[0] == "apis" else 1) if "namespaces" in parts else False
        plural = parts[-1] if collection else parts[-2]
        if (request.method, f"{plural}/{tail}".rstrip("/")) in self.forbidden:
            verb = {"GET": "get", "PATCH": "patch"}[request.method]
            raise Problem(
                403,
                f'{plural} "{parts[-1]}" is forbidden: User "system:serviceaccount:quell:quell" cannot {verb} '
                f'resource "{plural}" in API group "" in the namespace "shop"',
            )
        if request.method == "GET" and collection:
            return self._listed(path, request.query)
        if path not in self.objects or (tail == "status" and self.no_status):
            raise Problem(404, f'{plural} "{parts[-1]}" not found')
        if request.method == "GET":
            return self._log(path, request.query) if tail == "log" else self.objects[path]
        assert request.method == "PATCH", request.method
        dry_run = request.query.get("dryRun")
        assert dry_run in (None, "All")
        return self.patch(
            path + (f"/{tail}" if tail else ""), request.headers["Content-Type"], json.loads(raw), dry_run
        )

    def _log(self, path: str, query: Any) -> str:
        text = self.logs.get(path)
        if text is None:
            raise Problem(400, f'container "{query.get("container")}" in pod is waiting to start: ImagePullBackOff')
        return "".join(text.splitlines(keepends=True)[-int(query["tailLines"]) :])

    def _listed(self, folder: str, query: Any) -> Any:
        fits = [
            found
            for path, found in sorted(self.objects.items())
            if path.rpartition("/")[0] == folder and _selected(found, query)
        ]
        start, most = int(query.get("continue") or 0), int(query.get("limit") or 500)
        more = str(start + most) if len(fits) > start + most else ""
        group = folder.partition("/namespaces/")[0].partition("/")[2].partition("/")[2]
        kinds = {one["kind"] for one in fits} or {"Pod"}
        listed = {"kind": f"{min(kinds)}List", "apiVersion": group, "metadata": {"continue": more}}
        return {**listed, "items": fits[start : start + most]}

    def patch(self, whole: str, media: str, body: Any, dry_run: str | None = None) -> Any:
        """What a PATCH of an object or its subresource does and answers."""
        if self.meddle is not None:
            self.meddle()
        path = whole if whole in self.objects else whole.rpartition("/")[0]
        tail = whole.removeprefix(path).strip("/")
        now = copy.deepcopy(self.objects[path])
        match media:
            case "application/merge-patch+json":
                now = _merged(now, body)
            case "application/strategic-merge-patch+json":  # the same for objects without lists, which is all we get
                now = _merged(now, body)
            case "application/json-patch+json":
                for step in body:
                    _operated(now, step)
            case other:
                raise Problem(415, f"the body of the request was in an unknown format - {other}")
        if now["metadata"]["resourceVersion"] != self.objects[path]["metadata"]["resourceVersion"]:
            raise Problem(
                409, f"Operation cannot be fulfilled on {path.rpartition('/')[2]}: the object has been modified"
            )
        if tail == "status" or ("/rollouts/" in path and not self.no_status):
            # With a status subresource each of the two paths writes its own part only.
            kept = copy.deepcopy(self.objects[path])
            now = {**kept, "status": now["status"]} if tail == "status" else {**now, "status": kept["status"]}
        if tail == "scale":
            kept = {**copy.deepcopy(self.objects[path])}
            kept["spec"]["replicas"] = now["spec"]["replicas"]
            now = kept
        for container in now["spec"].get("template", {}).get("spec", {}).get("containers", []):
            if " " in container["image"]:
                raise Problem(422, 'Deployment "x" is invalid: spec.template.spec.containers[0].image: Invalid value')
        if dry_run:
            return _scale(now) if tail == "scale" else now
        self.put(path, now)
        self.writes += 1
        if "/deployments/" in path:
            self.control(path)
        return _scale(self.objects[path]) if tail == "scale" else self.objects[path]

    def control(self, path: str) -> None:
        """What the Deployment controller does: a ReplicaSet for the template, the newest revision for it."""
        deployment = self.objects[path]
        sets = {
            one: found
            for one, found in self.objects.items()
            if "/replicasets/" in one
            and any(ref["uid"] == deployment["metadata"]["uid"] for ref in found["metadata"].get("ownerReferences", []))
        }
        newest = max((int(found["metadata"]["annotations"][REVISION]) for found in sets.values()), default=0)
        same = next((one for one, found in sets.items() if _bare(found) == _bare(deployment)), None)
        if same is None:
            template = copy.deepcopy(deployment["spec"]["template"])
            template["metadata"].setdefault("labels", {})[HASH] = f"h{newest + 1}"
            name = f"{deployment['metadata']['name']}-h{newest + 1}"
            same = path.replace("/deployments/", "/replicasets/").rpartition("/")[0] + f"/{name}"
            owner = {"kind": "Deployment", "uid": deployment["metadata"]["uid"], "controller": True}
            metadata = {"name": name, "labels": template["metadata"]["labels"], "annotations": {}}
            made = {"kind": "ReplicaSet", "apiVersion": "apps/v1", "metadata": {**metadata, "ownerReferences": [owner]}}
            self.put(same, {**made, "spec": {"template": template}})
            sets[same] = self.objects[same]
        found = sets[same]
        if int(found["metadata"]["annotations"].get(REVISION, 0)) < newest or newest == 0:
            found["metadata"]["annotations"][REVISION] = str(newest + 1)
        found["metadata"]["annotations"].setdefault(REVISION, str(newest + 1))
        deployment["metadata"]["annotations"][REVISION] = found["metadata"]["annotations"][REVISION]
        self.touch(same)
        self.touch(path)


def _scale(found: dict[str, Any]) -> dict[str, Any]:
    """What the scale subresource shows of an object."""
    return {
        "kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": found["metadata"],
        "spec": {"replicas": found["spec"]["replicas"]},
    }  # fmt: skip


def _bare(found: dict[str, Any]) -> Any:
    template = copy.deepcopy(found["spec"]["template"])
    template["metadata"].get("labels", {}).pop(HASH, None)
    return template


def _selected(found: dict[str, Any], query: Any) -> bool:
    labels = found["metadata"].get("labels", {})
    for part in filter(None, query.get("labelSelector", "").split(",")):
        name, _, value = part.partition("=")
        if labels.get(name) != value:
            return False
    for part in filter(None, query.get("fieldSelector", "").split(",")):
        name, _, value = part.partition("=")
        stands: Any = found
        for step in name.split("."):
            stands = stands.get(step, {})
        if stands != value:
            return False
    return True


def _merged(target: Any, patch: Any) -> Any:
    """RFC 7396."""
    if not isinstance(patch, dict):
        return patch
    target = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            target.pop(name, None)
        else:
            target[name] = _merged(target.get(name), value)
    return target


def _operated(target: Any, step: dict[str, Any]) -> None:
    """RFC 6902, of objects only."""
    *names, last = (part.replace("~1", "/").replace("~0", "~") for part in step["path"].split("/")[1:])
    for name in names:
        target = target[name]
    if step["op"] in ("test", "replace", "remove") and last not in target:
        raise Problem(422, "the server rejected our request due to an error in our request")
    match step["op"]:
        case "test":
            if target[last] != step["value"]:
                raise Problem(422, "the server rejected our request due to an error in our request")
        case "add" | "replace":
            target[last] = step["value"]
        case "remove":
            del target[last]
