"""GitLab's webhooks as changes: deployments, pipelines that deploy, releases, pushes and feature flags."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from quell.model.records import ChangeRecord
from quell.sdk.change_events import Places, commit_of, files_of, kind_of_files, parts, short_text, when
from quell.sdk.parts import list_of, mapping_of, text_of
from quell.sdk.vocabulary import scalar_text

EVENTS = ("deployment", "push", "pipeline", "release", "feature_flag")


@dataclass(frozen=True, slots=True)
class Hook:
    """How a source reads them: which pipelines deploy, which branches count besides a project's own."""

    places: Places
    pipelines: Sequence[str]
    branches: Sequence[str]
    source: str
    now: float


def changes(body: Mapping[str, Any], hook: Hook) -> Iterator[ChangeRecord]:
    """The changes of an event; none for one by which nothing took effect. Raises `BadPayload`."""
    kind = text_of(body.get("object_kind"), "object_kind")
    if kind not in EVENTS:
        return
    project = mapping_of(body.get("project"), "project")
    name = text_of(project.get("path_with_namespace"), "project.path_with_namespace")
    match kind:
        case "deployment":
            yield from _deployment(body, name, hook)
        case "push":
            yield from _push(body, name, str(project.get("default_branch") or "main"), hook)
        case "pipeline":
            yield from _pipeline(body, name, hook)
        case "release":
            yield from _release(body, name, hook)
        case "feature_flag":
            yield from _flag(body, name, hook)


def _deployment(body: Mapping[str, Any], name: str, hook: Hook) -> Iterator[ChangeRecord]:
    state = text_of(body.get("status"), "status")
    if state not in {"success", "failed"}:
        return  # created, running, blocked, canceled
    environment = scalar_text(body.get("environment"))
    said = "deployed" if state == "success" else "failed to deploy"
    # The commit's address holds all of it; the other field is cut.
    commit = commit_of(scalar_text(body.get("commit_url")).rpartition("/commit/")[2]) or commit_of(
        body.get("short_sha")
    )
    yield _change(
        name,
        hook,
        identity=f"deployment/{scalar_text(body.get('deployment_id'))}/{state}",
        kind="deploy",
        at=when(body.get("status_changed_at"), hook.now),
        commit=commit,
        author=_user(body),
        summary=f"{said} {scalar_text(body.get('ref'))} to {environment}{_more(body.get('commit_title'))}",
        url=scalar_text(body.get("deployable_url")),
        labels={"environment": environment, "ref": scalar_text(body.get("ref")), "outcome": state},
    )


def _push(body: Mapping[str, Any], name: str, main: str, hook: Hook) -> Iterator[ChangeRecord]:
    """Of the project's own branch: what others hold is not in effect anywhere."""
    ref = text_of(body.get("ref"), "ref")
    branch = ref.removeprefix("refs/heads/")
    after = commit_of(body.get("after"))
    if branch == ref or not after:
        return
    if branch != main and not any(fnmatchcase(branch, pattern) for pattern in hook.branches):
        return
    commits = list_of(body.get("commits") or [], "commits")
    last: Mapping[str, Any] = commits[-1] if commits and isinstance(commits[-1], dict) else {}
    files = files_of(commits)
    fields = _fields(name, "")
    for entity, part in hook.places.of_files(name, files, fields).items():
        yield _change(
            name,
            hook,
            identity=f"push/{after}/{entity}",
            kind=kind_of_files(part),
            at=when(last.get("timestamp"), hook.now),
            commit=after,
            author=scalar_text(body.get("user_username") or body.get("user_name")),
            summary=short_text(last.get("title"), last.get("message"), f"{len(commits)} commits on {branch}"),
            url=scalar_text(last.get("url")),
            labels={"branch": branch},
            files=part,
            previous=commit_of(body.get("before")),
            entity=entity,
        )


def _pipeline(body: Mapping[str, Any], name: str, hook: Hook) -> Iterator[ChangeRecord]:
    """Of a pipeline that deploys: by its name, or by a stage of its builds."""
    told = mapping_of(body.get("object_attributes"), "object_attributes")
    state = text_of(told.get("status"), "object_attributes.status")
    stages = [scalar_text(build.get("stage")) for build in parts(body.get("builds")) if isinstance(build, dict)]
    ran = scalar_text(told.get("name"))
    fits = any(fnmatchcase(one.lower(), pattern.lower()) for one in (ran, *stages) for pattern in hook.pipelines if one)
    if state not in {"success", "failed"} or not fits:
        return
    commit = body.get("commit")
    title = commit.get("title") if isinstance(commit, dict) else None
    yield _change(
        name,
        hook,
        identity=f"pipeline/{scalar_text(told.get('id'))}/{state}",
        kind="deploy",
        at=when(told.get("finished_at"), hook.now),
        commit=commit_of(told.get("sha")),
        author=_user(body),
        summary=f"pipeline {ran or scalar_text(told.get('id'))} ended: {state}{_more(title)}",
        url=scalar_text(told.get("url")),
        labels={"branch": scalar_text(told.get("ref")), "outcome": state},
    )


def _release(body: Mapping[str, Any], name: str, hook: Hook) -> Iterator[ChangeRecord]:
    if body.get("action") != "create":
        return
    tag = text_of(body.get("tag"), "tag")
    commit = body.get("commit")
    yield _change(
        name,
        hook,
        identity=f"release/{tag}",
        kind="deploy",
        at=when(body.get("released_at") or body.get("created_at"), hook.now),
        commit=commit_of(commit.get("id")) if isinstance(commit, dict) else "",
        revision=tag,
        author="",
        summary=f"release {tag}{_more(body.get('name'))}",
        url=scalar_text(body.get("url")),
        labels={"ref": tag},
    )


def _flag(body: Mapping[str, Any], name: str, hook: Hook) -> Iterator[ChangeRecord]:
    told = mapping_of(body.get("object_attributes"), "object_attributes")
    flag = text_of(told.get("name"), "object_attributes.name")
    active = told.get("active")
    state = "" if not isinstance(active, bool) else "on" if active else "off"
    yield _change(
        name,
        hook,
        identity="",  # the event has none, and a flag may be switched again and again
        kind="flag",
        at=hook.now,
        revision=state,
        author=_user(body),
        summary=f"feature flag {flag} is {state or 'another'}",
        url="",
        labels={"flag": flag},
    )


def _change(
    name: str, hook: Hook, *, identity: str, kind: Any, at: float, author: str, summary: str, url: str,
    labels: Mapping[str, str], commit: str = "", revision: str = "", previous: str = "",
    files: Sequence[str] = (), entity: str | None = None,
) -> ChangeRecord:  # fmt: skip
    return ChangeRecord(
        at=at,
        seen=hook.now,
        source=hook.source,
        id=f"gitlab/{name}/{identity}"[:400] if identity else "",
        type=kind,
        entity=hook.places.of(name, _fields(name, labels.get("environment", ""))) if entity is None else entity,
        labels={"repo": name, **{label: value[:256] for label, value in labels.items() if value}},
        revision=revision or commit,
        previous=previous,
        commit=commit,
        author=author[:256],
        summary=summary[:2000],
        files=list(files),
        url=url[:2000],
    )


def _fields(name: str, environment: str) -> dict[str, str]:
    return {"repo": name.rpartition("/")[2], "owner": name.rpartition("/")[0], "env": environment}


def _user(body: Mapping[str, Any]) -> str:
    user = body.get("user")
    return scalar_text(user.get("username") or user.get("name")) if isinstance(user, dict) else ""


def _more(text: Any) -> str:
    said = short_text(text)
    return f": {said}" if said else ""
