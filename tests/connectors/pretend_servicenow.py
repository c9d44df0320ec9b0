"""ServiceNow's Table API over three tables; conditions of a query that it does not understand it leaves out."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from aiohttp import web

from connectors.pretend import TOKEN, Pretender, Said

_USERS = [
    {"sys_id": "u1", "user_name": "ana", "email": "ana@example.org"},
    {"sys_id": "u2", "user_name": "twin", "email": "twin@example.org"},
    {"sys_id": "u3", "user_name": "twin", "email": "other@example.org"},
]
_GROUPS = [{"sys_id": "g1", "name": "Service Desk"}]
_LENGTHS = {"short_description": 160, "description": 4000, "correlation_id": 100}


class PretendServiceNow(Pretender):
    """``stubborn``: a business rule sets the state back. Everything is kept as text and cut to its column."""

    def __init__(self, *, stubborn: bool = False) -> None:
        super().__init__()
        self.stubborn = stubborn
        self.records: list[dict[str, str]] = []

    async def tickets(self) -> list[dict[str, Any]]:
        return [
            {
                "id": record["number"],
                "title": record["short_description"],
                "text": record["description"],
                "open": record["state"] not in {"6", "7", "8"},
                "comments": [one for one in record["work_notes"].split("\n\f\n") if one],
                "record": record,
            }
            for record in self.records
        ]

    async def answer(self, request: web.Request, body: Any) -> Any:
        sign = b64encode(f"quell:{TOKEN}".encode()).decode()
        if request.headers.get("Authorization") not in {f"Basic {sign}", f"Bearer {TOKEN}"}:
            raise Said(401, _wrong("User Not Authenticated", "Required to provide Auth information"))
        match [request.method, *request.path.removeprefix("/api/now/table/").split("/")]:
            case ["GET", "sys_user"]:
                return self._list(_USERS, request)
            case ["GET", "sys_user_group"]:
                return self._list(_GROUPS, request)
            case ["GET", "incident"]:
                return self._list(self.records, request)
            case ["POST", "incident"]:
                return 201, {"result": self._made(body)}
            case [method, "incident", sys_id]:
                record = next((one for one in self.records if one["sys_id"] == sys_id), None)
                if record is None:
                    raise Said(404, _wrong("No Record found", "Record doesn't exist or ACL restricts its retrieval"))
                if method == "PATCH":
                    self._set(record, body)
                return {"result": record}
            case [_, table, *_]:
                raise Said(400, _wrong(f"Invalid table {table}", ""))
        raise Said(404, None)

    def _list(self, records: list[dict[str, str]], request: web.Request) -> Any:
        query = request.query
        found = [record for record in records if _matches(record, query["sysparm_query"])]
        names = query["sysparm_fields"].split(",")
        shown = [{name: one.get(name, "") for name in names} for one in found[: int(query["sysparm_limit"])]]
        return {"result": shown}

    def _made(self, body: dict[str, Any]) -> dict[str, str]:
        number = len(self.records) + 1
        record = {"sys_id": f"{number:032x}", "number": f"INC{number:07d}", "state": "1", "active": "true",
                  "work_notes": "", "comments": "", "correlation_id": ""}  # fmt: skip
        self.records.append(record)
        self._set(record, body)
        return record

    def _set(self, record: dict[str, str], body: dict[str, Any]) -> None:
        for name, value in body.items():
            text = str(value)
            if name in {"work_notes", "comments"}:
                record[name] = f"{text}\n\f\n{record[name]}"
            else:
                record[name] = text[: _LENGTHS.get(name, 40)]
        if self.stubborn:
            record["state"] = "2"


def _matches(record: dict[str, str], query: str) -> bool:
    for condition in query.split("^"):
        if condition.startswith("OR"):
            continue
        name, operator, value = condition.partition("NOT IN")
        if operator and name in record and record[name] in value.split(","):
            return False
        name, operator, value = condition.partition("=")
        either = [f"{name}={value}", *(c[2:] for c in query.split("^") if c.startswith("OR") and "=" in c)]
        if operator and not any(record.get(n) == v for n, _, v in (one.partition("=") for one in either)):
            return False
    return True


def _wrong(message: str, detail: str) -> dict[str, Any]:
    return {"error": {"message": message, "detail": detail}, "status": "failure"}
