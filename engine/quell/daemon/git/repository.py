"""What is asked of a repository: its newest commit, who signed it, and whether it goes on from another."""

from __future__ import annotations

import asyncio
import re
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from quell.config.settings import GitSettings
from quell.daemon.git.commands import Access, Git, GitFailed
from quell.daemon.git.tree import UnfitCommit

_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_CANDIDATE = "refs/quell/candidate"
MOST_KEPT = 512_000_000
"""Bytes of the copy; beyond, it is made anew. Who pushes what is refused, again and again, must not fill the disk."""
_ABANDONED_S = 600.0
"""After this long a lock or an unfinished pack is nobody's any more: no command takes so long."""
_VERDICTS = {
    "N": "is not signed",
    "B": "has a bad signature",
    "U": "is signed by nobody who is allowed to",
    "E": "is signed with a key that is not known here",
    "X": "has a signature that has expired",
    "Y": "is signed with a key that has expired",
    "R": "is signed with a key that was revoked",
}
"""What git says of a signature with ``%G?``, if it is not good."""


@dataclass(slots=True)
class Repository:
    """A bare copy of one branch, kept below ``keep``."""

    settings: GitSettings
    git: Git

    @classmethod
    def of(cls, settings: GitSettings) -> Repository:
        """As the settings say. Nothing is read or written yet."""
        protocol = "ssh" if "://" not in settings.url else settings.url.partition("://")[0]
        header = f"Authorization: Bearer {settings.token.reveal()}" if settings.token else ""
        if settings.token and settings.user:
            header = f"Authorization: Basic {settings.basic()}"
        access = Access(protocol, header, settings.ssh_key, settings.known_hosts)
        # Each commit says itself by which program its signature is checked: only the one that knows our list may.
        checking = {"gpg.program": "false", "gpg.x509.program": "false", "gpg.ssh.program": "false"}
        if settings.signers is not None:
            checking["gpg.ssh.program"] = "ssh-keygen"
            checking["gpg.ssh.allowedSignersFile"] = str(settings.signers)
        if settings.gpg_home is not None:
            checking["gpg.program"] = "gpg"
        git = Git(settings.keep / "repository.git", settings.keep / "home", access, checking, keyring=settings.gpg_home)
        return cls(settings, git)

    async def newest(self) -> str:
        """The commit that the branch names now. Raises `GitFailed`."""
        await self._prepare()
        wanted = f"refs/heads/{self.settings.branch}"
        told = (await self.git.run("ls-remote", "--refs", "--", self.settings.url, wanted)).decode("utf-8", "replace")
        for line in told.splitlines():
            commit, _, name = line.partition("\t")
            if name == wanted and _COMMIT.fullmatch(commit):
                return commit
        raise GitFailed(f'the repository has no branch "{self.settings.branch}"')

    async def fetch(self) -> str:
        """Brings the branch here; the commit that it names. Raises `GitFailed`."""
        if await asyncio.to_thread(_swept, self.git.repository) > MOST_KEPT:
            await asyncio.to_thread(shutil.rmtree, self.git.repository)
            await self._prepare()
        wanted = f"+refs/heads/{self.settings.branch}:{_CANDIDATE}"
        await self.git.run("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--", self.settings.url, wanted)
        return (await self.git.run("rev-parse", "--verify", f"{_CANDIDATE}^{{commit}}")).decode().strip()

    async def goes_on_from(self, old: str, new: str) -> bool:
        """Whether the old commit is among the ancestors of the new one; a commit that is not here is not."""
        code, _, _ = await self.git.tried("merge-base", "--is-ancestor", old, new)
        return code == 0

    async def signer(self, commit: str) -> str:
        """Who signed the commit; "" where nobody has to. Raises `UnfitCommit` when it is nobody who may."""
        if self.settings.unsigned:
            return ""
        told = await self.git.run("log", "-1", "--no-show-signature", "--format=%G?%x00%GF%x00%GS", commit)
        verdict, print_, name = told.decode("utf-8", "replace").strip("\n").split("\0", 2)
        trusted = {"G", "U"} if self.settings.gpg_home is not None else {"G"}  # a keyring of our own is the list
        if verdict not in trusted:
            why = _VERDICTS.get(verdict, "has a signature that cannot be checked")
            raise UnfitCommit(f"commit {commit[:12]} {why}")
        return name or print_

    async def subject(self, commit: str) -> str:
        """The first line of its message, cut to a line's length."""
        told = await self.git.run("log", "-1", "--format=%s", commit)
        text = "".join(letter if letter.isprintable() else "?" for letter in told.decode("utf-8", "replace").strip())
        return text[:200]

    async def _prepare(self) -> None:
        await asyncio.to_thread(self.git.home.mkdir, parents=True, exist_ok=True, mode=0o700)
        if not (self.git.repository / "HEAD").exists():
            await self.git.run("init", "--quiet", "--bare", "--template=", str(self.git.repository))


def _swept(repository: Path) -> int:
    """Removes what a command that was cut off has left, which would keep git from working; the bytes of the rest."""
    long_ago, kept = time.time() - _ABANDONED_S, 0
    for path in repository.rglob("*"):
        with suppress(FileNotFoundError):
            found = path.lstat()
            left = path.name.endswith(".lock") or path.name.startswith("tmp_")
            if left and found.st_mtime < long_ago and not path.is_dir():
                path.unlink()
            else:
                kept += found.st_size
    return kept
