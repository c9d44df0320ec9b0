"""Rules from a real repository: what is taken up, what is refused and why, and that the last good one stays in use."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from git.origin import Origin
from profiles.data import fine, profile
from quell.config import RulesAt
from quell.config.git_file import ACTIVE_FILE, active_of
from quell.config.profile_file import profile_text
from quell.config.settings import GitSettings
from quell.daemon.clock import Clock
from quell.daemon.git.commands import Access, Git, GitFailed
from quell.daemon.git.source import GitSource
from quell.daemon.metrics import Metrics
from quell.errors import Misconfigured, Problem
from quell.model.records import AlertRecord, AnyRecord, CommandRecord


def go(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


class Daemon:
    """What a git source needs of a daemon, with its trials and reloads written down."""

    def __init__(self, origin: Origin, keep: Path, **settings: Any) -> None:
        allowed: dict[str, Any] = {"unsigned": True} if "signers" not in settings else {}
        self.settings = GitSettings(url=origin.url, keep=keep, **allowed, **settings)
        self.tried: list[RulesAt] = []
        self.told: list[AnyRecord] = []
        self.loads = 0
        self.fails = ""
        self.loadable = True
        self.no_file = False
        self.source = GitSource(
            lambda: self.settings, trial=self._trial, take_up=self._take_up, tell=self._tell, clock=Clock(),
            metrics=Metrics(),
        )  # fmt: skip

    def _trial(self, rules: RulesAt, _given_up: threading.Event) -> None:
        self.tried.append(rules)
        if self.fails:
            raise Misconfigured([Problem("playbooks/a.yaml", 3, 1, self.fails)])

    async def _take_up(self) -> bool:
        self.loads += 1
        if self.no_file:
            raise OSError(24, "Too many open files")
        return self.loadable

    async def _tell(self, records: list[AnyRecord]) -> None:
        self.told += records

    @property
    def commit(self) -> str:
        active = active_of(self.settings)
        return active.commit if active else ""

    def files(self) -> dict[str, str]:
        active = active_of(self.settings)
        assert active is not None
        tree = self.settings.keep / active.tree
        return {path.relative_to(tree).as_posix(): path.read_text() for path in tree.rglob("*") if path.is_file()}

    def acts(self) -> list[tuple[str, str]]:
        return [(each.verb, each.target) for each in self.told if isinstance(each, CommandRecord)]

    def alerts(self) -> list[str]:
        return [each.status for each in self.told if isinstance(each, AlertRecord)]


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    return Origin(tmp_path / "there")


def test_the_newest_commit_is_taken_up_once(origin: Origin, tmp_path: Path) -> None:
    origin.playbook("a")
    origin.write("README.md", "not a rule")
    origin.write("playbooks/a.test.yaml", "test: a\n")
    first = origin.commit("rules: begin")
    daemon = Daemon(origin, tmp_path / "here")

    async def story() -> None:
        assert await daemon.source.look() == ""
        assert (daemon.commit, daemon.loads) == (first, 1)
        assert sorted(daemon.files()) == ["playbooks/a.test.yaml", "playbooks/a.yaml"]
        assert daemon.acts() == [("take_rules", first)]
        assert await daemon.source.look() == ""
        assert daemon.loads == 1
        origin.playbook("b")
        second = origin.commit("rules: more")
        assert await daemon.source.look() == ""
        assert (daemon.commit, daemon.loads) == (second, 2)
        assert daemon.tried[-1].commit == second
        status = daemon.source.status()
        assert status is not None
        assert (status["commit"], status["subject"], status["problem"]) == (second, "rules: more", "")

    go(story())


def test_only_who_is_allowed_decides(origin: Origin, tmp_path: Path) -> None:
    signers = origin.allow("ana")
    origin.playbook("a")
    good = origin.commit(signer="ana")
    daemon = Daemon(origin, tmp_path / "here", signers=signers)

    async def story() -> None:
        assert await daemon.source.look() == ""
        active = active_of(daemon.settings)
        assert active is not None
        assert (active.commit, active.signer) == (good, "ana@example.com")
        assert daemon.tried[-1].signer == "ana@example.com"
        origin.playbook("a", "changed by a stranger")
        stranger = origin.commit(signer="mallory")
        assert "signed by nobody who is allowed to" in await daemon.source.look()
        unsigned = origin.commit()
        assert "is not signed" in await daemon.source.look()
        assert daemon.commit == good
        assert daemon.acts() == [("take_rules", good), ("refuse_rules", stranger), ("refuse_rules", unsigned)]
        again = origin.commit(signer="ana")
        assert await daemon.source.look() == ""
        assert daemon.commit == again
        assert daemon.alerts() == ["firing", "firing", "resolved"]

    go(story())


def test_what_does_not_hold_together_is_refused_and_told_once(origin: Origin, tmp_path: Path) -> None:
    origin.playbook("a")
    good = origin.commit()
    daemon = Daemon(origin, tmp_path / "here")

    async def story() -> None:
        await daemon.source.look()
        daemon.fails = 'unknown action "out.pirnt"'
        bad = origin.commit()
        for _ in range(3):
            assert 'playbooks/a.yaml:3: unknown action "out.pirnt"' in await daemon.source.look()
        assert (daemon.commit, daemon.loads) == (good, 1)
        assert daemon.acts() == [("take_rules", good), ("refuse_rules", bad)]
        assert daemon.alerts() == ["firing"]
        status = daemon.source.status()
        assert status is not None
        assert status["refused"] == bad
        daemon.fails = ""
        assert await daemon.source.look(again=True) == "", "what was wrong was mended here"
        assert daemon.commit == bad

    go(story())


def test_a_reload_that_fails_puts_the_last_good_one_back(origin: Origin, tmp_path: Path) -> None:
    origin.playbook("a")
    good = origin.commit()
    daemon = Daemon(origin, tmp_path / "here")

    async def story() -> None:
        await daemon.source.look()
        daemon.loadable = False
        origin.playbook("b")
        origin.commit()
        assert "could not be taken up" in await daemon.source.look()
        assert daemon.commit == good
        assert list(daemon.files()) == ["playbooks/a.yaml"]

    go(story())


def test_a_look_that_cannot_tell_which_commit_is_in_use_takes_none_and_ends_nothing(
    origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    origin.playbook("a")
    good = origin.commit()
    daemon = Daemon(origin, tmp_path / "here")
    opened = Path.open

    def no_file(path: Path, mode: str = "r") -> object:
        if path.name == ACTIVE_FILE:
            raise OSError(24, "Too many open files")
        return opened(path, mode)

    async def story() -> None:
        await daemon.source.look()
        with monkeypatch.context() as short:
            short.setattr(Path, "open", no_file)
            assert "Too many open files" in await daemon.source.look()
        assert daemon.source.standing.active is not None
        assert daemon.source.standing.active.commit == good
        assert daemon.loads == 1
        assert await daemon.source.look() == ""

    go(story())


def test_a_commit_that_cannot_be_taken_up_while_no_file_is_free_is_taken_up_then(
    origin: Origin, tmp_path: Path
) -> None:
    origin.playbook("a")
    good = origin.commit()
    daemon = Daemon(origin, tmp_path / "here")

    async def story() -> None:
        await daemon.source.look()
        daemon.no_file = True
        origin.playbook("b")
        newer = origin.commit()
        assert "Too many open files" in await daemon.source.look()
        assert daemon.commit == good
        daemon.no_file = False
        assert await daemon.source.look() == ""
        assert daemon.commit == newer
        assert daemon.acts() == [("take_rules", good), ("take_rules", newer)]

    go(story())


def test_a_rewritten_branch_is_refused_unless_it_was_meant(origin: Origin, tmp_path: Path) -> None:
    origin.playbook("a")
    origin.commit()
    origin.playbook("a", "fixed")
    newer = origin.commit()
    daemon = Daemon(origin, tmp_path / "here")
    allowing = Daemon(origin, tmp_path / "there2", rewind=True)

    async def story() -> None:
        for one in (daemon, allowing):
            assert await one.source.look() == ""
        origin.back()
        origin.playbook("b")
        rewound = origin.commit(force=True)
        assert f"does not go on from {newer[:12]}" in await daemon.source.look()
        assert daemon.commit == newer
        assert await allowing.source.look() == ""
        assert allowing.commit == rewound

    go(story())


def _link(origin: Origin) -> None:
    origin.odd("120000", "playbooks/passwd.yaml", "/etc/passwd")


def _linked_folder(origin: Origin) -> None:
    origin.odd("120000", "rules", "../../../../etc")


def _submodule(origin: Origin) -> None:
    origin.odd("160000", "rules/more", "0123456789012345678901234567890123456789")


def _large(origin: Origin) -> None:
    origin.write("rules/large.yaml", b"# " + b"x" * 300_000)
    origin.commit()


def _many(origin: Origin) -> None:
    for number in range(2_001):
        origin.write(f"rules/{number}.yaml", "map: []\n")
    origin.commit()


def _nothing(origin: Origin) -> None:
    (origin.work / "playbooks/a.yaml").unlink()
    origin.commit()


def _odd_name(origin: Origin) -> None:
    origin.write("rules/a\\b.yaml", "map: []\n")
    origin.commit()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_link, "is a symbolic link"),
        (_linked_folder, "is a symbolic link"),
        (_submodule, "is a submodule"),
        (_large, "262144 are the most"),
        (_many, "2000 are the most"),
        (_nothing, "holds no rules"),
        (_odd_name, "is not taken"),
    ],
)
def test_a_hostile_tree_is_refused(origin: Origin, tmp_path: Path, spoil: Callable[[Origin], None], said: str) -> None:
    origin.playbook("a")
    good = origin.commit()
    daemon = Daemon(origin, tmp_path / "here")

    async def story() -> None:
        await daemon.source.look()
        spoil(origin)
        assert said in await daemon.source.look()
        assert daemon.commit == good

    go(story())


def test_nothing_of_the_repository_is_run(origin: Origin, tmp_path: Path) -> None:
    """Hooks in the repository asked, attributes that name filters, a pointer to a large file: all are only text."""
    marks = tmp_path / "marks"
    for hook in ("post-update", "pre-receive", "reference-transaction", "post-checkout"):
        path = origin.bare / "hooks" / hook
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\necho {hook} >> {marks}\n")
        path.chmod(0o755)
    origin.playbook("a", "$Format:%H$")
    origin.write(".gitattributes", "* filter=evil export-subst\nplaybooks/* export-ignore\n")
    origin.write(".lfsconfig", "[lfs]\n  url = https://example.com/\n")
    origin.commit()
    marks.unlink(missing_ok=True)
    daemon = Daemon(origin, tmp_path / "here")

    async def story() -> None:
        assert await daemon.source.look() == ""
        assert "$Format:%H$" in daemon.files()["playbooks/a.yaml"]
        assert not marks.exists() or "post-checkout" not in marks.read_text()

    go(story())


@pytest.mark.parametrize("url", ["ext::sh -c 'touch /tmp/owned'", "http://127.0.0.1:1/x.git", "git://127.0.0.1/x"])
def test_no_other_protocol_is_spoken(tmp_path: Path, url: str) -> None:
    git = Git(tmp_path / "repository.git", tmp_path, Access("https"))

    async def story() -> None:
        with pytest.raises(GitFailed, match="not allowed"):
            await git.run("ls-remote", "--", url)

    go(story())


def test_a_repository_that_is_away_leaves_all_as_it_is(
    origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    origin.playbook("a")
    good = origin.commit()
    daemon = Daemon(origin, tmp_path / "here")

    async def story() -> None:
        await daemon.source.look()
        origin.bare.rename(tmp_path / "gone")
        for _ in range(2):
            assert "git ls-remote failed" in await daemon.source.look()
        assert (daemon.commit, daemon.alerts()) == (good, [])
        monkeypatch.setattr("quell.daemon.git.source.STALE_S", 0.0)
        await daemon.source.look()
        assert daemon.alerts() == ["firing"]
        (tmp_path / "gone").rename(origin.bare)
        assert await daemon.source.look() == ""
        assert daemon.alerts() == ["firing", "resolved"]

    go(story())


def test_a_command_that_hangs_is_ended(tmp_path: Path) -> None:
    git = Git(tmp_path / "r.git", tmp_path, Access("file"), {"alias.wait": "!sleep 60"}, timeout_s=0.3)

    async def story() -> None:
        await git.run("init", "--quiet", "--bare", str(git.repository))
        with pytest.raises(GitFailed, match=r"did not finish within 0\.3 s"):
            await git.run("wait")

    go(story())


def test_reference_profiles_come_along(origin: Origin, tmp_path: Path) -> None:
    text = profile_text(profile(fine(300)))
    origin.write("profiles/payments.json", text + " " * 300_000)
    origin.write("profiles/notes.yaml", "not ours")
    origin.write("rules/drift.yaml", 'detect: [{name: D, distribution: "*", when: {drift: {}}}]\n')
    origin.commit()
    daemon = Daemon(origin, tmp_path / "here")

    async def story() -> None:
        assert await daemon.source.look() == ""
        assert "profiles/payments.json" in daemon.files()
        assert "profiles/notes.yaml" not in daemon.files()

    go(story())


def test_a_folder_of_a_larger_repository(origin: Origin, tmp_path: Path) -> None:
    origin.write("ops/quell/rules/a.yaml", "mute: []\n")
    origin.write("other/playbooks/b.yaml", "not ours")
    origin.commit()
    daemon = Daemon(origin, tmp_path / "here", folder="ops/quell")

    async def story() -> None:
        assert await daemon.source.look() == ""
        assert sorted(daemon.files()) == ["rules/a.yaml"]

    go(story())
