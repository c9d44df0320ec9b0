"""Jira Cloud (version 3) and Data Center (version 2), as far as issues go; the search index lags behind."""

from __future__ import annotations

import re
from base64 import b64encode
from typing import Any

from aiohttp import web

from connectors.pretend import TOKEN, Pretender, Said
from quell_connectors.jira.document import text_of

LAG_S = 8.0
_JQL = re.compile(r'project = "((?:[^"\\]|\\.)*)" AND labels = "([a-z0-9-]+)" AND statusCategory != Done ORDER BY .*')
_PRIORITIES = ["Highest", "High", "Medium", "Low"]


class PretendJira(Pretender):
    """``cloud`` tells the editions apart. One project, OPS, whose bugs ask for components."""

    def __init__(self, *, cloud: bool = True, lag_s: float = LAG_S) -> None:
        super().__init__()
        self.cloud = cloud
        self.lag_s = lag_s
        self.issues: dict[str, dict[str, Any]] = {}
        self.takes_files = True
        self.root = "/rest/api/3" if cloud else "/rest/api/2"

    async def tickets(self) -> list[dict[str, Any]]:
        return [
            {
                "id": key,
                "title": issue["summary"],
                "text": text_of(issue["description"]),
                "open": issue["done_at"] is None,
                "comments": [text_of(body) for body in issue["comments"]],
                "issue": issue,
            }
            for key, issue in self.issues.items()
        ]

    async def answer(self, request: web.Request, body: Any) -> Any:
        self._let_in(request)
        path = request.path.removeprefix(self.root).strip("/")
        match [request.method, *path.split("/")]:
            case ["GET", "search", *rest] if rest == (["jql"] if self.cloud else []):
                return self._search(request)
            case ["GET", "issue", "createmeta", project, "issuetypes", *kind]:
                return self._form(project, kind)
            case ["POST", "issue"]:
                return 201, self._create(body["fields"])
            case ["GET", "user", "assignable", "search"]:
                return self._people(request)
            case [method, "issue", key, *rest] if key in self.issues:
                return self._issue(request, method, key, rest, body)
            case [_, "issue", key, *_]:
                raise Said(404, _wrong(f"Issue does not exist or you do not have permission to see it. ({key})"))
        raise Said(404, _wrong("no such resource"))

    def _let_in(self, request: web.Request) -> None:
        sign = b64encode(f"ana@example.org:{TOKEN}".encode()).decode()
        wanted = f"Basic {sign}" if self.cloud else f"Bearer {TOKEN}"
        if request.headers.get("Authorization") != wanted:
            raise Said(401, _wrong("Client must be authenticated to access this resource."))

    def _search(self, request: web.Request) -> Any:
        found = _JQL.fullmatch(request.query["jql"])
        assert found, request.query["jql"]
        if found[1] != "OPS":
            raise Said(400, _wrong(f"The value '{found[1]}' does not exist for the field 'project'."))
        before = self.now - self.lag_s
        issues = [
            {"id": "1", "key": key, "fields": {"labels": issue["labels"]}}
            for key, issue in self.issues.items()
            if found[2] in issue["labels"]
            and issue["made_at"] <= before
            and (issue["done_at"] is None or issue["done_at"] > before)
        ]
        page = {"issues": issues[::-1]}
        return {**page, "isLast": True} if self.cloud else {**page, "startAt": 0, "total": len(issues)}

    def _form(self, project: str, kind: list[str]) -> Any:
        if project != "OPS":
            raise Said(404, _wrong("No project could be found with key or id."))
        if not kind:
            kinds = [{"id": "10", "name": "Task"}, {"id": "11", "name": "Bug"}]
            return {"issueTypes" if self.cloud else "values": kinds}
        priority = {"fieldId": "priority", "name": "Priority", "required": False, "hasDefaultValue": True,
                    "allowedValues": [{"id": "1", "name": name} for name in _PRIORITIES]}  # fmt: skip
        summary = {"fieldId": "summary", "name": "Summary", "required": True, "hasDefaultValue": False}
        parts = {"fieldId": "components", "name": "Components", "required": True, "hasDefaultValue": False}
        fields = [summary, priority, *([parts] if kind == ["11"] else [])]
        return {"fields" if self.cloud else "values": fields, "total": len(fields)}

    def _create(self, fields: dict[str, Any]) -> Any:
        errors = self._mistakes(fields)
        if fields["project"] != {"key": "OPS"}:
            errors["project"] = "valid project is required"
        if fields.get("issuetype", {}).get("name") not in {"Task", "Bug"}:
            errors["issuetype"] = "Specify a valid issue type"
        if errors:
            raise Said(400, {"errorMessages": [], "errors": errors})
        key = f"OPS-{len(self.issues) + 1}"
        self.issues[key] = {"comments": [], "made_at": self.now, "done_at": None, **fields}
        return {"id": "1", "key": key, "self": f"{self.url}{self.root}/issue/1"}

    def _mistakes(self, fields: dict[str, Any]) -> dict[str, str]:
        errors: dict[str, str] = {}
        if "\n" in fields["summary"] or len(fields["summary"]) > 255:
            errors["summary"] = "Summary must be less than 255 characters."
        if isinstance(fields["description"], str) is self.cloud or len(text_of(fields["description"])) > 32_767:
            errors["description"] = "Operation value must be an Atlassian Document (see the document format)"
        if any(" " in label for label in fields.get("labels", [])):
            errors["labels"] = "The label can't contain spaces."
        return errors

    def _people(self, request: web.Request) -> Any:
        people = [
            {"accountId": "a1", "displayName": "Ana Clerk", "emailAddress": "ana@example.org"},
            {"accountId": "b2", "displayName": "Anatol Clerk", "emailAddress": ""},
        ]
        wanted = request.query["query" if self.cloud else "username"].casefold()
        found = [one for one in people if wanted in f"{one['displayName']} {one['emailAddress']}".casefold()]
        if self.cloud:
            return found
        return [{**one, "accountId": "", "name": one["accountId"]} for one in found]

    def _issue(self, request: web.Request, method: str, key: str, rest: list[str], body: Any) -> Any:
        issue = self.issues[key]
        match [method, *rest]:
            case ["GET"]:
                status = {"name": "To Do", "statusCategory": {"key": "new"}}
                if issue["done_at"] is not None:
                    status = {"name": "Done", "statusCategory": {"key": "done"}}
                return {"id": "1", "key": key, "fields": {"summary": issue["summary"], "labels": issue["labels"],
                        "description": issue["description"], "status": status}}  # fmt: skip
            case ["PUT"]:
                errors = self._mistakes(body["fields"])
                if errors:
                    raise Said(400, {"errorMessages": [], "errors": errors})
                issue.update(body["fields"])
                return 204, None
            case ["GET", "comment"]:
                start, most = int(request.query["startAt"]), int(request.query["maxResults"])
                page = [{"id": "1", "body": one} for one in issue["comments"][::-1][start : start + most]]
                return {"comments": page, "total": len(issue["comments"])}
            case ["POST", "comment"]:
                if isinstance(body["body"], str) is self.cloud:
                    raise Said(400, _wrong("Comment body is not valid!"))
                issue["comments"].append(body["body"])
                return 201, {"id": "1"}
            case ["POST", "attachments"]:
                if request.headers.get("X-Atlassian-Token") != "no-check" or not self.takes_files:
                    raise Said(403, _wrong("XSRF check failed"))
                file = body["file"]
                issue.setdefault("files", {})[file.filename] = (file.content_type, file.file.read())
                return [{"id": "1", "filename": file.filename}]
            case ["GET", "transitions"]:
                way = {"id": "31", "name": "Resolve", "to": {"name": "Done", "statusCategory": {"key": "done"}}}
                other = {"id": "21", "name": "Start", "to": {"name": "Busy", "statusCategory": {"key": "new"}}}
                return {"transitions": [other] if issue["done_at"] is not None else [other, way]}
            case ["POST", "transitions"]:
                assert body == {"transition": {"id": "31"}}
                issue["done_at"] = self.now
                return 204, None
        raise Said(405, None)


def _wrong(message: str) -> dict[str, Any]:
    return {"errorMessages": [message], "errors": {}}
