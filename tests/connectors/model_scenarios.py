"""What must hold of the MLflow connector, whoever answers: told to a pretended registry and to a real one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from connectors.wire import Act, Wire
from quell.errors import Refused, Unreachable

Scenario = Callable[[Act, Wire, str], Awaitable[None]]


async def seed(wire: Wire, url: str, name: str, versions: int = 3, *, prompt: bool = False) -> None:
    """A model, or a prompt, with that many versions, over the registry's own API."""
    api = f"{url}/api/2.0/mlflow"
    tags = [{"key": "mlflow.prompt.is_prompt", "value": "true"}] if prompt else []
    await wire.http.request("POST", f"{api}/registered-models/create", json={"name": name, "tags": tags})
    text = [{"key": "mlflow.prompt.text", "value": "Is it {{thing}}?"}] if prompt else []
    for number in range(versions):
        source = "prompt-template" if prompt else f"s3://models/{number}"
        body = {"name": name, "source": source, "tags": [*tags, *text]}
        await wire.http.request("POST", f"{api}/model-versions/create", json=body)


async def undone(act: Act, action: str, before: dict[str, Any], params: dict[str, Any], declared: set[str]) -> str:
    """Takes an action back as the core does: its parameters, overridden by what was read before."""
    merged = {**params, **{name: value for name, value in before.items() if name in declared}}
    return (await act(action, **{name: value for name, value in merged.items() if name in declared})).sentence


async def aliases_are_set_once_and_taken_back(act: Act, wire: Wire, name: str) -> None:
    params = {"model": name, "alias": "champion", "version": "3"}
    before = await act("alias", **params)
    assert before.output == {"already": False, "exists": False, "points_to": ""}
    dry = await act("set_alias", dry_run=True, **params)
    assert dry.sentence == f"alias champion of model {name} would point to version 3; there is no such alias now"
    assert wire.writes == []
    done = await act("set_alias", **params)
    assert done.sentence == f"alias champion of model {name} points to version 3; it is new"
    assert (await act("alias", **params)).output == {"already": True, "exists": True, "points_to": "3"}
    again = await act("set_alias", **params)
    assert again.sentence == f"alias champion of model {name} points to version 3 already; left as it is"
    assert len(wire.writes) == 1
    declared = {"model", "alias", "version", "points_to"}
    said = await undone(act, "restore_alias", dict(before.output), params, declared)
    assert said == f"alias champion of model {name} is removed; it pointed to version 3"
    assert (await act("alias", model=name, alias="champion")).output["already"] is True


async def a_removed_alias_comes_back(act: Act, wire: Wire, name: str) -> None:
    await act("set_alias", model=name, alias="champion", version="2")
    params = {"model": name, "alias": "champion"}
    before = await act("alias", **params)
    assert (await act("delete_alias", dry_run=True, **params)).sentence.endswith("it points to version 2 now")
    assert (await act("delete_alias", **params)).sentence.endswith("is removed; it pointed to version 2")
    assert (
        await act("delete_alias", **params)
    ).sentence == f"model {name} has no alias champion already; left as it is"
    said = await undone(act, "restore_alias", dict(before.output), params, {"model", "alias", "version", "points_to"})
    assert said == f"alias champion of model {name} points to version 2; it is new"


async def an_undo_leaves_what_somebody_changed_since(act: Act, wire: Wire, name: str) -> None:
    await act("set_alias", model=name, alias="champion", version="1")
    await act("set_alias", model=name, alias="champion", version="2")
    await act("set_alias", model=name, alias="champion", version="3")  # somebody else
    with pytest.raises(Refused, match="somebody changed it since; it was left as it is"):
        await act("restore_alias", model=name, alias="champion", version="2", points_to="1")
    assert (await act("alias", model=name, alias="champion")).output["points_to"] == "3"


async def a_rollback_goes_one_version_back_however_often_it_is_repeated(act: Act, wire: Wire, name: str) -> None:
    await act("set_alias", model=name, alias="champion", version="3")
    params = {"model": name, "alias": "champion"}
    before = await act("previous", call_key="run-1/s/before", **params)
    assert before.output == {"already": False, "points_to": "3", "version": "2"}
    writes = len(wire.writes)
    dry = await act("rollback_alias", dry_run=True, **params)
    assert dry.sentence == f"alias champion of model {name} would point to version 2; it points to version 3 now"
    assert len(wire.writes) == writes
    done = await act("rollback_alias", **params)
    assert done.sentence == f"alias champion of model {name} points to version 2; it pointed to version 3"
    assert done.output == {"version": "2", "points_to": "3"}
    again = await act("rollback_alias", **params)
    assert again.sentence == f"alias champion of model {name} points to version 2 already; left as it is"
    assert again.output == {"version": "2", "points_to": "3"}
    said = await undone(act, "restore_alias", dict(before.output), params, {"model", "alias", "version", "points_to"})
    assert said == f"alias champion of model {name} points to version 3; it pointed to version 2"
    await act("rollback_alias", call_key="run-2/s", **params)
    await act("rollback_alias", call_key="run-3/s", **params)
    assert (await act("alias", **params)).output["points_to"] == "1"
    with pytest.raises(Refused, match=f"model {name} has no READY version before 1; champion was left as it is"):
        await act("rollback_alias", call_key="run-4/s", **params)
    await act("rollback_alias", call_key="run-5/s", version="3", **params)
    assert (await act("alias", **params)).output["points_to"] == "3"


async def a_rollback_survives_every_cut(act: Act, wire: Wire, name: str) -> None:
    params = {"model": name, "alias": "champion"}
    for number, faults in enumerate((["cut"], ["lost"], ["", "cut"], ["", "lost"], ["lost", "lost"])):
        await act("set_alias", version="3", **params)
        wire.faults = list(faults)
        for _ in faults:
            if wire.faults:
                with pytest.raises(Unreachable):
                    await act("rollback_alias", call_key=f"run-{number}/r", **params)
        await act("rollback_alias", call_key=f"run-{number}/r", **params)
        assert (await act("alias", **params)).output["points_to"] == "2", faults


async def a_repeat_of_a_rollback_leaves_what_somebody_chose_meanwhile(act: Act, wire: Wire, name: str) -> None:
    params = {"model": name, "alias": "champion"}
    await act("set_alias", version="3", **params)
    wire.faults = ["", "cut"]
    with pytest.raises(Unreachable):
        await act("rollback_alias", call_key="run-1/r", **params)
    await act("set_alias", version="1", **params)  # somebody was quicker while quell was away
    with pytest.raises(Refused, match="neither 3, where this step found it, nor 2: somebody changed it since"):
        await act("rollback_alias", call_key="run-1/r", **params)
    assert (await act("alias", **params)).output["points_to"] == "1"


async def an_undo_leaves_tags_that_somebody_changed_since(act: Act, wire: Wire, name: str) -> None:
    params = {"model": name, "tags": {"quell.hold": "INC-1", "owner": "quell"}}
    declared = {"model", "version", "were", "wanted"}
    before = await act("model", **params)
    await act("tag", **params)
    await act("tag", model=name, tags={"owner": "bea"})  # somebody else
    said = await undone(act, "restore_tags", dict(before.output), params, declared)
    assert said == f"model {name} has no quell.hold; owner was changed since and is left as it is"
    tags = (await act("model", model=name)).output["tags"]
    assert (tags.get("quell.hold"), tags["owner"]) == (None, "bea")
    await act("tag", model=name, tags={"quell.hold": "INC-2"})
    said = await undone(act, "restore_tags", dict(before.output), params, declared)
    assert said == f"model {name} has other owner, quell.hold now; left as it is"


async def states_survive_every_cut(act: Act, wire: Wire, name: str) -> None:
    for fault in ("cut", "lost"):
        for action, params in (
            ("set_alias", {"alias": "a", "version": "1"}),
            ("delete_alias", {"alias": "a"}),
            ("tag", {"tags": {"quell.hold": "INC-1"}}),
            ("tag", {"tags": {"quell.hold": "INC-1"}, "version": "2"}),
            ("untag", {"names": ["quell.hold"]}),
            ("untag", {"names": ["quell.hold"], "version": "2"}),
        ):
            wire.faults = [fault]
            with pytest.raises(Unreachable):
                await act(action, model=name, **params)
            first = await act(action, model=name, **params)
            assert ("already" in first.sentence) is (fault == "lost"), (action, fault)
            writes = len(wire.writes)
            await act(action, model=name, **params)
            assert len(wire.writes) == writes


async def tags_are_set_removed_and_given_back(act: Act, wire: Wire, name: str) -> None:
    await act("tag", model=name, tags={"owner": "ana"})
    for version, shown in (("", f"model {name}"), ("2", f"version 2 of model {name}")):
        params = {"model": name, "version": version, "tags": {"quell.hold": "INC-1", "owner": "quell", "frozen": True}}
        before = await act("model", **params)
        assert before.output["already"] is False
        owner = None if version else "ana"
        assert before.output["were"] == {"quell.hold": None, "owner": owner, "frozen": None}
        writes = len(wire.writes)
        dry = await act("tag", dry_run=True, **params)
        assert dry.sentence.startswith(f"{shown} would have quell.hold=INC-1, owner=quell, frozen=true; now it has no ")
        assert len(wire.writes) == writes
        assert (await act("tag", **params)).sentence == f"{shown} has quell.hold=INC-1, owner=quell, frozen=true"
        assert (await act("model", **params)).output["already"] is True
        assert (await act("tag", **params)).sentence.endswith("already; left as it is")
        said = await undone(act, "restore_tags", dict(before.output), params, {"model", "version", "were", "wanted"})
        assert said == f"{shown} has no quell.hold, {f'owner={owner}' if owner else 'no owner'}, no frozen"
    names = {"model": name, "names": ["owner", "none"]}
    before = await act("model", **names)
    assert (before.output["already"], before.output["were"]) == (False, {"owner": "ana", "none": None})
    assert (await act("untag", **names)).sentence == f"model {name} has no owner, no none"
    assert (await act("model", **names)).output["already"] is True
    await undone(act, "restore_tags", dict(before.output), names, {"model", "version", "were", "wanted"})
    read = (await act("model", model=name)).output
    assert (read["tags"]["owner"], read["latest"], read["already"]) == ("ana", "3", False)


async def a_note_is_one_paragraph_of_the_description(act: Act, wire: Wire, name: str) -> None:
    for version, shown in (("", f"model {name}"), ("2", f"version 2 of model {name}")):
        await act("note", model=name, version=version, text="Made by hand.\nOf clicks.")
        params = {"model": name, "version": version, "text": "Under review: INC-1"}
        before = await act("note_state", **params)
        assert before.output == {"already": False, "description": "Made by hand.\nOf clicks."}
        writes = len(wire.writes)
        assert (await act("note", dry_run=True, **params)).sentence == f"{shown} would have the note: {params['text']}"
        assert len(wire.writes) == writes
        wire.faults = ["lost"]
        with pytest.raises(Unreachable):
            await act("note", **params)
        assert (await act("note", **params)).sentence == f"{shown} has this note already; left as it is"
        now = (await act("note_state", **params)).output
        assert now == {"already": True, "description": "Made by hand.\nOf clicks.\n\nUnder review: INC-1"}
        said = await undone(act, "unnote", dict(before.output), params, {"model", "version", "text"})
        assert said == f"{shown} has no such note any more"
        assert (await act("unnote", **params)).sentence == f"{shown} has no such note; left as it is"
        assert (await act("note_state", **params)).output == before.output
    with pytest.raises(Refused, match=r'mlflow\.note needs a "text" of 1 to 2000 letters, not 0'):
        await act("note", model=name, text=" ")
    for letter in "ab":
        await act("note", model=name, text=letter * 1_900)
    with pytest.raises(Refused, match="would be longer than 5000 letters; it was left as it is"):
        await act("note", model=name, text="c" * 1_900)


async def an_alias_of_a_prompt_goes_one_version_back(act: Act, wire: Wire, _name: str) -> None:
    prompt = "greeting"  # MLflow has no spaces or quotes in names of prompts
    await seed(wire, wire.url, prompt, prompt=True)
    params = {"model": prompt, "alias": "production"}
    await act("set_alias", version="3", **params)
    assert (await act("previous", **params)).output == {"already": False, "points_to": "3", "version": "2"}
    await act("rollback_alias", **params)
    await act("rollback_alias", **params)
    assert (await act("alias", **params)).output["points_to"] == "2"


async def what_mlflow_knows_nothing_of_is_refused_in_its_words(act: Act, wire: Wire, name: str) -> None:
    missing = "Registered Model with name=nope not found"
    for dry_run in (True, False):
        for action, params, said in (
            ("set_alias", {"model": "nope", "alias": "a", "version": "1"}, missing),
            ("rollback_alias", {"model": "nope", "alias": "a"}, missing),
            ("delete_alias", {"model": "nope", "alias": "a"}, missing),
            ("tag", {"model": "nope", "tags": {"a": "b"}}, missing),
            (
                "set_alias",
                {"model": name, "alias": "a", "version": "9"},
                r"Model Version \(name=.*version=9\) not found",
            ),
            ("rollback_alias", {"model": name, "alias": "none"}, "has no alias none to roll back; nothing was changed"),
            ("tag", {"model": name, "version": "9", "tags": {"a": "b"}}, "Model Version .* not found"),
            ("tag", {"model": name, "tags": {}}, 'needs 1 to 50 tags in "tags", not 0'),
            ("untag", {"model": name, "names": []}, 'needs 1 to 50 tags in "names", not 0'),
            ("explode", {}, 'mlflow has no action "explode"; it has alias, '),
        ):
            with pytest.raises(Refused, match=said):
                await act(action, dry_run=dry_run, **params)
    assert wire.writes == []


SCENARIOS: tuple[Scenario, ...] = (
    aliases_are_set_once_and_taken_back,
    a_removed_alias_comes_back,
    an_undo_leaves_what_somebody_changed_since,
    a_rollback_goes_one_version_back_however_often_it_is_repeated,
    a_rollback_survives_every_cut,
    a_repeat_of_a_rollback_leaves_what_somebody_chose_meanwhile,
    an_undo_leaves_tags_that_somebody_changed_since,
    states_survive_every_cut,
    tags_are_set_removed_and_given_back,
    a_note_is_one_paragraph_of_the_description,
    an_alias_of_a_prompt_goes_one_version_back,
    what_mlflow_knows_nothing_of_is_refused_in_its_words,
)
