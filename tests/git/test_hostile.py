"""Who is believed when keys change, and what somebody who may push, but not sign, can do to the daemon beside it."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from git.origin import Origin
from git.test_source import Daemon, go
from quell.config import RulesAt, load_file
from quell.config.settings import GitSettings
from quell.daemon.git.trial import tried_out
from quell.errors import Misconfigured


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    return Origin(tmp_path / "there")


class Keyring:
    """A GPG home with one key. Its path is short: GPG's agent listens on a socket below it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.home = Path(tempfile.mkdtemp(prefix="qk"))
        self._run("gpg", "--batch", "--quiet", "--passphrase", "", "--quick-gen-key", f"{name} <{name}@example.com>",
                  "ed25519", "sign", "never")  # fmt: skip

    def _run(self, *command: str) -> bytes:
        done = subprocess.run(command, env={**os.environ, "GNUPGHOME": str(self.home)}, capture_output=True, check=True)
        return done.stdout

    def close(self) -> None:
        self._run("gpgconf", "--kill", "all")
        shutil.rmtree(self.home, ignore_errors=True)

    def commit(self, origin: Origin) -> str:
        wrapper = self.home / "sign"
        wrapper.write_text(f'#!/bin/sh\nGNUPGHOME={self.home} exec gpg "$@"\n')
        wrapper.chmod(0o755)
        return origin.commit_with("-c", f"gpg.program={wrapper}", "-c", f"user.signingKey={self.name}@example.com")


@pytest.fixture
def rings() -> Iterator[tuple[Keyring, Keyring]]:
    both = Keyring("ana"), Keyring("bea")
    yield both
    for one in both:
        one.close()


def test_another_keyring_takes_the_place_of_the_first(
    origin: Origin, tmp_path: Path, rings: tuple[Keyring, Keyring]
) -> None:
    ana, bea = rings
    origin.playbook("a")
    first = ana.commit(origin)
    here = tmp_path / "here"
    daemon = Daemon(origin, here, signers=None, gpg_home=ana.home)

    async def story() -> None:
        assert await daemon.source.look() == ""
        assert daemon.commit == first
        daemon.settings = GitSettings(url=origin.url, keep=here, gpg_home=bea.home)
        origin.playbook("a", "ana is gone")
        ana.commit(origin)
        assert "key that is not known here" in await daemon.source.look()
        by_bea = bea.commit(origin)
        assert await daemon.source.look() == ""
        assert daemon.commit == by_bea
        daemon.settings = GitSettings(url=origin.url, keep=here, signers=origin.allow("ana"))
        bea.commit(origin)
        assert await daemon.source.look() != "", "with signers by SSH no GPG key counts"
        assert daemon.commit == by_bea

    go(story())


def test_an_ssh_signature_counts_for_nothing_beside_a_keyring(origin: Origin, tmp_path: Path) -> None:
    origin.playbook("a")
    origin.commit(signer="mallory")
    (tmp_path / "ring").mkdir()
    daemon = Daemon(origin, tmp_path / "here", signers=None, gpg_home=tmp_path / "ring")

    async def story() -> None:
        assert await daemon.source.look() != ""
        assert daemon.commit == ""

    go(story())


def test_many_refused_commits_leave_the_last_good_one_to_go_back_to(origin: Origin, tmp_path: Path) -> None:
    origin.playbook("a")
    good = origin.commit()
    daemon = Daemon(origin, tmp_path / "here")

    async def story() -> None:
        await daemon.source.look()
        daemon.fails = "no such action"
        for number in range(7):
            origin.playbook("a", f"{number}")
            origin.commit()
            await daemon.source.look()
        assert len(list((tmp_path / "here/trees").iterdir())) == 1, "what was refused is not kept"
        daemon.fails, daemon.loadable = "", False
        for number in range(7):
            origin.playbook("a", f"not loadable {number}")
            origin.commit()
            assert "could not be taken up" in await daemon.source.look()
            assert daemon.commit == good
            assert list(daemon.files()) == ["playbooks/a.yaml"]

    go(story())


def test_a_branch_that_cannot_be_fetched_is_told_though_it_can_be_named(
    origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A commit that git itself refuses (here: a file called .git) is seen by ls-remote for ever and never comes."""
    origin.playbook("a")
    good = origin.commit()
    daemon = Daemon(origin, tmp_path / "here")

    async def story() -> None:
        await daemon.source.look()
        blob = origin.git("hash-object", "-w", "playbooks/a.yaml")
        made = subprocess.run(["git", "mktree"], cwd=origin.work, input=f"100644 blob {blob}\t.git\n",
                              capture_output=True, text=True, check=True).stdout.strip()  # fmt: skip
        commit = origin.git("commit-tree", made, "-p", good, "-m", "odd")
        origin.git("push", "--quiet", "origin", f"{commit}:main")
        assert "git fetch failed" in await daemon.source.look()
        since = daemon.source.standing.failing_since
        assert since is not None
        await daemon.source.look()
        assert daemon.source.standing.failing_since == since
        assert daemon.alerts() == []
        monkeypatch.setattr("quell.daemon.git.source.STALE_S", 0.0)
        await daemon.source.look()
        assert daemon.alerts() == ["firing"]
        assert daemon.commit == good

    go(story())


def test_a_lock_that_was_left_behind_does_not_keep_commits_out(origin: Origin, tmp_path: Path) -> None:
    origin.playbook("a")
    origin.commit()
    daemon = Daemon(origin, tmp_path / "here")

    async def story() -> None:
        await daemon.source.look()
        lock = tmp_path / "here/repository.git/refs/quell/candidate.lock"
        lock.touch()
        origin.playbook("b")
        newer = origin.commit()
        assert "git fetch failed" in await daemon.source.look(), "perhaps somebody is at it"
        os.utime(lock, (time.time() - 3600, time.time() - 3600))
        assert await daemon.source.look() == ""
        assert daemon.commit == newer

    go(story())


def test_the_copy_does_not_grow_without_end(origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quell.daemon.git.repository.MOST_KEPT", 200_000)
    origin.playbook("a")
    origin.commit()
    daemon = Daemon(origin, tmp_path / "here")

    async def story() -> None:
        await daemon.source.look()
        for number in range(4):
            origin.write("large", os.urandom(150_000))
            origin.playbook("a", f"{number}")
            newest = origin.commit(force=True)
            assert await daemon.source.look() == ""
            assert daemon.commit == newest
            origin.write("large", b"")
        kept = sum(path.stat().st_size for path in (tmp_path / "here/repository.git").rglob("*") if path.is_file())
        assert kept < 800_000

    go(story())


def test_a_branch_that_names_a_tag_is_not_taken_up_again_and_again(origin: Origin, tmp_path: Path) -> None:
    """Git itself lets nobody push that; a server may say it all the same."""
    origin.playbook("a")
    good = origin.commit()
    origin.git("tag", "-a", "-m", "release", "v1")
    origin.git("push", "--quiet", "origin", "v1")
    (origin.bare / "refs/heads/main").write_text(origin.git("rev-parse", "v1") + "\n")
    daemon = Daemon(origin, tmp_path / "here")

    async def story() -> None:
        for _ in range(3):
            assert await daemon.source.look() == ""
        assert (daemon.commit, daemon.loads, daemon.acts()) == (good, 1, [("take_rules", good)])

    go(story())


def test_a_name_longer_than_files_have_makes_the_commit_unfit(origin: Origin, tmp_path: Path) -> None:
    origin.playbook("a")
    origin.commit()
    daemon = Daemon(origin, tmp_path / "here")

    async def story() -> None:
        await daemon.source.look()
        tree = origin.git("hash-object", "-w", "playbooks/a.yaml")
        name = "playbooks/" + "x" * 300 + ".yaml"
        origin.git("update-index", "--add", "--cacheinfo", f"100644,{tree},{name}")
        origin.git("commit", "--quiet", "-m", "long")
        origin.git("push", "--quiet", "origin", "HEAD:main")
        assert "is not taken" in await daemon.source.look()
        assert daemon.alerts() == ["firing"]

    go(story())


ENDLESS = """\
import sys, time
print("x" * 1000, flush=True)
time.sleep(60)
"""


def test_a_daemon_that_ends_does_not_wait_for_a_trial(
    origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tests of a commit may take minutes; who waits for the lease on the store must not wait for them."""
    directory = tmp_path / "quell"
    (directory / "trees").mkdir(parents=True)
    (directory / "a.test.yaml").write_text("test: a\n")
    (directory / "quell.yaml").write_text(f"git: {{url: '{origin.url}', unsigned: true}}\n")
    slow = tmp_path / "slow"
    slow.write_text(f"#!{sys.executable}\n{ENDLESS}")
    slow.chmod(0o755)
    monkeypatch.setattr("quell.daemon.git.trial.sys.executable", str(slow))
    given_up, ended = threading.Event(), threading.Event()

    def load(rules: RulesAt) -> object:
        return load_file(directory, {}, {}, rules=rules)

    def work() -> None:
        try:
            tried_out(load, directory / "quell.yaml", RulesAt(directory), given_up)  # type: ignore[arg-type]
        except Misconfigured:
            ended.set()

    async def story() -> None:
        task = asyncio.create_task(asyncio.to_thread(work))
        await asyncio.sleep(0.4)
        assert not task.done()
        began = time.monotonic()
        given_up.set()
        await task
        assert ended.is_set()
        assert time.monotonic() - began < 5

    go(story())
