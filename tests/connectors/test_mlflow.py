from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from connectors.model_scenarios import SCENARIOS, Scenario, seed
from connectors.pretend_mlflow import PretendMLflow
from connectors.wire import Act, Wire, acting, served
from quell.errors import BadPayload, NoAnswer, Refused, Unreachable
from quell.sdk.connector import Call, Context
from quell.sdk.http import Answer
from quell.sdk.secret import Secret
from quell.sdk.testkit import NOW, FakeHttp, check_connector, run
from quell_connectors.mlflow import MLflow
from real.mlflow import real_mlflow

TOKEN = Secret("t0ken-abc")


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda one: one.__name__)
def test_against_a_pretended_registry(scenario: Scenario) -> None:
    async def inner() -> None:
        async with served(PretendMLflow()) as url, acting(MLflow, url) as (act, wire):
            await seed(wire, url, "churn")
            await scenario(act, wire, "churn")

    run(inner())


@pytest.mark.long
def test_against_a_real_mlflow(tmp_path: Path) -> None:
    async def inner(url: str) -> None:
        for scenario in SCENARIOS:
            async with acting(MLflow, url) as (act, wire):
                await seed(wire, url, f"model '{scenario.__name__}'")
                await scenario(act, wire, f"model '{scenario.__name__}'")

    with real_mlflow(tmp_path) as url:
        run(inner(url))


def pretended(work: Any, **options: Any) -> None:
    async def inner() -> None:
        mlflow = PretendMLflow()
        async with served(mlflow) as url, acting(MLflow, url, **options) as (act, wire):
            await seed(wire, url, "churn")
            mlflow.requests.clear()
            await work(mlflow, act, wire)

    run(inner())


def test_the_rules_hold_with_parameters_that_do_something() -> None:
    check_connector(MLflow, params={"tag": {"model": "a", "tags": {"b": "c"}}, "untag": {"model": "a", "names": ["b"]},
                                    "restore_tags": {"model": "a", "were": {"b": None}}})  # fmt: skip


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 429, 500, 503])
def test_faults_are_told_apart_and_show_no_secret(status: int) -> None:
    async def work(mlflow: PretendMLflow, act: Act, wire: Wire) -> None:
        for params in ({"dry_run": True}, {}):
            mlflow.faults = [status]
            with pytest.raises(Unreachable if status >= 429 else Refused) as caught:
                await act("set_alias", model="churn", alias="champion", version="1", **params)
            said = f"MLflow (GET registered-models/get) answered {status}: no: Bearer ***"
            assert str(caught.value) == said
            if isinstance(caught.value, Unreachable):
                assert caught.value.retry_after_s == (7.0 if status == 429 else None)
        assert mlflow.models["churn"]["aliases"] == {}

    pretended(work, token=TOKEN)


def test_a_server_that_repeats_who_asked_shows_no_password() -> None:
    async def work(mlflow: PretendMLflow, act: Act, wire: Wire) -> None:
        mlflow.faults = [403]
        with pytest.raises(Refused) as caught:
            await act("model", model="churn")
        assert str(caught.value) == "MLflow (GET registered-models/get) answered 403: no: ***"

    pretended(work, user="ana", password=Secret("pw"))


def test_a_connection_that_breaks_after_the_work_leaves_one_effect() -> None:
    async def work(mlflow: PretendMLflow, act: Act, wire: Wire) -> None:
        mlflow.faults = ["", "", "cut"]
        with pytest.raises(NoAnswer):
            await act("set_alias", model="churn", alias="champion", version="1")
        done = await act("set_alias", model="churn", alias="champion", version="1")
        assert done.sentence == "alias champion of model churn points to version 1 already; left as it is"

    pretended(work)


def test_an_answer_that_takes_too_long_is_none() -> None:
    async def work(mlflow: PretendMLflow, act: Act, wire: Wire) -> None:
        mlflow.faults = ["slow"]
        with pytest.raises(NoAnswer, match=r"did not answer within 0\.1 s"):
            await act("alias", model="churn", alias="champion")

    pretended(work, timeout=0.1)


def test_versions_that_are_not_ready_are_passed_over_and_not_pointed_to() -> None:
    async def work(mlflow: PretendMLflow, act: Act, wire: Wire) -> None:
        mlflow.models["churn"]["versions"]["2"]["status"] = "FAILED_REGISTRATION"
        await act("set_alias", model="churn", alias="@champion", version="3")
        assert (await act("previous", model="churn", alias="champion")).output["version"] == "1"
        with pytest.raises(Refused, match=r"version 2 of model churn is not READY; alias champion .* version 3 still"):
            await act("set_alias", model="churn", alias="champion", version="2")
        await act("rollback_alias", model="churn", alias="champion")
        assert mlflow.models["churn"]["aliases"] == {"champion": "1"}

    pretended(work)


def test_an_earlier_version_is_found_on_a_later_page() -> None:
    async def work(mlflow: PretendMLflow, act: Act, wire: Wire) -> None:
        versions = mlflow.models["churn"]["versions"]
        versions |= {str(number): {"tags": {}, "status": "READY"} for number in range(4, 251)}
        await act("set_alias", model="churn", alias="champion", version="5")
        assert (await act("previous", model="churn", alias="champion")).output["version"] == "4"

    pretended(work)


@pytest.mark.parametrize(
    ("options", "sent"),
    [
        ({"token": TOKEN}, "Bearer t0ken-abc"),
        ({"user": "ana", "password": Secret("pw")}, "Basic YW5hOnB3"),
        ({}, None),
    ],
)
def test_who_asks_is_told_in_the_header(options: dict[str, Any], sent: str | None) -> None:
    async def work(mlflow: PretendMLflow, act: Act, wire: Wire) -> None:
        await act("model", model="churn")
        assert mlflow.requests[0].headers.get("Authorization") == sent

    pretended(work, **options)


@pytest.mark.parametrize("body", [b"<html>", b"{}", b"[]", b'{"registered_model": {"name": 7}}'])
def test_an_answer_that_cannot_be_read_changes_nothing(body: bytes) -> None:
    http = FakeHttp(Answer(200, {}, body))
    mlflow = MLflow({"url": "http://m.example"}, Context("src", http))
    with pytest.raises(BadPayload):
        run(mlflow.act(Call("k", "set_alias", {"model": "a", "alias": "b", "version": "1"}, NOW)))
    assert [sent.method for sent in http.sent] == ["GET"]


def test_a_name_with_both_kinds_of_quotes_cannot_be_searched_for() -> None:
    async def work(mlflow: PretendMLflow, act: Act, wire: Wire) -> None:
        mlflow.models["a'b\"c"] = {
            "versions": {"1": {"tags": {}, "status": "READY"}},
            "aliases": {"x": "1"},
            "tags": {},
        }
        with pytest.raises(Refused, match="both kinds of quotes"):
            await act("rollback_alias", model="a'b\"c", alias="x")

    pretended(work)
