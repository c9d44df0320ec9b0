"""The audit trail: acts, results and reloads are in it, secrets are not, and whoever changes a row is found out."""

from __future__ import annotations

import asyncio
import dataclasses
import sqlite3
from collections.abc import Coroutine
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar

import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from daemon.parts import KINDS, Worker, loaded, running, source
from quell.cli.auditing import audit
from quell.config.secrets import Secrets
from quell.daemon.arguments import Arguments
from quell.daemon.logs import Masker
from quell.daemon.metrics import Metrics
from quell.daemon.sources import Sources
from quell.model.decision import Perform
from quell.model.records import AlertRecord
from quell.sdk.connector import Done
from quell.sdk.spec import ActionSpec, Option, Spec
from quell.store.opening import open_store
from quell.store.port import Turn
from store.values import audit as entry


def go(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


class Keyed(Worker):
    """Takes a secret."""

    spec: ClassVar[Spec] = Spec(
        name="keyed",
        summary="For tests.",
        actions=(
            ActionSpec(
                name="do",
                summary="Does.",
                params=(
                    Option(name="text", type="text", summary="What."),
                    Option(name="key", type="secret", summary="With."),
                ),
            ),
        ),
    )


def wanting(action: str, key: str, **labels: str) -> AlertRecord:
    return AlertRecord(
        at=1.0, source="t", status="firing", labels={"alertname": "a", "act": action, "key": key, **labels}
    )


def test_every_act_and_its_result_are_told_and_reads_and_dry_runs_are_not() -> None:
    async def story() -> None:
        Worker.script = lambda call: Done("it is done")
        async with running(loaded(source("w", "worker"))) as quell:
            for n, (action, labels) in enumerate(
                [("w.do", {}), ("w.do", {"dry": "yes"}), ("w.do", {"effect": "read"}), ("w.none", {})]
            ):
                await quell.daemon.inbox.put([wanting(action, str(n), **labels)])
                await quell.until(lambda n=n: quell.core.told(f"run/{n}"))
            trail = [one.audit for one in quell.store.audit()]
            told = {(one.target, one.what): one.detail for one in trail if one.what.startswith("act")}
            assert set(told) == {("run/0", "act"), ("run/0", "act done"), ("run/3", "act")}
            assert told["run/0", "act"] == 'w.do text="x"'
            assert told["run/0", "act done"] == "it is done"
            assert all(one.who == "quell" for one in trail)
            assert quell.store.verify_audit() is None

    go(story())


def test_a_secret_argument_is_told_as_a_hash() -> None:
    config = loaded(source("k", "keyed"))
    sources = Sources({**KINDS, "keyed": Keyed}, lambda: 0.0, Metrics())
    go(sources.use(sources.prepared(config.settings), config.settings))
    masker = Masker()
    masker.know(["known-elsewhere"])
    told = Arguments(sources, Secrets(Path(), {"THE_KEY": "a-long-secret"}).read, masker).told
    deed = Perform(
        at=0.0, key="r/a/1", action="k.do", effect="change", repeat="never",
        params={"key": "env:THE_KEY", "text": "say known-elsewhere", "list": [1, {"a": None}]},
    )  # fmt: skip
    digest = sha256(b"a-long-secret").hexdigest()[:16]
    assert told(deed) == f'k.do key=sha256:{digest} list=[1,{{"a":null}}] text="say ***"'
    literal = told(replace(deed, params={"key": "hunter2-hunter2"}))
    assert literal.startswith("k.do key=sha256:")
    assert "hunter2" not in literal
    assert told(replace(deed, action="gone.do", params={"x": "y" * 5000})).endswith("…")


def test_a_reload_is_told() -> None:
    async def story() -> None:
        first = loaded(source("w", "worker"), version="aaaa")
        versions = iter([first, replace_rules(first, "bbbb")])
        async with running(first, load=lambda: next(versions)) as quell:
            for _ in range(2):
                await quell.daemon._reload()
            (one,) = [each.audit for each in quell.store.audit()]
            assert (one.who, one.what, one.target) == ("quell", "reload", "bbbb")
            assert one.detail == "rules and playbooks, aaaa until now"

    go(story())


def replace_rules(config: Any, version: str) -> Any:
    return dataclasses.replace(config, rulebook=replace(config.rulebook, version=version))


# Verifying


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A configuration whose store holds a trail of twenty rows."""
    (tmp_path / "quell.yaml").write_text("store: sqlite:///quell.db\n")
    store = open_store("sqlite:///quell.db", tmp_path)
    for n in range(1, 21):
        store.commit(Turn(seq=n, audits=[entry(float(n), detail=f"row {n}")]))
    store.close()
    return tmp_path


def verified(directory: Path) -> tuple[int, str]:
    """The exit code, and what was said last: what is wrong with somebody's connector comes before."""
    done = CliRunner().invoke(audit, ["verify", "-c", str(directory)])
    return done.exit_code, done.output.strip().splitlines()[-1]


def test_a_whole_trail_is_said_to_be(kept: Path) -> None:
    code, said = verified(kept)
    assert code == 0, said
    assert said.startswith("the audit trail is whole: 20 rows, the last one ")


TAMPERED: dict[str, tuple[str, str]] = {
    "a changed detail": (
        "UPDATE audit SET detail = 'row 7!' WHERE n = 7",
        "audit row 7 was changed after it was written",
    ),
    "another person": ("UPDATE audit SET who = 'eve' WHERE n = 1", "audit row 1 was changed after it was written"),
    "another time": ("UPDATE audit SET at = at + 1 WHERE n = 20", "audit row 20 was changed after it was written"),
    "a row gone": ("DELETE FROM audit WHERE n = 12", "audit row 12 is missing; row 13 follows 11"),
    "the last row gone": (
        "DELETE FROM audit WHERE n = 20",
        "the audit trail ends at row 19, but row 20 was written last",
    ),
    "the first rows gone": ("DELETE FROM audit WHERE n < 4", "audit row 1 is missing; row 4 follows 0"),
    "a changed hash": (
        "UPDATE audit SET hash = prev_hash WHERE n = 9",
        "audit row 9 was changed after it was written",
    ),
    "two rows that changed places": (
        "UPDATE audit SET n = n - 11 WHERE n IN (5, 6); UPDATE audit SET n = -n WHERE n < 0",
        "audit row 5 does not continue the row before it",
    ),
}


@pytest.mark.parametrize("how", TAMPERED)
def test_the_first_broken_row_is_named(kept: Path, how: str) -> None:
    statements, expected = TAMPERED[how]
    connection = sqlite3.connect(kept / "quell.db")
    connection.executescript(statements)
    connection.close()
    assert verified(kept) == (1, f"{expected}; what stands from there on proves nothing")


def test_a_row_that_was_changed_with_its_own_hash_breaks_the_next(kept: Path) -> None:
    """Whoever knows how hashes are made must make all that follow, and the head."""
    connection = sqlite3.connect(kept / "quell.db")
    (previous,) = connection.execute("SELECT hash FROM audit WHERE n = 9").fetchone()
    content = b'{"decision":"audit","at":10.0,"detail":"forged","target":"INC-1","what":"ack","who":"ada"}'
    forged = sha256(previous.encode() + b"\n" + content).hexdigest()
    connection.execute("UPDATE audit SET detail = 'forged', hash = ? WHERE n = 10", (forged,))
    connection.commit()
    connection.close()
    code, said = verified(kept)
    assert code == 1
    assert said.startswith(("audit row 10 was changed", "audit row 11 does not continue the row before it"))


@pytest.mark.parametrize("url", ["memory:", "sqlite:///quell.db"])
def test_the_daemon_verifies_too(url: str, tmp_path: Path) -> None:
    async def story() -> None:
        store = open_store(url, tmp_path)
        store.note([entry(1.0), entry(2.0)])
        config = loaded(source("w", "worker"))
        config = replace_settings(config, store=url if url == "memory:" else f"sqlite:///{tmp_path / 'quell.db'}")
        async with running(config, store=store) as quell:
            status, told = await quell.api("GET", "/audit/verify")
            assert (status, told["whole"], told["rows"]) == (200, True, 2)
            if url != "memory:":
                connection = sqlite3.connect(tmp_path / "quell.db")
                connection.execute("UPDATE audit SET who = 'eve' WHERE n = 2")
                connection.commit()
                connection.close()
                _, told = await quell.api("GET", "/audit/verify")
                assert (told["whole"], told["row"]) == (False, 2)
                assert told["text"] == "audit row 2 was changed after it was written"

    go(story())


def replace_settings(config: Any, **fields: Any) -> Any:
    return dataclasses.replace(config, settings=replace(config.settings, **fields))
