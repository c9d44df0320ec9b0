"""GitHub's webhooks as changes: what was deployed, released, run by a deploy workflow, or pushed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from quell.model.records import ChangeRecord
from quell.sdk.change_events import Places, commit_of, files_of, kind_of_files, short_text, type_of, when
from quell.sdk.parts import list_of, mapping_of, text_of
from quell.sdk.vocabulary import scalar_text

EVENTS = ("deployment_status", "push", "release", "workflow_run")
_ENDED = {"success": "deployed", "failure": "failed to deploy", "error": "failed to deploy"}


@dataclass(frozen=True, slots=True)
class Hook:
    """How a source reads them: which workflows deploy, which branches count besides a repository's own."""

    places: Places
    workflows: Sequence[str]
    branches: Sequence[str]
    source: str
    now: float


def changes(event: str, body: Mapping[str, Any], hook: Hook) -> Iterator[ChangeRecord]:
    """The changes of an event; none for one by which nothing took effect. Raises `BadPayload`."""
    if event not in EVENTS:
        return
    repository = mapping_of(body.get("repository"), "repository")
    name = text_of(repository.get("full_name"), "repository.full_name")
    match event:
        case "deployment_status":
            yield from _deployment(body, name, hook)
        case "push":
            yield from _push(body, name, str(repository.get("default_branch") or "main"), hook)
        case "release":
            yield from _release(body, name, hook)
        case "workflow_run":
            yield from _workflow(body, name, hook)


def _deployment(body: Mapping[str, Any], name: str, hook: Hook) -> Iterator[ChangeRecord]:
    status = mapping_of(body.get("deployment_status"), "deployment_status")
    deployment = mapping_of(body.get("deployment"), "deployment")
    state = text_of(status.get("state"), "deployment_status.state")
    if state not in _ENDED:
        return  # queued, pending, in progress, inactive
    environment = scalar_text(status.get("environment") or deployment.get("environment"))
    ref = scalar_text(deployment.get("ref"))
    payload = deployment.get("payload")
    kind = payload.get("change_type") if isinstance(payload, dict) else None
    yield _change(
        name,
        hook,
        identity=f"deployment/{scalar_text(deployment.get('id'))}/{state}",
        kind=type_of(kind, "deploy"),
        at=when(status.get("updated_at") or status.get("created_at"), hook.now),
        commit=commit_of(deployment.get("sha")),
        author=_login(deployment.get("creator")) or _login(body.get("sender")),
        summary=f"{_ENDED[state]} {ref or name} to {environment}"
        + _more(status.get("description") or deployment.get("description")),
        url=scalar_text(status.get("log_url") or status.get("target_url")),
        labels={"environment": environment, "ref": ref, "outcome": state},
    )


def _push(body: Mapping[str, Any], name: str, main: str, hook: Hook) -> Iterator[ChangeRecord]:
    """Of the repository's own branch: what others hold is not in effect anywhere."""
    ref = text_of(body.get("ref"), "ref")
    branch = ref.removeprefix("refs/heads/")
    if branch == ref or body.get("deleted") is True:
        return
    if branch != main and not any(fnmatchcase(branch, pattern) for pattern in hook.branches):
        return
    commits = list_of(body.get("commits") or [], "commits")
    head = body.get("head_commit")
    last: Mapping[str, Any] = head if isinstance(head, dict) else {}
    files = files_of([*commits, *([last] if last and not commits else [])])
    after = commit_of(body.get("after"))
    fields = {"repo": name.rpartition("/")[2], "owner": name.partition("/")[0]}
    for entity, part in hook.places.of_files(name, files, fields).items():
        yield _change(
            name,
            hook,
            identity=f"push/{after}/{entity}",
            kind=kind_of_files(part),
            at=when(last.get("timestamp"), hook.now),
            commit=after,
            author=_login(body.get("sender")) or _named(last.get("author")),
            summary=short_text(last.get("message"), f"{len(commits)} commits on {branch}"),
            url=scalar_text(body.get("compare")),
            labels={"branch": branch},
            files=part,
            previous=commit_of(body.get("before")),
            entity=entity,
        )


def _release(body: Mapping[str, Any], name: str, hook: Hook) -> Iterator[ChangeRecord]:
    if body.get("action") != "published":
        return
    release = mapping_of(body.get("release"), "release")
    tag = text_of(release.get("tag_name"), "release.tag_name")
    yield _change(
        name,
        hook,
        identity=f"release/{scalar_text(release.get('id')) or tag}",
        kind="deploy",
        at=when(release.get("published_at"), hook.now),
        revision=tag,
        author=_login(release.get("author")),
        summary=f"release {tag} published{_more(release.get('name'))}",
        url=scalar_text(release.get("html_url")),
        labels={"ref": tag},
    )


def _workflow(body: Mapping[str, Any], name: str, hook: Hook) -> Iterator[ChangeRecord]:
    """Of a workflow that deploys, by its name."""
    if body.get("action") != "completed":
        return
    run = mapping_of(body.get("workflow_run"), "workflow_run")
    workflow = text_of(run.get("name"), "workflow_run.name")
    if not any(fnmatchcase(workflow.lower(), pattern.lower()) for pattern in hook.workflows):
        return
    outcome = scalar_text(run.get("conclusion"))
    if outcome not in {"success", "failure", "timed_out", "cancelled"}:
        return
    yield _change(
        name,
        hook,
        identity=f"workflow/{scalar_text(run.get('id'))}/{scalar_text(run.get('run_attempt'))}",
        kind="deploy",
        at=when(run.get("updated_at"), hook.now),
        commit=commit_of(run.get("head_sha")),
        author=_login(run.get("triggering_actor")) or _login(run.get("actor")),
        summary=f"workflow {workflow} ended: {outcome}{_more(run.get('display_title'))}",
        url=scalar_text(run.get("html_url")),
        labels={"branch": scalar_text(run.get("head_branch")), "workflow": workflow, "outcome": outcome},
    )


def _change(
    name: str, hook: Hook, *, identity: str, kind: Any, at: float, author: str, summary: str, url: str,
    labels: Mapping[str, str], commit: str = "", revision: str = "", previous: str = "",
    files: Sequence[str] = (), entity: str | None = None,
) -> ChangeRecord:  # fmt: skip
    fields = {"repo": name.rpartition("/")[2], "owner": name.partition("/")[0], "env": labels.get("environment", "")}
    return ChangeRecord(
        at=at,
        seen=hook.now,
        source=hook.source,
        id=f"github/{name}/{identity}"[:400],
        type=kind,
        entity=hook.places.of(name, fields) if entity is None else entity,
        labels={"repo": name, **{label: value[:256] for label, value in labels.items() if value}},
        revision=revision or commit,
        previous=previous,
        commit=commit,
        author=author[:256],
        summary=summary[:2000],
        files=list(files),
        url=url[:2000],
    )


def _login(part: Any) -> str:
    return scalar_text(part.get("login")) if isinstance(part, dict) else ""


def _named(part: Any) -> str:
    return scalar_text(part.get("username") or part.get("name")) if isinstance(part, dict) else ""


def _more(text: Any) -> str:
    said = short_text(text)
    return f": {said}" if said else ""
