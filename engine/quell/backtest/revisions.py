"""A directory as it was at a revision of its git repository, written out without a worktree.

Nothing that the repository says is run: blobs are read as they are, without hooks, filters, replacements or lazy
fetches, and only what a configuration consists of is written.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from quell.errors import BacktestError

MOST_FILES = 5_000
MOST_BYTES = 64 * 1024 * 1024
_SUFFIXES = frozenset({".yaml", ".yml"})
_FOLDERS = frozenset({"rules", "playbooks"})
_PROFILES = "profiles"
_TIMEOUT_S = 60.0
_HARMLESS = (
    "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "protocol.allow=never",
)  # fmt: skip
_CALM = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "LC_ALL": "C",
}

_ELSEWHERE = frozenset({
    "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR", "GIT_NAMESPACE", "GIT_PREFIX", "GIT_EXTERNAL_DIFF", "GIT_TRACE",
})  # fmt: skip
"""What a hook is called with; here the directory alone says which repository is meant."""


@dataclass(frozen=True, slots=True)
class Written:
    """Where a revision was written, its whole commit id, and what of it was left out and why."""

    directory: Path
    commit: str
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Entry:
    mode: str
    blob: str
    size: int
    path: PurePosixPath


def write_revision(directory: Path, revision: str, into: Path) -> Written:
    """Writes quell.yaml, rules/, playbooks/ and profiles/ of ``directory`` as of ``revision`` below ``into``.

    Raises `BacktestError`: no repository, no such revision, no such directory then, or too much to write.
    """
    prefix = _asked(directory, ["rev-parse", "--show-prefix"], f"{directory} lies in no git repository")
    commit = _asked(
        directory,
        ["rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}"],
        f'"{revision}" is neither a directory nor a revision of the repository of {directory}',
    )
    name = commit.decode().strip()
    within = os.fsdecode(prefix).removesuffix("\n").rstrip("/")
    tree = f"{name}:{within}"
    listed = _asked(
        directory, ["ls-tree", "-r", "-z", "-l", "--full-tree", tree], f"{directory} was not there at {revision}"
    )
    wanted, left_out = [], []
    for entry in _entries(listed):
        if not _counts(entry.path):
            continue
        if entry.mode in {"100644", "100755"}:
            wanted.append(entry)
        else:
            left_out.append(f"{entry.path} is no file in the repository (a link, or another repository)")
    if len(wanted) > MOST_FILES or sum(entry.size for entry in wanted) > MOST_BYTES:
        raise BacktestError(
            f"{revision}: more than {MOST_FILES} files or {MOST_BYTES} bytes of YAML; nothing was compared"
        )
    for entry, content in zip(wanted, _contents(directory, wanted), strict=True):
        file = into / entry.path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return Written(into, name, tuple(left_out))


def _counts(path: PurePosixPath) -> bool:
    """Whether a file can be part of a configuration."""
    if path.is_absolute() or ".." in path.parts:
        return False
    if path.parts and path.parts[0] == _PROFILES:
        return path.suffix == ".json" or len(path.parts) == 1
    return (path.suffix in _SUFFIXES and (len(path.parts) == 1 or path.parts[0] in _FOLDERS)) or str(path) in _FOLDERS


def _entries(listed: bytes) -> Iterator[_Entry]:
    for line in listed.split(b"\0"):
        head, tab, path = line.partition(b"\t")
        if tab:
            mode, _, blob, size = head.split()
            yield _Entry(
                mode.decode(), blob.decode(), int(size) if size.isdigit() else 0, PurePosixPath(os.fsdecode(path))
            )


def _contents(directory: Path, entries: Sequence[_Entry]) -> Iterator[bytes]:
    if not entries:
        return
    asked = "".join(f"{entry.blob}\n" for entry in entries).encode()
    answer = _asked(directory, ["cat-file", "--batch"], "objects of the repository are missing", given=asked)
    at = 0
    for entry in entries:
        end = answer.find(b"\n", at)
        head = answer[at:end].split()
        if end < 0 or len(head) != 3 or head[1] != b"blob":
            raise BacktestError(
                f"{entry.path}: its content is not in the repository; fetch it whole; nothing was compared"
            )
        size = int(head[2])
        yield answer[end + 1 : end + 1 + size]
        at = end + 1 + size + 1


def _asked(directory: Path, words: Sequence[str], wrong: str, given: bytes | None = None) -> bytes:
    environment = {name: value for name, value in os.environ.items() if name not in _ELSEWHERE} | _CALM
    try:
        ran = subprocess.run(  # noqa: S603 -- a fixed program; what users name stands behind --end-of-options
            ["git", "-C", str(directory), *_HARMLESS, *words],  # noqa: S607 -- the git of whoever calls this
            input=given if given is not None else b"",
            capture_output=True,
            check=False,
            timeout=_TIMEOUT_S,
            env=environment,
        )
    except FileNotFoundError:
        raise BacktestError("git is not installed; name directories to compare, or install it") from None
    except subprocess.TimeoutExpired:
        raise BacktestError(f"git {words[0]} did not end within {_TIMEOUT_S:.0f} s; nothing was compared") from None
    if ran.returncode != 0:
        said = ran.stderr.decode("utf-8", "replace").strip().partition("\n")[0][:300]
        raise BacktestError(f"{wrong}{f' (git: {said})' if said else ''}; nothing was compared")
    return ran.stdout
