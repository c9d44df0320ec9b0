"""GitHub's REST API, as far as issues go."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from connectors.pretend import TOKEN, Pretender, Said


class PretendGitHub(Pretender):
    """Repositories octo/shop, octo/old (archived) and octo/code (no issues)."""

    prefix = "/api/v3"

    def __init__(self) -> None:
        super().__init__()
        self.issues: list[dict[str, Any]] = []

    def add(self, count: int, **fields: Any) -> None:
        """Issues of other people."""
        for _ in range(count):
            self._made({"title": "other", "body": None, "user": {"login": "someone"}, **fields})

    async def tickets(self) -> list[dict[str, Any]]:
        return [
            {
                "id": str(issue["number"]),
                "title": issue["title"],
                "text": issue["body"] or "",
                "open": issue["state"] == "open",
                "comments": [comment["body"] for comment in issue["_comments"]],
                "issue": issue,
            }
            for issue in self.issues
        ]

    async def answer(self, request: web.Request, body: Any) -> Any:
        headers = request.headers
        if headers.get("Authorization") != f"Bearer {TOKEN}":
            raise Said(401, {"message": "Bad credentials", "documentation_url": "https://docs.github.com/rest"})
        assert headers["X-GitHub-Api-Version"] == "2022-11-28"
        assert headers["User-Agent"]
        path = request.path.removeprefix(self.prefix).strip("/").split("/")
        if path[:1] != ["repos"] or path[1:3] not in (["octo", "shop"], ["octo", "old"], ["octo", "code"]):
            raise Said(404, {"message": "Not Found", "status": "404"})
        if len(path) == 3:
            return {"name": path[2], "has_issues": path[2] != "code", "archived": path[2] == "old"}
        match [request.method, *path[3:]]:
            case ["GET", "assignees", login]:
                raise Said(204 if login == "ana" else 404)
            case ["GET", "issues"]:
                creator = request.query.get("creator", "")
                listed = [i for i in self.issues if i["state"] == "open" and creator in {"", i["user"]["login"]}]
                return self._page(listed[::-1], request)
            case ["POST", "issues"]:
                return 201, self._shown(self._made(body))
            case [method, "issues", number, *rest]:
                return self._issue(request, method, number, rest, body)
        raise Said(404, {"message": "Not Found"})

    def _made(self, body: dict[str, Any]) -> dict[str, Any]:
        self._check(body)
        number = len(self.issues) + 1
        own = {"number": number, "state": "open", "_comments": []}
        self.issues.append(
            {
                "user": {"login": "quell-bot"},
                **body,
                **own,
                "html_url": f"https://github.example/octo/shop/issues/{number}",
            }
        )
        return self.issues[-1]

    def _check(self, body: dict[str, Any]) -> None:
        if len(body.get("title") or "") > 256 or len(body.get("body") or "") > 65_536:
            error = {"resource": "Issue", "field": "body", "code": "custom", "message": "body is too long"}
            raise Said(422, {"message": "Validation Failed", "errors": [error]})

    def _issue(self, request: web.Request, method: str, number: str, rest: list[str], body: Any) -> Any:
        if not number.isdecimal() or not 0 < int(number) <= len(self.issues):
            raise Said(404, {"message": "Not Found"})
        issue = self.issues[int(number) - 1]
        match [method, *rest]:
            case ["GET"]:
                return self._shown(issue)
            case ["PATCH"]:
                self._check(body)
                issue.update(body)
                return self._shown(issue)
            case ["GET", "comments"]:
                return self._page(issue["_comments"], request)
            case ["POST", "comments"]:
                issue["_comments"].append({"id": 1, "body": body["body"]})
                return 201, issue["_comments"][-1]
        raise Said(404, {"message": "Not Found"})

    def _page(self, all_of_it: list[dict[str, Any]], request: web.Request) -> Any:
        page, size = int(request.query["page"]), int(request.query["per_page"])
        return [self._shown(one) for one in all_of_it[(page - 1) * size : page * size]]

    def _shown(self, one: dict[str, Any]) -> dict[str, Any]:
        shown = {name: value for name, value in one.items() if not name.startswith("_")}
        return {**shown, "comments": len(one["_comments"])} if "_comments" in one else shown
