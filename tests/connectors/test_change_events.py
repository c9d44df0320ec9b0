"""Webhooks of forges, Argo CD and flag services: what took effect becomes a change, the rest is answered."""

from __future__ import annotations

import copy
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.deliveries import built, golden, never_chokes, posted
from connectors.monitors import changes
from quell.errors import BadPayload, Misconfigured, Refused
from quell.model.records import ChangeRecord
from quell.sdk.change_events import kind_of_files, when
from quell.sdk.connector import Call, Connector, Received, Request
from quell.sdk.secret import Secret
from quell.sdk.signatures import Bearer, Hmac, refusal
from quell.sdk.testkit import NOW, FakeHttp, run
from quell_connectors.argocd import ArgoCD
from quell_connectors.flagsmith import Flagsmith
from quell_connectors.github import GitHub
from quell_connectors.gitlab import GitLab
from quell_connectors.launchdarkly import LaunchDarkly
from quell_connectors.unleash import Unleash

SHA, BEFORE = "a" * 40, "b" * 40
GITHUB = {"repository": {"full_name": "octo/checkout", "default_branch": "main"}, "sender": {"login": "mona"}}
DEPLOYED = {
    **GITHUB,
    "action": "created",
    "deployment_status": {"state": "success", "environment": "production", "updated_at": "2026-03-01T09:58:00Z",
                          "log_url": "https://ci.example/7", "description": "all well"},
    "deployment": {"id": 7, "sha": SHA, "ref": "v1.4", "environment": "production", "creator": {"login": "hubot"}},
}  # fmt: skip
PUSHED = {
    **GITHUB, "ref": "refs/heads/main", "before": BEFORE, "after": SHA, "deleted": False,
    "compare": "https://github.example/octo/checkout/compare/b...a",
    "head_commit": {"id": SHA, "message": "Round amounts\n\nmore", "timestamp": "2026-03-01T10:50:00+01:00"},
    "commits": [{"id": SHA, "message": "Round", "added": ["a.py"], "modified": ["b.py", "a.py"], "removed": []}],
}  # fmt: skip
RUN = {
    **GITHUB,
    "action": "completed",
    "workflow_run": {"id": 30, "run_attempt": 1, "name": "Deploy to production", "head_sha": SHA, "head_branch": "main",
                     "conclusion": "success", "updated_at": "2026-03-01T09:59:00Z", "display_title": "Round amounts",
                     "html_url": "https://github.example/runs/30", "actor": {"login": "mona"}},
}  # fmt: skip
RELEASED = {**GITHUB, "action": "published",
            "release": {"id": 3, "tag_name": "v2", "name": "Second", "published_at": "2026-03-01T09:00:00Z",
                        "author": {"login": "mona"}, "html_url": "https://github.example/r/3"}}  # fmt: skip
GITLAB = {"project": {"path_with_namespace": "shop/cart", "default_branch": "main"}, "user": {"username": "ada"}}
GITLAB_DEPLOYED = {
    **GITLAB, "object_kind": "deployment", "status": "success", "status_changed_at": "2026-03-01 10:55:00 +0100",
    "deployment_id": 15, "deployable_url": "https://gitlab.example/shop/cart/-/jobs/796", "environment": "production",
    "short_sha": "279484c0", "commit_url": f"https://gitlab.example/shop/cart/-/commit/{SHA}",
    "commit_title": "Add new file", "ref": "main",
}  # fmt: skip
LAUNCHDARKLY = {
    "_id": "5ed7", "date": (NOW - 60) * 1000, "kind": "flag", "name": "New checkout",
    "accesses": [{"action": "updateOn", "resource": "proj/shop:env/production:flag/new-checkout;a1b2"}],
    "target": {"name": "New checkout", "resources": ["proj/shop:env/production:flag/new-checkout;a1b2"]},
    "member": {"email": "ada@shop.example"}, "title": "Ada turned on the flag", "comment": "ten percent",
    "previousVersion": {"environments": {"production": {"on": False}}},
    "currentVersion": {"environments": {"production": {"on": True}}},
}  # fmt: skip
UNLEASH = {"id": 919, "type": "feature-environment-enabled", "createdBy": "ada", "createdAt": "2026-03-01T09:59:00Z",
           "project": "shop", "environment": "production", "featureName": "new-checkout", "data": None}  # fmt: skip
FLAGSMITH = {
    "event_type": "FLAG_UPDATED",
    "data": {
        "changed_by": "ada@shop.example", "timestamp": "2026-03-01T09:59:00.295598Z",
        "new_state": {"enabled": True, "environment": {"id": 23, "name": "Production"}, "feature_state_value": "s3cret",
                      "feature": {"id": 2, "name": "new_checkout", "project": {"id": 1, "name": "shop"}},
                      "feature_segment": None, "identity": None, "identity_identifier": None},
        "previous_state": {"enabled": False},
    },
}  # fmt: skip


def sent(kind: type[Connector], body: Any, event: str = "", **options: Any) -> Received:
    given: dict[str, Any] = {"url": "https://x.example", **options}
    got: Received = built(kind, **given).receive(posted(body, x_github_event=event), NOW)
    assert got.reply.status == 200
    return got


def only(got: Received) -> ChangeRecord:
    [change] = changes(got)
    return change


def test_a_deployment_of_github() -> None:
    one = only(sent(GitHub, DEPLOYED, "deployment_status"))
    assert (one.type, one.entity, one.commit, one.revision, one.author) == (
        "deploy",
        "service/checkout",
        SHA,
        SHA,
        "hubot",
    )
    assert one.summary == "deployed v1.4 to production: all well"
    assert one.labels == {"repo": "octo/checkout", "environment": "production", "ref": "v1.4", "outcome": "success"}
    assert (one.at, one.url, one.id) == (NOW - 120, "https://ci.example/7", "github/octo/checkout/deployment/7/success")
    for state in ("queued", "pending", "in_progress", "inactive"):
        under_way = {**DEPLOYED, "deployment_status": {"state": state}}
        assert changes(sent(GitHub, under_way, "deployment_status")) == []
    failed = only(sent(GitHub, {**DEPLOYED, "deployment_status": {"state": "failure"}}, "deployment_status"))
    assert failed.summary == "failed to deploy v1.4 to production"


def test_a_push_is_a_change_of_what_its_files_are() -> None:
    one = only(sent(GitHub, PUSHED, "push"))
    assert (one.type, one.files, one.previous, one.author) == ("config", ["a.py", "b.py"], BEFORE, "mona")
    assert (one.summary, one.at) == ("Round amounts", NOW - 600)
    assert changes(sent(GitHub, {**PUSHED, "ref": "refs/heads/try"}, "push")) == []
    assert changes(sent(GitHub, {**PUSHED, "ref": "refs/tags/v1"}, "push")) == []
    assert len(changes(sent(GitHub, {**PUSHED, "ref": "refs/heads/try"}, "push", branches=["tr*"]))) == 1
    mono = {**PUSHED, "commits": [{"added": ["cart/a.py", "pay/b.py", "pay/prompts/c.md", "docs/x.md"]}]}
    places = {"octo/checkout:cart/*": "service/cart", "octo/checkout:pay/*": "service/pay"}
    found = {one.entity: one.files for one in changes(sent(GitHub, mono, "push", entities=places))}
    assert found == {"service/cart": ["cart/a.py"], "service/pay": ["pay/b.py", "pay/prompts/c.md"],
                     "service/checkout": ["docs/x.md"]}  # fmt: skip


def test_workflows_that_deploy_and_releases() -> None:
    one = only(sent(GitHub, RUN, "workflow_run"))
    assert (one.type, one.commit, one.labels["workflow"]) == ("deploy", SHA, "Deploy to production")
    assert one.summary == "workflow Deploy to production ended: success: Round amounts"
    run_ = RUN["workflow_run"]
    assert isinstance(run_, dict)
    assert changes(sent(GitHub, {**RUN, "workflow_run": {**run_, "name": "tests"}}, "workflow_run")) == []
    assert changes(sent(GitHub, {**RUN, "action": "requested"}, "workflow_run")) == []
    release = only(sent(GitHub, RELEASED, "release"))
    assert (release.revision, release.summary) == ("v2", "release v2 published: Second")


def test_events_that_are_not_used_are_answered() -> None:
    got = sent(GitHub, {"zen": "Keep it logically awesome."}, "ping")
    assert msgspec.json.decode(got.reply.body) == {
        "changes": 0, "note": '"ping" is not used; send deployment_status, push, release, workflow_run'
    }  # fmt: skip
    with pytest.raises(BadPayload, match="set its content type to application/json"):
        built(GitHub).receive(Request("POST", "/in/x", b"payload=%7B%7D",
                                      {"content-type": "application/x-www-form-urlencoded"}), NOW)  # fmt: skip


@pytest.mark.parametrize(
    ("event", "body", "said"),
    [
        ("push", {"ref": "refs/heads/main"}, "repository: expected an object, not null"),
        ("push", {**GITHUB, "ref": 7}, "ref: expected text, not a number"),
        ("deployment_status", {**GITHUB, "deployment_status": {}}, "deployment: expected an object, not null"),
        ("deployment_status", {**DEPLOYED, "deployment_status": {}}, "deployment_status.state: expected text"),
        ("release", {**RELEASED, "release": {}}, "release.tag_name: expected text, not null"),
    ],
)
def test_what_cannot_be_read_is_named(event: str, body: Any, said: str) -> None:
    with pytest.raises(BadPayload, match=said):
        sent(GitHub, body, event)


def test_deployments_pipelines_releases_pushes_and_flags_of_gitlab() -> None:
    one = only(sent(GitLab, GITLAB_DEPLOYED))
    assert (one.entity, one.commit, one.author, one.at) == ("service/cart", SHA, "ada", NOW - 300)
    assert one.summary == "deployed main to production: Add new file"
    assert changes(sent(GitLab, {**GITLAB_DEPLOYED, "status": "running"})) == []
    pipeline = {**GITLAB, "object_kind": "pipeline", "builds": [{"stage": "test"}, {"stage": "deploy"}],
                "object_attributes": {"id": 31, "ref": "main", "sha": SHA, "status": "success", "url": "https://g/31",
                                      "finished_at": "2026-03-01 09:59:00 UTC"},
                "commit": {"title": "Round"}}  # fmt: skip
    ran = only(sent(GitLab, pipeline))
    assert (ran.summary, ran.at, ran.commit) == ("pipeline 31 ended: success: Round", NOW - 60, SHA)
    assert changes(sent(GitLab, {**pipeline, "builds": [{"stage": "test"}]})) == []
    push = {**GITLAB, "object_kind": "push", "ref": "refs/heads/main", "before": "0" * 40, "after": SHA,
            "user_username": "ada", "commits": [{"title": "New tone", "added": ["prompts/a.txt"]}]}  # fmt: skip
    pushed = only(sent(GitLab, push))
    assert (pushed.type, pushed.previous, pushed.files) == ("prompt", "", ["prompts/a.txt"])
    assert changes(sent(GitLab, {**push, "after": "0" * 40})) == []
    release = {**GITLAB, "object_kind": "release", "action": "create", "tag": "v1.1", "name": "One",
               "commit": {"id": SHA}, "released_at": "2026-03-01 09:00:00 UTC"}  # fmt: skip
    assert only(sent(GitLab, release)).revision == "v1.1"
    flag = {**GITLAB, "object_kind": "feature_flag", "object_attributes": {"name": "new", "active": True}}
    assert (only(sent(GitLab, flag)).type, only(sent(GitLab, flag)).revision) == ("flag", "on")
    assert b"is not used" in sent(GitLab, {"object_kind": "note"}).reply.body


def test_argo_cd_sends_the_application_or_fields_of_it() -> None:
    app = golden("argocd_application.json")
    app["status"]["operationState"] = {
        "phase": "Succeeded", "finishedAt": "2026-03-01T09:59:00Z", "message": "successfully synced",
        "syncResult": {"revision": SHA}, "operation": {"initiatedBy": {"automated": True}},
    }  # fmt: skip
    app["status"]["history"] = [{"revision": BEFORE}, {"revision": SHA}]
    one = only(sent(ArgoCD, {"app": app}))
    name = app["metadata"]["name"]
    assert (one.type, one.entity, one.revision, one.previous) == ("deploy", f"service/{name}", SHA, BEFORE)
    assert (one.commit, one.author, one.at) == (SHA, "auto-sync", NOW - 60)
    fields = {
        "app": "cart",
        "phase": "Failed",
        "revision": SHA,
        "finished": "2026-03-01T09:59:00Z",
        "message": "no CRD",
    }
    failed = only(sent(ArgoCD, fields, entities={"ca*": "service/basket"}))
    assert (failed.entity, failed.summary) == ("service/basket", f"failed to sync cart to {SHA[:12]}: no CRD")
    assert changes(sent(ArgoCD, {**fields, "phase": "Running"})) == []
    with pytest.raises(BadPayload, match='phase: "Done" is none of Argo CD'):
        sent(ArgoCD, {**fields, "phase": "Done"})
    with pytest.raises(BadPayload, match="app: expected text, not null"):
        sent(ArgoCD, {})


@pytest.mark.parametrize(
    ("kind", "body", "flag", "environment"),
    [
        (LaunchDarkly, LAUNCHDARKLY, "new-checkout", "production"),
        (Unleash, UNLEASH, "new-checkout", "production"),
        (Flagsmith, FLAGSMITH, "new_checkout", "Production"),
    ],
)
def test_a_flag_that_was_switched(kind: type[Connector], body: Any, flag: str, environment: str) -> None:
    one = only(sent(kind, body))
    assert (one.type, one.entity, one.previous, one.revision) == ("flag", f"flag/{flag}", "off", "on")
    assert one.labels == {"flag": flag, "project": "shop", "environment": environment}
    assert one.author.startswith("ada")
    assert one.at == pytest.approx(NOW - 60, abs=1)
    assert one.id
    assert "s3cret" not in repr(one)
    placed = only(sent(kind, body, entities={"new*": "service/checkout"}))
    assert placed.entity == "service/checkout"


def test_flag_events_without_effect_are_none() -> None:
    assert changes(sent(Unleash, {**UNLEASH, "type": "feature-tagged"})) == []
    assert changes(sent(Unleash, {**UNLEASH, "type": "user-created"})) == []
    assert only(sent(Unleash, {**UNLEASH, "type": "feature-strategy-update"})).revision == ""
    assert changes(sent(LaunchDarkly, {**LAUNCHDARKLY, "kind": "member"})) == []
    assert changes(sent(Flagsmith, {**FLAGSMITH, "event_type": "AUDIT_LOG_CREATED"})) == []
    with pytest.raises(BadPayload, match=r"target\.resources: expected resources such as"):
        sent(LaunchDarkly, {**LAUNCHDARKLY, "target": {}})
    with pytest.raises(BadPayload, match=r"target\.resources: expected resources such as"):
        sent(LaunchDarkly, {**LAUNCHDARKLY, "target": {"resources": True}})
    with pytest.raises(BadPayload, match="featureName: expected text, not null"):
        sent(Unleash, {**UNLEASH, "featureName": None})
    with pytest.raises(BadPayload, match="data: expected an object, not a number"):
        sent(Flagsmith, {"event_type": "FLAG_UPDATED", "data": 7})


def test_the_senders_own_signatures_are_those_that_auth_checks() -> None:
    # GitHub's documentation gives this secret, payload and signature to test with.
    hub = Hmac(secrets=(Secret("It's a Secret to Everybody"),), header="x-hub-signature-256", prefix="sha256=")
    shown = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    good = Request("POST", "/in/github", b"Hello, World!", {"x-hub-signature-256": shown})
    assert refusal(good, hub, NOW) == ""
    assert refusal(Request("POST", "/in/github", b"Hello, world!", good.headers), hub, NOW) != ""
    lab = Bearer(secrets=(Secret("t"),), header="x-gitlab-token")
    assert refusal(Request("POST", "/in/gitlab", b"{}", {"x-gitlab-token": "t"}), lab, NOW) == ""
    assert refusal(Request("POST", "/in/gitlab", b"{}", {"x-gitlab-token": "u"}), lab, NOW) != ""


@pytest.mark.parametrize("kind", [GitHub, GitLab, LaunchDarkly, Unleash, Flagsmith])
def test_without_a_token_changes_are_taken_and_nothing_is_done(kind: type[Connector]) -> None:
    http = FakeHttp()
    made = built(kind, http, url="https://x.example", project="p", environment="e")
    params = {"flag": "f", "title": "t", "key": "k", "repo": "a/b"}
    action = "flag_off" if kind in (LaunchDarkly, Unleash, Flagsmith) else "ticket"
    with pytest.raises(Refused, match='needs the option "token" of the source; nothing was asked'):
        run(made.act(Call("k", action, params, NOW)))
    assert http.sent == []


def test_kinds_of_files_times_and_places() -> None:
    assert kind_of_files(["db/migrations/1.py", "a.sql"]) == "schema"
    assert kind_of_files(["prompts/a.txt"]) == "prompt"
    assert kind_of_files(["prompts/a.txt", "b.py"]) == "config"
    assert kind_of_files([]) == "config"
    assert when("2026-03-01 10:00:00 +0530", NOW) == NOW - 5.5 * 3600
    assert when("soon", NOW) == when(None, NOW) == when(NOW + 7200, NOW) == NOW
    with pytest.raises(Misconfigured, match='entity: "cart" is none'):
        built(GitLab, entities={"a": "cart"})


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
EXAMPLES: list[tuple[type[Connector], str, Any]] = [
    (GitHub, "deployment_status", DEPLOYED), (GitHub, "push", PUSHED), (GitHub, "workflow_run", RUN),
    (GitHub, "release", RELEASED), (GitLab, "", GITLAB_DEPLOYED), (LaunchDarkly, "", LAUNCHDARKLY),
    (Unleash, "", UNLEASH), (Flagsmith, "", FLAGSMITH), (ArgoCD, "", {"app": golden("argocd_application.json")}),
]  # fmt: skip


@given(data=st.data())
def test_none_of_them_chokes(data: st.DataObject) -> None:
    kind, event, body = data.draw(st.sampled_from(EXAMPLES))
    report = copy.deepcopy(body)
    target: Any = report
    while isinstance(target, (dict, list)) and target:
        choices = sorted(target) if isinstance(target, dict) else range(len(target))
        key = data.draw(st.sampled_from(choices))
        if not isinstance(target[key], (dict, list)) or data.draw(st.integers(0, 4)) == 0:
            target[key] = data.draw(VALUES)
            break
        target = target[key]
    try:
        raw = msgspec.json.encode(report)
    except (UnicodeEncodeError, OverflowError):
        return
    never_chokes(built(kind, url="https://x.example"), posted(raw, x_github_event=event))
