"""The API of a Kubernetes cluster, for connectors that act on what lives there: objects read, patched and logs.

An object is what the API says, decoded JSON. Every change carries the ``resourceVersion`` that was read: one who
changed the object meanwhile is not overwritten; the API then answers 409 and `Cluster.change` reads anew.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote

import msgspec

from quell.errors import BadPayload, Refused, Unreachable
from quell.sdk.http import Answer, Http, checked
from quell.sdk.identity import Identity
from quell.sdk.payload import decode
from quell.sdk.secret import Secret
from quell.sdk.spec import Option

IN_CLUSTER = "https://kubernetes.default.svc"
_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
_MEDIA = {"merge": "application/merge-patch+json", "json": "application/json-patch+json"}
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_PAGE = 500
_MOST_PAGES = 10
_TRIES = 5
_LONGEST_S = 15.0
"""One request of an action that may make several."""

Object = dict[str, Any]

CLUSTER_OPTIONS = (
    Option(
        name="url",
        type="url",
        summary="The API server; without it the cluster that quell runs in, with its service account.",
        default=IN_CLUSTER,
        example="https://k8s.example:6443",
    ),
    Option(name="token", type="secret", summary="Sent as a bearer token."),
    Option(name="token_file", type="path", summary="A file with the token, read at each request: for tokens renewed."),
    Option(name="ca_file", type="path", summary="Certificates (PEM) that the server's must be signed by."),
    Option(name="cert_file", type="path", summary="A client certificate (PEM) to show."),
    Option(name="key_file", type="path", summary="The key of the client certificate."),
    Option(name="namespace", type="text", summary="The namespace of what a step does not place.", default="default"),
)


class Conflict(Refused):
    """Somebody changed the object between reading and writing (409); nothing was done."""


class Missing(Refused):
    """There is no such object (404)."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an object lives: ``path`` of the API, and how people call it, such as ``deployment shop/checkout``."""

    path: str
    title: str


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be written: a merge patch (a mapping) or a JSON patch (a list), and to which subresource."""

    patch: Mapping[str, Any] | Sequence[Mapping[str, Any]]
    subresource: str = ""


class Cluster:
    """Raises `Unreachable`, `NoAnswer`, `Refused` (with `Conflict` and `Missing`) and `BadPayload`."""

    def __init__(self, options: Mapping[str, Any], http: Http) -> None:
        self._http = http
        self._url = str(options.get("url") or IN_CLUSTER).rstrip("/")
        self._token: Secret | None = options.get("token")
        self._identity = _identity(options, self._url)
        self.namespace = str(options.get("namespace") or "default")

    def place(self, group: str, plural: str, name: object, namespace: object = None) -> Place:
        """``group`` is such as ``apis/apps/v1``; namespace "" is for what has none. Raises `Refused` for bad names."""
        title = f"{plural.removesuffix('s')} {name}"
        within = ""
        if namespace != "":
            home = _named(namespace or self.namespace, "namespace")
            within, title = f"/namespaces/{home}", f"{plural.removesuffix('s')} {home}/{name}"
        return Place(f"/{group}{within}/{plural}/{_named(name, plural.removesuffix('s'))}", title)

    def folder(self, group: str, plural: str, namespace: object = None) -> str:
        """The path under which objects of a namespace are listed."""
        return f"/{group}/namespaces/{_named(namespace or self.namespace, 'namespace')}/{plural}"

    async def get(self, place: Place, timeout_s: float) -> Object:
        """An object."""
        answer = await self._ask("GET", place.path, place.title, timeout_s)
        return _object(answer, place.title)

    async def find(
        self, folder: str, timeout_s: float, *, labels: str = "", fields: str = "", most: int = _PAGE * _MOST_PAGES
    ) -> list[Object]:
        """The objects below a path that fit both selectors, at most so many."""
        found: list[Object] = []
        query = {"limit": str(min(_PAGE, most))}
        query |= {"labelSelector": labels} if labels else {}
        query |= {"fieldSelector": fields} if fields else {}
        for _ in range(_MOST_PAGES):
            answer = await self._ask("GET", folder, folder.rpartition("/")[2], timeout_s, query=query)
            listed = decode(answer.body, dict[str, Any])
            items = listed.get("items") or []
            if "metadata" not in listed or not all(isinstance(item, dict) for item in items):
                raise BadPayload(f"the answer of Kubernetes to GET {folder} is no list of objects", answer.body[:4096])
            found += items
            query["continue"] = str(at(listed, "metadata", "continue") or "")
            if not query["continue"] or len(found) >= most:
                break
        return found[:most]

    async def text(self, place: Place, tail: str, query: Mapping[str, str], timeout_s: float) -> str:
        """What a subresource says as text: logs."""
        answer = await self._ask("GET", f"{place.path}/{tail}", f"{tail} of {place.title}", timeout_s, query=query)
        return answer.body.decode("utf-8", "replace")

    async def patch(self, place: Place, change: Change, timeout_s: float, *, dry_run: bool = False) -> Object:
        """The object after a patch. With ``dry_run`` the API checks rights and values, and keeps nothing."""
        kind: Literal["merge", "json"] = "merge" if isinstance(change.patch, Mapping) else "json"
        answer = await self._ask(
            "PATCH",
            f"{place.path}/{change.subresource}".rstrip("/"),
            place.title,
            timeout_s,
            query={"fieldManager": "quell", **({"dryRun": "All"} if dry_run else {})},
            body=msgspec.json.encode(change.patch),
            media=_MEDIA[kind],
        )
        return _object(answer, place.title)

    async def change(
        self,
        place: Place,
        plan: Callable[[Object], Awaitable[Change | None]],
        timeout_s: float,
        *,
        dry_run: bool = False,
    ) -> tuple[Object, Object | None]:
        """Reads the object and writes what ``plan`` makes of it, reading anew when somebody else was quicker.

        Gives the object as it was read, and as it is now; None when there was nothing to do.
        """
        for turn in range(_TRIES):
            before = await self.get(place, timeout_s)
            change = await plan(before)
            if change is None:
                return before, None
            try:
                return before, await self.patch(place, change, timeout_s, dry_run=dry_run)
            except Conflict:
                await asyncio.sleep(0.02 * 2**turn)
        raise Unreachable(f"{place.title} was changed by others {_TRIES} times meanwhile; nothing was done")

    async def _ask(
        self,
        method: str,
        path: str,
        title: str,
        timeout_s: float,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        media: str = "",
    ) -> Answer:
        headers = {"Accept": "application/json"}
        headers |= {"Content-Type": media} if media else {}
        headers |= {"Authorization": f"Bearer {self._token.reveal()}"} if self._token else {}
        extra: dict[str, Any] = {} if self._identity is None else {"identity": self._identity}
        answer = await self._http.request(
            method,
            f"{self._url}{path}",
            headers=headers,
            query=dict(query or {}),
            data=body,
            timeout_s=min(timeout_s, _LONGEST_S),
            **extra,
        )
        who = f"Kubernetes ({method} {title})"
        if answer.status in (404, 409):
            try:
                checked(answer, who, (self._token,))
            except Refused as error:
                raise (Missing if answer.status == 404 else Conflict)(str(error)) from None
        return checked(answer, who, (self._token,))


def at(value: object, *names: str) -> Any:
    """What stands at a path of names, None where there is nothing."""
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def version_of(found: Object) -> dict[str, Any]:
    """The part of a merge patch that makes it count only for the object as it was read."""
    return {"resourceVersion": at(found, "metadata", "resourceVersion")}


def selector(found: object) -> str:
    """A label selector (``matchLabels``, ``matchExpressions``) as the API takes it in a query."""
    parts = [f"{name}={value}" for name, value in sorted((at(found, "matchLabels") or {}).items())]
    for rule in at(found, "matchExpressions") or []:
        name, values = at(rule, "key"), ",".join(at(rule, "values") or [])
        match at(rule, "operator"):
            case "In":
                parts.append(f"{name} in ({values})")
            case "NotIn":
                parts.append(f"{name} notin ({values})")
            case "Exists":
                parts.append(f"{name}")
            case "DoesNotExist":
                parts.append(f"!{name}")
    return ",".join(parts)


def _identity(options: Mapping[str, Any], url: str) -> Identity | None:
    """The files of the options; in the cluster itself those of the service account stand in for what is not given."""
    names = ("ca_file", "cert_file", "key_file", "token_file")
    given = {name: str(options.get(name) or "") for name in names}
    if url == IN_CLUSTER:
        given["ca_file"] = given["ca_file"] or f"{_ACCOUNT}/ca.crt"
        if not (options.get("token") or given["token_file"] or given["cert_file"]):
            given["token_file"] = f"{_ACCOUNT}/token"
    return Identity(**given) if any(given.values()) else None


def _named(name: object, what: str) -> str:
    text = str(name)
    if not _NAME.fullmatch(text):
        raise Refused(f'"{text[:80]}" is no name of a {what}; nothing was done')
    return quote(text, safe="")


def _object(answer: Answer, title: str) -> Object:
    found = decode(answer.body, dict[str, Any])
    if not isinstance(at(found, "metadata", "name"), str):
        raise BadPayload(f"the answer of Kubernetes is no {title}", answer.body[:4096])
    return found
