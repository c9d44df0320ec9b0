"""MLflow as a source: what a registry holds, told once; what moves in it, told as a change; its webhooks, signed."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import os
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from connectors.deliveries import built, never_chokes, posted
from connectors.model_scenarios import seed
from connectors.pretend_mlflow import PretendMLflow
from connectors.wire import Wire, served
from core.scene import rulebook
from quell.core.engine import Engine
from quell.errors import BadPayload, Unreachable
from quell.model.records import AnyRecord, ChangeRecord, DependencyRecord, EntityRecord, SamplesRecord, VersionRecord
from quell.model.times import format_time
from quell.sdk.connector import Context, Pulled, Request
from quell.sdk.secret import Secret
from quell.sdk.signatures import Hmac, refusal
from quell.sdk.testkit import NOW, run
from quell_connectors.mlflow import MLflow
from quell_connectors.mlflow.registry import MOST_RUNS
from real.mlflow import PACKAGES, real_mlflow
from real.venvs import programs

SECRET = "wh-secret"
SIGNED = Hmac(
    secrets=(Secret(SECRET),), header="x-mlflow-signature", prefix="v1,", encoding="base64",
    signed="{header:x-mlflow-delivery-id}.{timestamp}.{body}", timestamp_header="x-mlflow-timestamp",
)  # fmt: skip
"""As the how-to on lineage says."""
RUN = {
    "info": {"run_id": "r7", "end_time": 1795276219000, "user_id": "bea"},
    "data": {
        "params": [{"key": "depth", "value": "6"}],
        "metrics": [{"key": "auc", "value": 0.91, "timestamp": 1, "step": 0}, {"key": "loss", "value": "NaN"}],
        "tags": [{"key": "mlflow.source.git.commit", "value": "8f3c2d1"}, {"key": "pipeline", "value": "train_fraud"},
                 {"key": "mlflow.source.name", "value": "train.py"}],
    },
    "inputs": {"dataset_inputs": [
        {"dataset": {"name": "warehouse.payments", "digest": "d41", "source_type": "local", "source": "{}",
                     "schema": '{"mlflow_colspec": [{"type": "double", "name": "amount", "required": true}]}'},
         "tags": [{"key": "mlflow.data.context", "value": "training"}]},
        {"dataset": {"name": "dataset", "digest": "d42", "source": '{"uri": "s3://lake/users/"}', "schema": "odd"}},
    ]},
}  # fmt: skip


class Place:
    """A source that watches a registry, from one pull to the next."""

    def __init__(self, url: str, wire: Wire, **options: Any) -> None:
        self.url, self.wire = url, wire
        self.source: Any = MLflow({"url": url, "watch": True, **options}, Context("src", wire))
        self.cursor: str | None = None
        self.now = NOW

    async def pull(self) -> list[AnyRecord]:
        pulled: Pulled = await self.source.pull(self.cursor, self.now)
        self.cursor = pulled.cursor
        self.now += 60.0
        return list(pulled.records)


def watched(work: Callable[[PretendMLflow, Place], Awaitable[None]], **options: Any) -> None:
    async def inner() -> None:
        mlflow, wire = PretendMLflow(), Wire()
        async with served(mlflow) as url:
            await seed(wire, url, "fraud", 7)
            mlflow.models["fraud"]["versions"]["7"]["run_id"] = "r7"
            mlflow.runs["r7"] = RUN
            try:
                await work(mlflow, Place(url, wire, **{"pipeline_tags": ["pipeline"], **options}))
            finally:
                await wire.http.close()

    run(inner())


def of(records: list[AnyRecord], kind: type, **wanted: Any) -> list[Any]:
    return [
        one for one in records
        if isinstance(one, kind) and all(getattr(one, name) == value for name, value in wanted.items())
    ]  # fmt: skip


def test_a_version_is_told_with_its_run_its_code_and_its_data() -> None:
    async def work(mlflow: PretendMLflow, place: Place) -> None:
        mlflow.models["fraud"]["tags"]["owner"] = "risk"
        records = await place.pull()
        (model,) = of(records, EntityRecord, entity="model/fraud")
        assert model.owner == "risk"
        versions = of(records, VersionRecord, entity="model/fraud")
        assert [one.version for one in versions] == ["1", "2", "3", "4", "5", "6", "7"]
        seventh = versions[-1]
        assert (seventh.run, seventh.commit, seventh.by) == ("r7", "8f3c2d1", "pipeline/train_fraud")
        assert seventh.inputs == {"dataset/warehouse.payments": "d41", "dataset/users": "d42"}
        assert seventh.labels == {"param.depth": "6", "metric.auc": "0.91", "user": "bea", "code": "train.py"}
        edges = {(one.from_, one.type, one.to) for one in of(records, DependencyRecord)}
        assert ("model/fraud", "trained_by", "pipeline/train_fraud") in edges
        assert ("model/fraud", "trained_on", "dataset/warehouse.payments") in edges
        assert ("pipeline/train_fraud", "fed_by", "dataset/warehouse.payments") in edges
        (read,) = of(records, VersionRecord, entity="dataset/warehouse.payments")
        assert (read.version, [one.name for one in read.columns]) == ("d41", ["amount"])
        (measured,) = of(records, SamplesRecord)
        assert measured.values == {"auc": [0.91]}

    watched(work)


def test_what_was_told_is_not_told_again_and_costs_two_requests() -> None:
    async def work(mlflow: PretendMLflow, place: Place) -> None:
        await place.pull()
        mlflow.requests.clear()
        assert await place.pull() == []
        assert len(mlflow.requests) == 2  # for models, and for prompts

    watched(work)


def test_an_alias_that_moves_is_a_change_with_who_did_it() -> None:
    async def work(mlflow: PretendMLflow, place: Place) -> None:
        engine, model = Engine(rulebook()), mlflow.models["fraud"]
        model["aliases"]["champion"] = "6"
        engine.decide(await place.pull(), place.now)
        assert engine.state.changes == {}
        model["aliases"]["champion"] = "7"
        model["versions"]["7"]["tags"]["promoted_by.champion"] = "ana"
        engine.decide(await place.pull(), place.now)
        (change,) = engine.state.changes.values()
        assert (change.type, change.entity, change.previous, change.revision, change.author) == (
            "model", "model/fraud", "6", "7", "ana",
        )  # fmt: skip
        assert change.summary == "champion of model/fraud points to version 7, before to 6"
        del model["aliases"]["champion"]
        engine.decide(await place.pull(), place.now)
        kept = engine.state.provenance["model/fraud"].promotions
        assert [(one.version, one.found) for one in kept] == [("6", True), ("7", False), ("", False)]

    watched(work)


def test_a_large_registry_is_told_in_several_pulls() -> None:
    async def work(mlflow: PretendMLflow, place: Place) -> None:
        for number in range(12):
            version = {"tags": {}, "status": "READY", "run_id": "r7"}
            mlflow.models[f"m{number:02}"] = {
                "versions": {str(at): version for at in range(1, 31)}, "aliases": {"old": "2"}, "tags": {},
            }  # fmt: skip
        told: list[int] = []
        while records := await place.pull():
            told.append(len(of(records, VersionRecord, run="r7")))
        assert sum(told) == 12 * 11 + 1
        assert len(told) > 2
        assert max(told) <= MOST_RUNS + 11

    watched(work)


def test_a_run_that_is_gone_leaves_the_version() -> None:
    async def work(mlflow: PretendMLflow, place: Place) -> None:
        mlflow.runs.clear()
        (told,) = of(await place.pull(), VersionRecord, version="7")
        assert (told.run, told.commit) == ("r7", "")

    watched(work)


def test_a_model_that_is_gone_is_removed_and_one_that_cannot_be_asked_for_is_not() -> None:
    async def work(mlflow: PretendMLflow, place: Place) -> None:
        await place.pull()
        mlflow.faults = [503]
        with pytest.raises(Unreachable):
            await place.pull()
        del mlflow.models["fraud"]
        assert [one.removed for one in of(await place.pull(), EntityRecord)] == [True]

    watched(work)


def test_a_source_that_does_not_watch_asks_nothing() -> None:
    async def work(mlflow: PretendMLflow, place: Place) -> None:
        mlflow.requests.clear()
        assert await place.pull() == []
        assert mlflow.requests == []

    watched(work, watch=False)


# Webhooks


def hook(entity: str, action: str, when: str = "2026-03-01T02:10:00.5+00:00", **data: Any) -> bytes:
    told = {"entity": entity, "action": action, "timestamp": when, "data": data}
    return msgspec.json.encode(told)


def hooked(entity: str, action: str, **data: Any) -> list[AnyRecord]:
    request = posted(hook(entity, action, **data), x_mlflow_delivery_id="d-1")
    return list(built(MLflow, url="http://m.example").receive(request, NOW).records)


def test_an_alias_is_told_at_once() -> None:
    (change,) = hooked("model_version_alias", "created", name="fraud", alias="champion", version="7")
    assert isinstance(change, ChangeRecord)
    assert (change.type, change.entity, change.revision, change.id) == ("model", "model/fraud", "7", "mlflow/d-1")
    assert change.labels == {"alias": "champion"}
    (gone,) = hooked("model_version_alias", "deleted", name="fraud", alias="champion")
    assert isinstance(gone, ChangeRecord)
    assert (gone.revision, gone.summary) == ("", "alias champion of model/fraud was removed")
    (prompt,) = hooked("prompt_alias", "created", name="greet", alias="live", version="3")
    assert isinstance(prompt, ChangeRecord)
    assert (prompt.type, prompt.entity) == ("prompt", "prompt/greet")


def test_versions_and_tags_are_told() -> None:
    _, version = hooked("model_version", "created", name="fraud", version="8", source="models:/m", run_id="r8",
                        tags={"stage": "dev", "mlflow.x": "y"}, description=None)  # fmt: skip
    assert isinstance(version, VersionRecord)
    assert (version.version, version.run, version.labels) == ("8", "r8", {"tag.stage": "dev"})
    (tagged,) = hooked("model_version_tag", "set", name="fraud", version="8", key="stage", value="prod")
    assert isinstance(tagged, VersionRecord)
    assert tagged.labels == {"tag.stage": "prod"}
    assert hooked("model_version_tag", "deleted", name="fraud", version="8", key="stage") == []
    assert len(hooked("registered_model", "created", name="fraud", tags={}, description="")) == 1


def test_a_webhook_and_a_pull_tell_of_one_move() -> None:
    async def work(mlflow: PretendMLflow, place: Place) -> None:
        engine, model = Engine(rulebook()), mlflow.models["fraud"]
        model["aliases"]["champion"] = "6"
        engine.decide(await place.pull(), place.now)
        model["aliases"]["champion"] = "7"
        request = posted(hook("model_version_alias", "created", name="fraud", alias="champion", version="7"),
                         x_mlflow_delivery_id="d-1")  # fmt: skip
        at_once = list(place.source.receive(request, place.now).records)
        engine.decide([msgspec.structs.replace(one, at=place.now) for one in at_once], place.now)
        model["versions"]["7"]["tags"]["promoted_by"] = "ana"
        engine.decide(await place.pull(), place.now + 60)
        (change,) = engine.state.changes.values()
        assert (change.previous, change.revision, change.author) == ("6", "7", "ana")

    watched(work)


@pytest.mark.parametrize("body", [
    b"{}", b"[]", hook("house", "created", name="a"), hook("model_version", "eaten", name="a"),
    hook("registered_model", "created", name=" "),
    hook("model_version", "created", name="a").replace(b"2026-03", b"soon"),
])  # fmt: skip
def test_what_mlflow_does_not_send_is_refused(body: bytes) -> None:
    with pytest.raises(BadPayload):
        built(MLflow, url="http://m.example").receive(posted(body), NOW)


DATA = st.dictionaries(
    st.sampled_from(("name", "version", "alias", "tags", "key", "value")),
    st.one_of(st.text(max_size=5), st.integers(), st.none(), st.dictionaries(st.text(), st.text())),
)
ENTITIES = st.sampled_from(("model_version", "prompt_alias", "model_version_tag", "x"))


@given(ENTITIES, st.sampled_from(("created", "set")), DATA)
def test_nothing_that_arrives_makes_it_choke(entity: str, action: str, data: Mapping[str, Any]) -> None:
    never_chokes(built(MLflow, url="http://m.example"), posted(hook(entity, action, **data)))


def test_the_signature_of_mlflow_is_believed_and_no_other() -> None:
    body, stamp = hook("registered_model", "created", name="a"), str(int(NOW))
    digest = hmac.new(SECRET.encode(), b"d-1." + stamp.encode() + b"." + body, hashlib.sha256).digest()
    signature = f"v1,{base64.b64encode(digest).decode()}"
    headers = {"x-mlflow-delivery-id": "d-1", "x-mlflow-timestamp": stamp, "x-mlflow-signature": signature}
    assert refusal(Request("POST", "/in/ml", body, headers), SIGNED, NOW) == ""
    assert refusal(Request("POST", "/in/ml", body + b" ", headers), SIGNED, NOW)
    assert refusal(Request("POST", "/in/ml", body, {**headers, "x-mlflow-delivery-id": "d-2"}), SIGNED, NOW)
    assert refusal(Request("POST", "/in/ml", body, headers), SIGNED, NOW + 3600)


# Prompts


def changes(engine: Engine) -> list[tuple[str, str]]:
    told = sorted(engine.state.changes.values(), key=lambda one: (one.at, one.summary))
    return [(one.type, one.summary) for one in told]


def test_prompts_and_their_aliases_are_told_as_they_change() -> None:
    async def work(mlflow: PretendMLflow, place: Place) -> None:
        await seed(place.wire, place.url, "greet", 2, prompt=True)
        greet = mlflow.models["greet"]
        greet["aliases"]["live"] = "1"
        engine = Engine(rulebook())
        records = await place.pull()
        assert {one.entity for one in of(records, EntityRecord)} >= {"model/fraud", "prompt/greet"}
        assert not [one for one in records if getattr(one, "entity", "") == "model/greet"]
        versions = of(records, VersionRecord, entity="prompt/greet")
        assert [(one.version, one.aliases) for one in versions] == [
            ("1", []), ("2", []), ("1", ["live"]), ("2", ["latest"]),
        ]  # fmt: skip
        assert "{{thing}}" not in repr(records)  # its words are nobody's business here
        engine.decide(records, place.now)
        assert changes(engine) == []
        assert await place.pull() == []

        greet["versions"]["3"] = {**greet["versions"]["2"]}
        engine.decide(await place.pull(), place.now)
        assert changes(engine) == [("prompt", "latest of prompt/greet points to version 3, before to 2")]
        greet["aliases"]["live"] = "3"
        engine.decide(await place.pull(), place.now)
        assert changes(engine)[1:] == [("prompt", "live of prompt/greet points to version 3, before to 1")]
        del greet["aliases"]["live"]
        engine.decide(await place.pull(), place.now)
        assert changes(engine)[2:] == [("prompt", "alias live of prompt/greet was removed")]

        del mlflow.models["greet"]
        [gone] = await place.pull()
        assert (gone.entity, gone.removed) == ("prompt/greet", True)  # type: ignore[union-attr]

    watched(work)


def test_a_prompt_that_webhooks_told_of_is_not_told_of_again_by_looking() -> None:
    async def work(mlflow: PretendMLflow, place: Place) -> None:
        await seed(place.wire, place.url, "greet", 1, prompt=True)
        engine = Engine(rulebook())
        engine.decide(await place.pull(), place.now)
        greet = mlflow.models["greet"]
        greet["versions"]["2"] = {**greet["versions"]["1"]}
        greet["aliases"]["live"] = "2"
        at = format_time(place.now)
        told = [
            posted(hook("prompt_version", "created", at, name="greet", version="2")),
            posted(hook("prompt_alias", "created", at, name="greet", alias="live", version="2")),
        ]
        for request in told:
            engine.decide(list(place.source.receive(request, place.now).records), place.now)
        told_by_hooks = changes(engine)
        assert told_by_hooks == [
            ("prompt", "alias live of prompt/greet points to version 2"),
            ("prompt", "latest of prompt/greet points to version 2, before to 1"),
        ]  # fmt: skip
        engine.decide(await place.pull(), place.now)
        assert changes(engine) == told_by_hooks

    watched(work)


def test_a_registry_that_cannot_be_asked_for_prompts_is_watched_all_the_same() -> None:
    async def work(mlflow: PretendMLflow, place: Place) -> None:
        await seed(place.wire, place.url, "greet", 1, prompt=True)
        await place.pull()
        mlflow.knows_no_prompts = True
        mlflow.models["fraud"]["aliases"]["champion"] = "7"
        records = await place.pull()
        assert not [one for one in of(records, EntityRecord) if one.removed]
        assert [one.aliases for one in of(records, VersionRecord)] == [["champion"]]
        mlflow.knows_no_prompts = False
        assert await place.pull() == []

    watched(work)


# A real one


@pytest.mark.long
def test_a_real_mlflow_is_watched_and_heard(tmp_path: Path) -> None:
    async def inner(url: str) -> None:
        heard: list[Request] = []

        async def take(request: web.Request) -> web.Response:
            headers = {name.lower(): value for name, value in request.headers.items()}
            heard.append(Request("POST", request.path, await request.read(), headers))
            return web.Response()

        app = web.Application()
        app.router.add_post("/in/ml", take)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        wire = Wire()
        place = Place(url, wire, pipeline_tags=["pipeline"])
        try:
            await _subscribed(wire, url, f"http://127.0.0.1:{runner.addresses[0][1]}/in/ml")
            await _trained(wire, url)
            records = await place.pull()
            told, alias = of(records, VersionRecord, entity="model/fraud", version="1")
            assert alias.aliases == ["champion"]
            assert (told.commit, told.by, told.inputs) == (
                "8f3c2d1", "pipeline/train_fraud", {"dataset/warehouse.payments": "d41"},
            )  # fmt: skip
            assert (told.labels["param.depth"], told.labels["metric.auc"]) == ("6", "0.91")
            engine = Engine(rulebook())
            engine.decide(records, place.now)
            async with asyncio.timeout(60):
                while len(heard) < 3:
                    await asyncio.sleep(0.05)
            for request in heard:
                assert refusal(request, SIGNED, float(request.headers["x-mlflow-timestamp"])) == ""
            told_at_once = [one for request in heard for one in place.source.receive(request, place.now).records]
            assert [one.revision for one in of(told_at_once, ChangeRecord)] == ["1"]
        finally:
            await wire.http.close()
            await runner.cleanup()

    with real_mlflow(tmp_path) as url:
        run(inner(url))


_PROMPTS = """
import sys
import mlflow
mlflow.set_tracking_uri(sys.argv[1])
if sys.argv[2] == "first":
    mlflow.genai.register_prompt(name="greet", template="Say hello to {{name}}.", commit_message="first words")
    mlflow.genai.set_prompt_alias("greet", alias="live", version=1)
else:
    mlflow.genai.register_prompt(name="greet", template="Greet {{name}} kindly.", commit_message="kinder")
    mlflow.genai.set_prompt_alias("greet", alias="live", version=2)
"""


@pytest.mark.long
def test_prompts_of_a_real_mlflow_are_watched_and_heard(tmp_path: Path) -> None:
    python = programs("mlflow", PACKAGES) / "python"

    async def with_its_client(url: str, what: str) -> None:
        quiet = {**os.environ, "DO_NOT_TRACK": "true", "MLFLOW_DISABLE_TELEMETRY": "true"}
        process = await asyncio.create_subprocess_exec(
            python, "-c", _PROMPTS, url, what, env=quiet, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        said, _ = await process.communicate()
        assert process.returncode == 0, said.decode()

    async def inner(url: str) -> None:
        heard: list[Request] = []

        async def take(request: web.Request) -> web.Response:
            headers = {name.lower(): value for name, value in request.headers.items()}
            heard.append(Request("POST", request.path, await request.read(), headers))
            return web.Response()

        app = web.Application()
        app.router.add_post("/in/ml", take)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        wire = Wire()
        place = Place(url, wire)
        place.now = time.time()
        try:
            hooks = f"http://127.0.0.1:{runner.addresses[0][1]}/in/ml"
            await _subscribed(wire, url, hooks, ("prompt", "prompt_version", "prompt_alias"))
            await with_its_client(url, "first")
            looking, hearing = Engine(rulebook()), Engine(rulebook())
            looking.decide(await place.pull(), place.now)
            assert set(looking.state.entities) == {"prompt/greet"}
            assert changes(looking) == []
            await with_its_client(url, "second")
            records = await place.pull()
            assert "kindly" not in repr(records)
            looking.decide(records, place.now)
            assert set(changes(looking)) == {
                ("prompt", "latest of prompt/greet points to version 2, before to 1"),
                ("prompt", "live of prompt/greet points to version 2, before to 1"),
            }
            async with asyncio.timeout(60):
                while len(heard) < 5:
                    await asyncio.sleep(0.05)
            told = [one for request in heard for one in place.source.receive(request, time.time()).records]
            assert {one.type for one in of(told, ChangeRecord)} == {"prompt"}
            hearing.decide(told, time.time())
            before = changes(looking)
            looking.decide(told, time.time())
            assert [one for one in changes(looking) if "version 2" in one[1]] == before
            assert {one for one in changes(hearing) if "version 2" in one[1]} >= {
                ("prompt", "alias live of prompt/greet points to version 2"),
            }
        finally:
            await wire.http.close()
            await runner.cleanup()

    with real_mlflow(tmp_path) as url:
        run(inner(url))


_MODELS = ("registered_model", "model_version", "model_version_alias")


async def _subscribed(wire: Wire, url: str, target: str, things: Sequence[str] = _MODELS) -> None:
    events = [{"entity": thing.upper(), "action": "CREATED"} for thing in things]
    body = {"name": "quell", "url": target, "events": events, "secret": SECRET}
    answer = await wire.request("POST", f"{url}/api/2.0/mlflow/webhooks", json=body)
    assert answer.status == 200, answer.body


async def _trained(wire: Wire, url: str) -> None:
    async def post(path: str, body: Any) -> Any:
        answer = await wire.request("POST", f"{url}/api/2.0/mlflow/{path}", json=body)
        assert answer.status == 200, answer.body
        return msgspec.json.decode(answer.body)

    made = await post("runs/create", {"experiment_id": "0", "start_time": int(NOW * 1000), "tags": RUN["data"]["tags"]})  # type: ignore[index]
    run_id = made["run"]["info"]["run_id"]
    await post("runs/log-parameter", {"run_id": run_id, "key": "depth", "value": "6"})
    await post("runs/log-metric", {"run_id": run_id, "key": "auc", "value": 0.91, "timestamp": 1})
    await post("runs/log-metric", {"run_id": run_id, "key": "loss", "value": "NaN", "timestamp": 1})
    data = {**RUN["inputs"]["dataset_inputs"][0]}  # type: ignore[index]
    await post("runs/log-inputs", {"run_id": run_id, "datasets": [data]})
    await post("registered-models/create", {"name": "fraud"})
    await post("model-versions/create", {"name": "fraud", "source": f"runs:/{run_id}/m", "run_id": run_id})
    await post("registered-models/alias", {"name": "fraud", "alias": "champion", "version": "1"})
