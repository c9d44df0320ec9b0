"""Runs ``git`` itself, so that a hostile repository finds nothing to work with.

No hook, no filter, no submodule, no configuration but what is given here, no protocol but the one that is asked for,
no question at a terminal, bounded time and output. Signatures are checked by git with SSH or GPG.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from quell.errors import QuellError

MOST_OUTPUT = 32_000_000
"""Bytes that one command may print."""
MOST_FILE_KB = 262_144
"""Size of the largest file that git may write, a pack among them, in kB."""
_SAFE = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.symlinks=false",
    "core.attributesFile=/dev/null",
    "credential.helper=",
    "fetch.fsckObjects=true",
    "fetch.recurseSubmodules=false",
    "gc.auto=0",
    "http.followRedirects=false",
    "maintenance.auto=false",
    "protocol.allow=never",
    "submodule.recurse=false",
    "transfer.fsckObjects=true",
    "uploadpack.packObjectsHook=",
)


class GitFailed(QuellError):
    """A git command failed; the text says which, and what git said."""


@dataclass(frozen=True, slots=True)
class Access:
    """How a repository is reached. ``header`` is an HTTP header that may hold a secret; it never stands in argv."""

    protocol: str
    header: str = ""
    ssh_key: Path | None = None
    known_hosts: Path | None = None


@dataclass(slots=True)
class Git:
    """Commands in one bare repository. ``home`` is an empty directory that stands for the user's own.

    ``keyring`` is GPG's directory; without it GPG knows no key.
    """

    repository: Path
    home: Path
    access: Access
    settings: Mapping[str, str] = field(default_factory=dict)
    timeout_s: float = 60.0
    keyring: Path | None = None

    async def run(self, *arguments: str, given: bytes = b"", codes: Sequence[int] = (0,)) -> bytes:
        """What the command printed. Raises `GitFailed`."""
        code, out, err = await self.tried(*arguments, given=given)
        if code not in codes:
            raise GitFailed(f"git {arguments[0]} failed ({_said(err) or f'exit code {code}'})")
        return out

    async def tried(self, *arguments: str, given: bytes = b"") -> tuple[int, bytes, bytes]:
        """Exit code, output and complaints. Raises `GitFailed` when it takes too long or prints too much."""
        process = await asyncio.create_subprocess_exec(
            "/bin/sh", "-c", f'ulimit -f {MOST_FILE_KB * 2}; exec "$@"', "sh", "git", *arguments,
            stdin=asyncio.subprocess.PIPE if given else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            env=self._environment(), cwd=self.home, start_new_session=True, limit=MOST_OUTPUT,
        )  # fmt: skip
        try:
            async with asyncio.timeout(self.timeout_s):
                return await _talk(process, given, arguments[0])
        except TimeoutError:
            raise GitFailed(f"git {arguments[0]} did not finish within {self.timeout_s:g} s") from None
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()

    def _environment(self) -> dict[str, str]:
        """All that git sees; configuration goes by the environment, where other users of the machine do not see it."""
        pairs = [each.partition("=")[::2] for each in _SAFE]
        pairs.append((f"protocol.{self.access.protocol}.allow", "always"))
        pairs += self.settings.items()
        if self.access.header:
            pairs.append(("http.extraHeader", self.access.header))
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "LC_ALL": "C",
            "HOME": str(self.home),
            "GNUPGHOME": str(self.keyring or self.home / "no-keyring"),
            "GIT_DIR": str(self.repository),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ASKPASS": "/bin/false",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_SSH_COMMAND": self._ssh(),
            "GIT_CONFIG_COUNT": str(len(pairs)),
        }
        for number, (name, value) in enumerate(pairs):
            environment[f"GIT_CONFIG_KEY_{number}"] = name
            environment[f"GIT_CONFIG_VALUE_{number}"] = value
        return environment

    def _ssh(self) -> str:
        parts = ["ssh", "-F", "/dev/null", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes"]
        parts += ["-o", "ConnectTimeout=15", "-o", "ForwardAgent=no"]
        if self.access.known_hosts is not None:
            parts += ["-o", f"UserKnownHostsFile={_quoted(self.access.known_hosts)}"]
        if self.access.ssh_key is not None:
            parts += ["-o", "IdentitiesOnly=yes", "-i", _quoted(self.access.ssh_key)]
        return " ".join(parts)


async def _talk(process: asyncio.subprocess.Process, given: bytes, name: str) -> tuple[int, bytes, bytes]:
    assert process.stdout is not None, "it is a pipe"
    assert process.stderr is not None, "it is a pipe"

    async def say(pipe: asyncio.StreamWriter | None) -> None:
        if pipe is None:
            return
        with suppress(BrokenPipeError, ConnectionResetError, RuntimeError):  # it ended without reading all of it
            pipe.write(given)
            await pipe.drain()
            pipe.close()

    _, out, err = await asyncio.gather(
        say(process.stdin), _bounded(process.stdout, name), _bounded(process.stderr, name)
    )
    return await process.wait(), out, err


async def _bounded(stream: asyncio.StreamReader, name: str) -> bytes:
    parts, left = [], MOST_OUTPUT
    while part := await stream.read(65_536):
        left -= len(part)
        if left < 0:
            raise GitFailed(f"git {name} printed more than {MOST_OUTPUT} bytes")
        parts.append(part)
    return b"".join(parts)


def _said(complaint: bytes) -> str:
    """The last lines that git wrote, on one line; the other side may have put anything into them."""
    lines = [line.strip() for line in complaint.decode("utf-8", "replace").splitlines() if line.strip()]
    return "".join(letter if letter.isprintable() else "?" for letter in "; ".join(lines[-3:])[:300])


def _quoted(path: Path) -> str:
    text = str(path)
    return "'" + text.replace("'", "'\\''") + "'"
