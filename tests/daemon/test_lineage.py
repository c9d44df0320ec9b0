"""`quell graph --lineage` and the API behind it, of a daemon that was told of a model and its data."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from core.lineage_story import MODEL, records
from core.scene import T0, rulebook
from daemon.chatroom import in_a_loop
from daemon.parts import TOKEN, Running, loaded, running, source
from quell.cli.main import run
from quell.config import Loaded
from quell.core.engine import Engine

RULES = rulebook(entities=(), dependencies=(), routes=())


@asynccontextmanager
async def told() -> Any:
    config = Loaded(loaded(source("w", "worker")).settings, RULES)
    async with running(
        config, restore=lambda book, data: Engine.restored(book, data) if data else Engine(book)
    ) as place:
        decider: Any = place.daemon.loop.decider
        for record in records():
            decider.decide([record], max(record.at, decider.state.now))
        yield place


async def asked(place: Running, *words: str) -> int:
    """What the command ends with; it asks the daemon from a thread of its own."""
    return await asyncio.to_thread(run, ["graph", *words, "--url", place.url, "--token", TOKEN])


@in_a_loop
async def test_people_see_what_a_version_was_made_of(capsys: pytest.CaptureFixture[str]) -> None:
    async with told() as place:
        assert await asked(place, "--lineage", MODEL, "--version", "7") == 0
        out = capsys.readouterr().out
    for text in (
        "model/fraud  owner risk  champion → 6", "made from", "needed by", "dataset/raw", "fed_by, says lineage",
        "kpi/approvals  owner growth  measures, says catalogue", "code      a41b90c (train.py)",
        "dataset/payments version 41", "by ana, in the place of version 6", "versions known: 6, 7",
    ):  # fmt: skip
        assert text in out, out


@in_a_loop
async def test_programs_get_the_same_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    async with told() as place:
        capsys.readouterr()
        assert await asked(place, "--lineage", MODEL, "--version", "champion", "--json") == 0
        answer = json.loads(capsys.readouterr().out)
        _, same = await place.api("GET", f"/lineage?entity={MODEL}&version=champion")
    assert answer == same
    assert answer["origin"]["made"]["version"] == "6"
    assert {"from": "endpoint/score", "to": MODEL, "type": "predicts_with"}.items() <= next(
        edge for edge in answer["links"] if edge["from"] == "endpoint/score"
    ).items()


@in_a_loop
async def test_it_is_drawn_to_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture, graphviz = tmp_path / "fraud.svg", tmp_path / "fraud.dot"
    async with told() as place:
        capsys.readouterr()
        words = ("--lineage", MODEL, "--version", "7", "--svg", str(picture), "--dot", str(graphviz))
        assert await asked(place, *words) == 0
        assert capsys.readouterr().out.splitlines() == [f"drawn to {picture}", f"drawn to {graphviz}"]
        assert await asked(place, "--lineage", MODEL, "--svg", str(tmp_path / "none" / "x.svg")) != 0
    assert picture.read_text().startswith("<svg")
    assert graphviz.read_text().startswith("digraph")
    assert "cannot be written: No such file or directory" in capsys.readouterr().err


@in_a_loop
async def test_what_is_not_known_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    async with told() as place:
        for words, why in (
            (("--lineage", "model/none"), 'nothing is known of the entity "model/none"'),
            (("--lineage", MODEL, "--version", "9"), 'nothing is known of version "9" of model/fraud; known are: 6, 7'),
            (("--version", "7"), "--version, --svg and --dot go with --lineage ENTITY"),
            ((MODEL, "--lineage", MODEL), "one entity too many"),
        ):
            assert await asked(place, *words) != 0
            assert why in capsys.readouterr().err


@in_a_loop
async def test_neighbours_say_who_said_so_and_when(capsys: pytest.CaptureFixture[str]) -> None:
    async with told() as place:
        decider: Any = place.daemon.loop.decider
        first, *_ = records()
        decider.decide([type(first)(at=T0 + 7200.0, source="airflow", from_=first.from_, to=first.to, type=first.type)],
                       decider.state.now)  # fmt: skip
        assert await asked(place, "dataset/raw") == 0
        out = capsys.readouterr().out
    assert "fed_by, says lineage, airflow, first " in out
    assert ", last " in out
