from __future__ import annotations

import json
from typing import Any

import pytest

from connectors.argocd_server import ArgoServer
from connectors.serving import KEY, Act, serve
from quell.errors import BadPayload, NoAnswer, Refused, Unreachable
from quell.sdk.connector import Call, Context
from quell.sdk.http import Answer
from quell.sdk.identity import Identity
from quell.sdk.secret import Secret
from quell.sdk.testkit import NOW, FakeHttp, run
from quell_connectors.argocd import ArgoCD

GOOD, BAD, NEW = "8" * 40, "9" * 40, "a" * 40


@pytest.fixture(autouse=True)
def without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quell_connectors.argocd.connector._CHECK_S", 0.0)


def at_argo(work: Any, **changes: Any) -> ArgoServer:
    server = ArgoServer()
    for name, value in changes.items():
        setattr(server, name, value)

    async def inner(act: Act) -> None:
        await work(server, act)

    serve(ArgoCD, server, inner, token=Secret("t0ken-abc"))
    return server


def deployed(server: ArgoServer) -> str:
    return str(server.app["status"]["history"][-1]["revision"])


def automated(server: ArgoServer) -> Any:
    return server.app["spec"]["syncPolicy"].get("automated")


@pytest.mark.parametrize("to", ["6", GOOD, "8888888"])
def test_a_rollback_turns_auto_sync_off_and_waits_and_the_undo_turns_it_on(to: str) -> None:
    async def work(server: ArgoServer, act: Act) -> None:
        before = await act("rollback_state", app="checkout", to=to)
        assert before.sentence == "checkout runs 9999999 (history 7); auto-sync is on"
        undo = {name: before.output[name] for name in ("to", "auto_sync", "automated", "bad")}
        assert undo == {"to": "7", "auto_sync": True, "automated": {"prune": True, "selfHeal": True}, "bad": GOOD}
        assert before.output["already"] is False

        done = await act("rollback", app="checkout", to=to, bad="9999999")
        assert done.sentence.startswith("checkout runs 8888888 (history ")
        assert (deployed(server), automated(server)) == (GOOD, None)
        [off, begun] = server.written()
        assert json.loads(off[2]) == {
            "name": "checkout", "patch": '{"spec":{"syncPolicy":{"automated":null}}}', "patchType": "merge"
        }  # fmt: skip
        assert begun[:2] == ("POST", "/api/v1/applications/checkout/rollback")
        assert json.loads(begun[2]) == {"name": "checkout", "id": 6, "prune": False}
        assert server.headers[0]["Authorization"] == "Bearer t0ken-abc"

        again = await act("rollback", app="checkout", to=to)
        assert again.sentence.endswith("already; left as it is")
        assert (await act("rollback_state", app="checkout", to=to)).output["already"] is True
        undone = await act("restore", app="checkout", **undo)
        assert undone.sentence == "auto-sync of checkout is on again; Argo CD goes to main by itself"
        assert automated(server) == {"prune": True, "selfHeal": True}
        assert (await act("restore", app="checkout", **undo)).output["changed"] is False

    at_argo(work)


def test_what_a_person_had_turned_off_stays_off() -> None:
    async def work(server: ArgoServer, act: Act) -> None:
        del server.app["spec"]["syncPolicy"]["automated"]
        before = await act("rollback_state", app="checkout", to=GOOD)
        await act("rollback", app="checkout", to=GOOD)
        undo = {name: before.output[name] for name in ("to", "auto_sync", "automated", "bad")}
        done = await act("restore", app="checkout", call_key="R-1/s/undo", **undo)
        assert done.sentence == "checkout runs 9999999 (history 7)"
        assert (deployed(server), automated(server)) == (BAD, None)
        assert [method for method, _, _ in server.written()] == ["POST", "POST"]

    at_argo(work)


def test_what_came_after_is_not_taken_back() -> None:
    async def work(server: ArgoServer, act: Act) -> None:
        done = await act("rollback", app="checkout", to="5", bad=GOOD)
        assert done.sentence == 'checkout runs 9999999 (history 7), not "8888888"; left as it is'
        done = await act("restore", app="checkout", to="5", bad=GOOD)
        assert done.output["changed"] is False
        assert (await act("rollback_state", app="checkout", to="5", bad=GOOD)).output["already"] is True
        assert not server.written()

    at_argo(work)


@pytest.mark.parametrize("lost", [1, 2])
@pytest.mark.parametrize("fault", ["lost", "cut"])
@pytest.mark.parametrize("restarted", [False, True])
def test_a_repeat_after_a_lost_answer_deploys_once(lost: int, fault: str, restarted: bool) -> None:
    async def work(server: ArgoServer, act: Act) -> None:
        server.faults = [None] * lost + [fault]
        with pytest.raises(NoAnswer):
            await act("rollback", app="checkout", to=GOOD)
        if restarted:  # the operation goes on while quell does not look
            server.stale = False
            for _ in range(3):
                server._read()
        done = await act("rollback", app="checkout", to=GOOD)
        assert "runs 8888888" in done.sentence
        assert server.started == 1

    at_argo(work)


@pytest.mark.parametrize("action", ["rollback", "sync"])
def test_a_failed_operation_says_what_argo_said(action: str) -> None:
    async def work(server: ArgoServer, act: Act) -> None:
        del server.app["spec"]["syncPolicy"]["automated"]
        server.outcome = "Failed"
        with pytest.raises(Refused, match=r"Argo CD could not .*: one or more objects failed to apply"):
            await act(action, app="checkout", to=GOOD)
        assert deployed(server) == BAD

    at_argo(work)


def test_a_failed_rollback_may_be_tried_anew() -> None:
    async def work(server: ArgoServer, act: Act) -> None:
        server.outcome = "Failed"
        with pytest.raises(Refused, match="failed to apply; auto-sync is off"):
            await act("rollback", app="checkout", to=GOOD)
        await act("rollback", app="checkout", to=GOOD)
        assert deployed(server) == GOOD

    at_argo(work)


def test_a_refused_rollback_leaves_auto_sync_as_it_was() -> None:
    async def work(server: ArgoServer, act: Act) -> None:
        with pytest.raises(Refused, match="permission denied: applications, sync"):
            await act("rollback", app="checkout", to=GOOD)
        assert automated(server) == {"prune": True, "selfHeal": True}

    at_argo(work, denied={"sync"})


def test_a_rollback_that_argo_has_no_time_for_leaves_auto_sync_as_it_was() -> None:
    async def work(server: ArgoServer, act: Act) -> None:
        server.faults = [None, None, 503]
        with pytest.raises(Unreachable, match="answered 503"):
            await act("rollback", app="checkout", to=GOOD)
        assert automated(server) == {"prune": True, "selfHeal": True}
        assert server.started == 0

    at_argo(work)


def test_a_rollback_that_somebody_has_begun_is_theirs() -> None:
    async def work(server: ArgoServer, act: Act) -> None:
        server.stale = False
        server.app["operation"] = {"sync": {"revision": GOOD}, "initiatedBy": {"username": "ana"}}
        assert (await act("rollback_state", app="checkout", to=GOOD)).output["already"] is True

    at_argo(work)


def test_an_operation_under_way_is_left_or_ended_as_the_step_says() -> None:
    async def work(server: ArgoServer, act: Act) -> None:
        server.stale, server.steps = False, 99
        server.app["operation"] = {"sync": {"revision": NEW}, "initiatedBy": {"automated": True}}
        server.app["status"]["operationState"] |= {"phase": "Running", "message": "waiting for healthy state"}
        server._left = 99
        with pytest.raises(Unreachable, match=r"checkout is busy: auto-sync deploys aaaaaaa .*Set terminate: true"):
            await act("rollback", app="checkout", to=GOOD)
        with pytest.raises(Unreachable, match="checkout is busy"):
            await act("sync", app="checkout")
        assert not server.written()
        server.steps = 1
        await act("rollback", app="checkout", to=GOOD, bad=NEW, terminate=True)
        assert [method for method, _, _ in server.written()] == ["DELETE", "PATCH", "POST"]
        assert deployed(server) == GOOD

    at_argo(work)


@pytest.mark.parametrize("fault", ["lost", "cut"])
def test_a_sync_is_found_by_its_note(fault: str) -> None:
    async def work(server: ArgoServer, act: Act) -> None:
        server.faults = [None, fault]
        with pytest.raises(NoAnswer):
            await act("sync", app="checkout")
        done = await act("sync", app="checkout")
        assert done.sentence == "checkout is synced to main"
        assert server.started == 1
        assert json.loads(server.written()[0][2])["infos"] == [{"name": "quell", "value": KEY}]
        assert (await act("sync", app="checkout")).output["changed"] is True
        assert server.started == 1

    at_argo(work)


def test_a_sync_to_a_revision_needs_auto_sync_off() -> None:
    async def work(server: ArgoServer, act: Act) -> None:
        with pytest.raises(Refused, match="follows main: it can be rolled back, not synced to 8888888"):
            await act("sync", app="checkout", to=GOOD)
        state = await act("sync_state", app="checkout", to=BAD)
        assert (state.output["already"], state.output["to"], state.output["bad"]) == (True, "7", BAD)
        assert (await act("sync_state", app="checkout", to=GOOD)).output["already"] is False
        assert (await act("sync_state", app="checkout")).output["already"] is True
        dry = await act("sync", app="checkout", dry_run=True)
        assert dry.sentence == "checkout would be synced to main; 9999999 (history 7) is deployed"
        assert not server.written()

    at_argo(work)


@pytest.mark.parametrize(
    ("mark", "keeper"),
    [
        ({"ownerReferences": [{"kind": "ApplicationSet", "name": "shops"}]}, 'ApplicationSet "shops"'),
        ({"annotations": {"argocd.argoproj.io/tracking-id": "root:argoproj.io/Application:argocd/checkout"}},
         'application "root"'),
    ],
)  # fmt: skip
def test_auto_sync_that_others_keep_on_is_not_turned_off(mark: Any, keeper: str) -> None:
    async def work(server: ArgoServer, act: Act) -> None:
        server.app["metadata"] |= mark
        with pytest.raises(Refused, match=f"is kept on by {keeper}, which would turn it on again"):
            await act("rollback", app="checkout", to=GOOD, dry_run=True)
        await act("rollback", app="checkout", to=GOOD, managed="go_on")
        assert deployed(server) == GOOD

    at_argo(work)


def test_a_dry_run_reads_and_asks_for_its_rights() -> None:
    async def work(server: ArgoServer, act: Act) -> None:
        done = await act("rollback", app="checkout", to=GOOD, dry_run=True)
        assert done.sentence == (
            "checkout would run 8888888 (history 6) instead of 9999999 (history 7); auto-sync would be off"
        )
        server.denied = {"update"}
        with pytest.raises(Refused, match="does not allow our account to update checkout"):
            await act("rollback", app="checkout", to=GOOD, dry_run=True)
        server.denied = {"sync"}
        with pytest.raises(Refused, match="does not allow our account to sync checkout"):
            await act("sync", app="checkout", dry_run=True)
        with pytest.raises(Refused, match=r'has not deployed "v8"; it has 9999999 \(history 7\), 8888888'):
            await act("rollback", app="checkout", to="v8", dry_run=True)
        del server.app["spec"]["syncPolicy"]["automated"]
        dry = await act("restore", app="checkout", to="7", auto_sync=True, dry_run=True)
        assert dry.sentence.startswith("auto-sync of checkout would be on again")
        assert not server.written()

    at_argo(work)


def test_reads_say_what_is_deployed() -> None:
    async def work(server: ArgoServer, act: Act) -> None:
        done = await act("app", app="checkout")
        assert done.sentence == "checkout runs 9999999 (history 7): Synced, Degraded"
        assert done.output["images"] == ["registry.example/shop/checkout:v9"]
        assert [one["id"] for one in done.output["history"]] == [7, 6, 5]
        await act("refresh", app="checkout")
        await act("refresh", app="checkout", hard=True)
        assert [path.partition("?")[2] for _, path, _ in server.requests] == ["", "refresh=normal", "refresh=hard"]
        with pytest.raises(Refused, match=r"Argo CD \(GET none\) answered 403: permission denied"):
            await act("app", app="none")
        with pytest.raises(Refused, match=r'"\.\./x" is no name of an application'):
            await act("app", app="../x")
        with pytest.raises(Refused, match='no action "explode"'):
            await act("explode")

    at_argo(work)


@pytest.mark.parametrize(("status", "kind"), [(401, Refused), (403, Refused), (429, Unreachable), (503, Unreachable),
                                              (500, NoAnswer)])  # fmt: skip
def test_errors_say_what_argo_said(status: int, kind: type[Exception]) -> None:
    async def work(server: ArgoServer, act: Act) -> None:
        for faults in ([status], [None, None, status]):
            server.faults = list(faults)
            with pytest.raises(kind, match=rf"answered {status}: the server says {status}") as caught:
                await act("rollback", app="checkout", to=GOOD)
            assert getattr(caught.value, "retry_after_s", None) == (3.0 if status in (429, 503) else None)
        assert server.started == 0

    at_argo(work)


def test_several_sources_and_namespaces_are_understood() -> None:
    entries = [
        {"id": number, "revisions": [f"{number}" * 40, "1.2.0"], "sources": [{"path": "a"}, {"chart": "b"}]}
        for number in (1, 2)
    ]
    app = {
        "metadata": {"name": "many", "namespace": "team"},
        "spec": {"project": "p", "sources": [{"targetRevision": "main"}, {"targetRevision": "1.2.0"}]},
        "status": {"history": entries},
    }
    http = FakeHttp(Answer(200, {}, json.dumps(app).encode()), Answer(200, {}, b'{"value": "yes"}'))
    options = {"url": "https://a.example/", "app_namespace": "team", "project": "p", "ca_file": "/ca"}
    built = ArgoCD(options, Context("argo", http))
    done: Any = run(built.act(Call("k", "rollback", {"app": "many", "to": "1"}, NOW, dry_run=True)))
    assert done.sentence == "many would run 1111111, 1.2.0 (history 1) instead of 2222222, 1.2.0 (history 2)"
    assert http.sent[0].query == {"appNamespace": "team", "project": "p"}
    assert http.sent[0].identity == Identity(ca_file="/ca")
    assert http.sent[1].url == "https://a.example/api/v1/account/can-i/applications/sync/p/team/many"


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"metadata": {}}'])
def test_an_answer_that_is_no_application_changes_nothing(body: bytes) -> None:
    http = FakeHttp(Answer(200, {}, body))
    built = ArgoCD({"url": "https://a.example"}, Context("argo", http))
    with pytest.raises(BadPayload):
        run(built.act(Call("k", "rollback", {"app": "a", "to": "1"}, NOW)))
    assert [sent.method for sent in http.sent] == ["GET"]
