from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.dag_scenarios import SCENARIOS, Scenario
from connectors.pretend_airflow import PASSWORD, USER, PretendAirflow
from connectors.test_airflow_source import watches_a_real_one
from connectors.wire import Act, Wire, acting, served
from quell.errors import BadPayload, NoAnswer, Refused, Unreachable
from quell.sdk.connector import Call, Context, Pending
from quell.sdk.http import Answer
from quell.sdk.secret import Secret
from quell.sdk.testkit import NOW, FakeHttp, run
from quell_connectors.airflow import Airflow
from quell_connectors.airflow.translate import run_id_of
from real.airflow import TOKENS_LAST_S, real_airflow2, real_airflow3

WHO: dict[str, Any] = {"user": USER, "password": Secret(PASSWORD)}
DAGS = [f"train_{number}" for number in range(len(SCENARIOS))]
Work = Callable[[PretendAirflow, Act, Wire], Awaitable[None]]


@pytest.mark.parametrize("major", [2, 3])
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda one: one.__name__)
def test_against_a_pretended_airflow(scenario: Scenario, major: int) -> None:
    async def work(airflow: PretendAirflow, act: Act, wire: Wire) -> None:
        await scenario(act, wire, "churn_train")

    pretended(work, major, **WHO)


@pytest.mark.long
@pytest.mark.parametrize("real", [real_airflow2, real_airflow3], ids=["2", "3"])
def test_against_a_real_airflow(real: Callable[[Path, list[str]], AbstractContextManager[str]], tmp_path: Path) -> None:
    async def inner(url: str) -> None:
        async with acting(Airflow, url, **{**WHO, "timeout": 30.0}) as (act, wire):
            for scenario, dag in zip(SCENARIOS, DAGS, strict=True):
                wire.requests.clear()
                await scenario(act, wire, dag)
            await asyncio.sleep(TOKENS_LAST_S + 1 if real is real_airflow3 else 0)
            wire.requests.clear()
            await act("dag", dag=DAGS[0])  # with a token that has expired, where there are any
            logins = [url for _, url, _ in wire.requests if url.endswith("/auth/token")]
            assert len(logins) == (1 if real is real_airflow3 else 0)
        await watches_a_real_one(url, real is real_airflow3, **WHO)
        async with acting(Airflow, url, user=USER, password=Secret("wrong")) as (act, wire):
            with pytest.raises(Refused, match=r"answered 40[13]: (Invalid credentials|Forbidden)"):
                await act("pause", dag=DAGS[0])

    with real(tmp_path, DAGS) as url:
        run(inner(url))


def pretended(work: Work, major: int = 3, **options: Any) -> None:
    async def inner() -> None:
        airflow = PretendAirflow(major)
        airflow.paused["churn_train"] = False
        async with served(airflow) as url, acting(Airflow, url, **options) as (act, wire):
            await work(airflow, act, wire)

    run(inner())


@pytest.mark.parametrize("major", [2, 3])
@pytest.mark.parametrize("status", [400, 404, 409, 429, 500, 503])
def test_faults_are_told_apart_and_show_no_secret(status: int, major: int) -> None:
    async def work(airflow: PretendAirflow, act: Act, wire: Wire) -> None:
        await act("dag", dag="churn_train")
        for params in ({"dry_run": True}, {}):
            airflow.faults = [status]
            with pytest.raises(Unreachable if status >= 429 else Refused) as caught:
                await act("pause", dag="churn_train", **params)
            assert f"Airflow (GET dags/churn_train) answered {status}: no: " in str(caught.value)
            assert not any(secret in str(caught.value) for secret in (PASSWORD, "jwt-1"))
            if isinstance(caught.value, Unreachable):
                assert caught.value.retry_after_s == (7.0 if status == 429 else None)
        assert airflow.paused == {"churn_train": False}

    pretended(work, major, **WHO)


def test_a_token_that_has_expired_is_renewed_once_and_not_again() -> None:
    async def work(airflow: PretendAirflow, act: Act, wire: Wire) -> None:
        await act("dag", dag="churn_train")
        assert airflow.issued == 1
        airflow.expire()
        assert (await act("pause", dag="churn_train")).sentence == "DAG churn_train is paused"
        assert airflow.issued == 2
        airflow.faults = [403, "", 403]  # the page, a new token, the page: rights are missing, not a token
        with pytest.raises(Refused, match="answered 403: no: Bearer"):
            await act("unpause", dag="churn_train")
        assert airflow.issued == 3
        airflow.expire()
        airflow.faults = ["", 401]
        with pytest.raises(Refused, match=r"Airflow \(POST /auth/token\) answered 401"):
            await act("unpause", dag="churn_train")
        assert airflow.issued == 3
        assert airflow.paused == {"churn_train": True}

    pretended(work, **WHO)


@pytest.mark.parametrize(("major", "said"), [(2, "answered 403: Forbidden"), (3, "answered 401: Invalid credentials")])
def test_a_wrong_password_is_refused_in_airflows_words(major: int, said: str) -> None:
    async def work(airflow: PretendAirflow, act: Act, wire: Wire) -> None:
        for dry_run in (True, False):
            with pytest.raises(Refused, match=said) as caught:
                await act("pause", dry_run=dry_run, dag="churn_train")
            assert "wr0ng" not in str(caught.value)

    pretended(work, major, user=USER, password=Secret("wr0ng"))


def test_a_token_of_the_options_is_sent_as_it_is_and_not_renewed() -> None:
    async def work(airflow: PretendAirflow, act: Act, wire: Wire) -> None:
        airflow.tokens = ["hosted"]
        await act("pause", dag="churn_train")
        airflow.expire()
        with pytest.raises(Refused, match="answered 403: Invalid JWT token"):
            await act("unpause", dag="churn_train")
        assert airflow.issued == 0

    pretended(work, token=Secret("hosted"))


def test_without_anybody_to_ask_as_airflow_says_so() -> None:
    async def work(airflow: PretendAirflow, act: Act, wire: Wire) -> None:
        with pytest.raises(Refused, match="answered 401: Not authenticated"):
            await act("pause", dag="churn_train")

    pretended(work)


@pytest.mark.parametrize(("major", "asked"), [(2, ["v2", "v1"]), (3, ["v2"])])
def test_the_version_is_asked_for_once(major: int, asked: list[str]) -> None:
    async def work(airflow: PretendAirflow, act: Act, wire: Wire) -> None:
        await act("dag", dag="churn_train")
        await act("pause", dag="churn_train")
        versions = [request.path for request in airflow.requests if request.path.endswith("/version")]
        assert versions == [f"/api/{api}/version" for api in asked]

    pretended(work, major, **WHO)


@pytest.mark.parametrize(("major", "api"), [(2, "v1"), (3, "v2")])
def test_the_version_may_be_given(major: int, api: str) -> None:
    async def work(airflow: PretendAirflow, act: Act, wire: Wire) -> None:
        await act("pause", dag="churn_train")
        assert not [request for request in airflow.requests if request.path.endswith("/version")]

    pretended(work, major, api=api, **WHO)


def test_what_is_no_airflow_is_told() -> None:
    http = FakeHttp(Answer(404, {}, b"<html>not here"))
    airflow = Airflow({"url": "http://a.example/"}, Context("src", http))
    with pytest.raises(Refused, match=r"GET /api/v1/version, as there is no /api/v2\) answered 404: <html>not here"):
        run(airflow.act(Call("k", "pause", {"dag": "a"}, NOW)))
    http = FakeHttp(Answer(200, {}, b"<html>"))
    airflow = Airflow({"url": "http://a.example/"}, Context("src", http))
    with pytest.raises(BadPayload):
        run(airflow.act(Call("k", "pause", {"dag": "a"}, NOW)))


def test_an_answer_to_a_login_is_not_quoted() -> None:
    http = FakeHttp(Answer(200, {}, b'{"token": "s3cret"}'))
    airflow = Airflow({"url": "http://a.example", "api": "v2", **WHO}, Context("src", http))
    with pytest.raises(BadPayload, match="answered without an access_token") as caught:
        run(airflow.act(Call("k", "pause", {"dag": "a"}, NOW)))
    assert caught.value.payload == b""


def test_more_than_a_hundred_runs_are_stopped_in_rounds() -> None:
    async def work(airflow: PretendAirflow, act: Act, wire: Wire) -> None:
        airflow.runs["churn_train"] = {f"r{n}": {"dag_run_id": f"r{n}", "state": "running"} for n in range(130)}
        done = await act("pause", dag="churn_train", stop_runs=True)
        assert len(done.output["stopped"]) == 130
        assert done.sentence == "DAG churn_train is paused, and 130 runs (r0, r1, r2 and 127 more) were marked failed"
        assert {one["state"] for one in airflow.runs["churn_train"].values()} == {"failed"}

    pretended(work, **WHO)


def test_a_stop_that_breaks_in_the_middle_goes_on_where_it_was() -> None:
    async def work(airflow: PretendAirflow, act: Act, wire: Wire) -> None:
        airflow.runs["churn_train"] = {f"r{n}": {"dag_run_id": f"r{n}", "state": "running"} for n in range(3)}
        wire.faults = ["", "", "lost"]
        with pytest.raises(NoAnswer):
            await act("pause", dag="churn_train", stop_runs=True)
        done = await act("pause", dag="churn_train", stop_runs=True)
        assert done.output["stopped"] == ["r2"]
        assert done.sentence == "DAG churn_train is paused, and 1 run (r2) was marked failed"

    pretended(work, **WHO)


def test_a_step_may_wait_for_its_run() -> None:
    http = FakeHttp(
        Answer(404, {}, b"{}"),
        Answer(200, {}, b'{"dag_run_id": "r", "state": "queued"}'),
        Answer(200, {}, b'{"dag_run_id": "r", "state": "running"}'),
        Answer(200, {}, b'{"dag_run_id": "r", "state": "success"}'),
    )
    airflow = Airflow({"url": "http://a.example", "api": "v1"}, Context("src", http))
    answers = [run(airflow.act(Call("k", "trigger", {"dag": "a", "wait": True}, NOW))) for _ in range(3)]
    assert [isinstance(answer, Pending) for answer in answers] == [True, True, False]
    assert [sent.method for sent in http.sent] == ["GET", "POST", "GET", "GET"]
    assert answers[2].sentence.endswith("was triggered before and is success")


def test_a_run_that_airflow_knows_and_does_not_find_is_refused() -> None:
    http = FakeHttp(Answer(409, {}, b"{}"), Answer(404, {}, b"{}"))
    airflow = Airflow({"url": "http://a.example", "api": "v1"}, Context("src", http))
    with pytest.raises(Refused, match="exists, and does not find it"):
        run(airflow.act(Call("k", "trigger", {"dag": "a"}, NOW)))


@given(st.text(max_size=400), st.text(max_size=400))
def test_ids_of_runs_are_such_as_airflow_takes_and_differ(first: str, second: str) -> None:
    allowed = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.~:+-")
    assert set(run_id_of(first)) <= allowed
    assert len(run_id_of(first)) <= 250
    assert (run_id_of(first) == run_id_of(second)) == (first == second)


def test_a_name_cannot_leave_its_place_in_the_address() -> None:
    http = FakeHttp(Answer(200, {}, b'{"dag_id": "../x?y", "is_paused": true, "dag_runs": []}'))
    airflow = Airflow({"url": "http://a.example", "api": "v1"}, Context("src", http))
    run(airflow.act(Call("k", "unpause", {"dag": "../x?y"}, NOW)))
    assert [sent.url.partition("/dags/")[2] for sent in http.sent] == ["..%2Fx%3Fy", "..%2Fx%3Fy?update_mask=is_paused"]
