"""Whatever a target answers, an action is done or fails in one of the ways that a run knows how to take."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quell.errors import ConnectorError
from quell.sdk.connector import Call, Context, Done, Pending
from quell.sdk.http import Answer
from quell.sdk.registry import load_connectors
from quell.sdk.secret import Secret
from quell.sdk.testkit import NOW, FakeHttp, run

OPTIONS: dict[str, Any] = {
    "url": "http://t.example", "token": Secret("t0ken-abc"), "project": "p", "environment": "e", "api": "v2",
}  # fmt: skip
PARAMS: dict[str, Any] = {
    "dag": "d", "model": "m", "alias": "a", "version": "2", "points_to": "1", "tags": {"k": "v"}, "names": ["k"],
    "were": {"k": None}, "flag": "f", "stop_runs": True, "wait": True,
}  # fmt: skip
WORDS = st.sampled_from([
    "dag_id", "is_paused", "dag_runs", "dag_run_id", "state", "registered_model", "model_version", "model_versions",
    "name", "version", "tags", "key", "value", "aliases", "alias", "environments", "on", "enabled", "results", "id",
    "e", "message", "detail", "m", "a", "d",
])  # fmt: skip
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.text(max_size=5), WORDS)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(WORDS, inner, max_size=5)),
    max_leaves=12,
)
STATUSES = st.sampled_from([200, 200, 200, 201, 204, 301, 400, 401, 403, 404, 409, 422, 429, 500, 503])


@pytest.mark.parametrize("name", ["airflow", "mlflow", "launchdarkly", "unleash", "flagsmith"])
@settings(max_examples=60)
@given(data=st.data())
def test_an_action_is_done_or_fails_as_declared(name: str, data: st.DataObject) -> None:
    kind: Any = load_connectors()[name]
    action = data.draw(st.sampled_from(kind.spec.actions))
    declared = {option.name for option in kind.spec.options}
    bodies = st.one_of(JSON.map(msgspec.json.encode), st.binary(max_size=20))
    answers = data.draw(st.lists(st.builds(Answer, STATUSES, st.just({}), bodies), min_size=1, max_size=4))
    built = kind({key: value for key, value in OPTIONS.items() if key in declared}, Context("src", FakeHttp(*answers)))
    params = {key: value for key, value in PARAMS.items() if any(one.name == key for one in action.params)}
    call = Call("run-1/s", action.name, params, NOW, data.draw(st.booleans()))
    try:
        done = run(built.act(call))
    except ConnectorError as error:
        done = Done(str(error))
    assert "t0ken-abc" not in repr(done)
    assert isinstance(done, (Done, Pending))
    msgspec.json.encode(done.output if isinstance(done, Done) else {})
