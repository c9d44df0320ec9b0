"""One commit's rules and playbooks, written to a directory of their own, byte for byte and nothing else.

Blobs are read by their ids: attributes, filters and large-file pointers of the repository have no say. What has no
place among text files (links, submodules, names that lead elsewhere, too much of anything) makes the commit unfit.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from quell.daemon.git.commands import Git, GitFailed
from quell.errors import QuellError

FOLDERS = ("rules", "playbooks", "profiles")
MOST_FILES = 2_000
MOST_FILE_BYTES = 262_144
MOST_PROFILE_BYTES = 8_000_000
MOST_BYTES = 20_000_000
_LONGEST_NAME, _LONGEST_PART = 1_000, 255
"""Bytes of a path and of each part of it: no file system takes longer parts."""
_SUFFIXES = (".yaml", ".yml")
_PROFILES = "profiles"
_PLAIN = {"100644", "100755"}


class UnfitCommit(QuellError):
    """A commit that is not taken up, and why."""


@dataclass(frozen=True, slots=True)
class _Blob:
    path: PurePosixPath
    id: str
    size: int


async def write_tree(git: Git, commit: str, folder: str, target: Path) -> int:
    """Writes the YAML files below ``rules`` and ``playbooks`` of a commit, and its profiles; how many.

    ``target`` is replaced as a whole. Raises `UnfitCommit` and `GitFailed`.
    """
    blobs = await _blobs(git, commit, folder)
    contents = await _contents(git, blobs)
    return await asyncio.to_thread(_write, blobs, contents, target)


async def _blobs(git: Git, commit: str, folder: str) -> list[_Blob]:
    base = PurePosixPath(folder or ".")
    wanted = [(base / each).as_posix() for each in FOLDERS]
    listed = await git.run("ls-tree", "-r", "-l", "-z", "--full-tree", commit, "--", *wanted)
    found = []
    for line in filter(None, listed.split(b"\0")):
        about, _, raw = line.partition(b"\t")
        mode, kind, blob, size = about.decode().split()
        path = _path(raw, base)
        if kind != "blob" or mode not in _PLAIN:
            what = {"120000": "a symbolic link", "160000": "a submodule"}.get(mode, f"of mode {mode}")
            raise UnfitCommit(f'"{path}" is {what}; only plain files are taken')
        profile = path.parts[0] == _PROFILES
        if path.suffix not in ((".json",) if profile else _SUFFIXES) or path.name.startswith("."):
            continue
        most = MOST_PROFILE_BYTES if profile else MOST_FILE_BYTES
        if int(size) > most:
            raise UnfitCommit(f'"{path}" has {size} bytes; {most} are the most')
        found.append(_Blob(path, blob, int(size)))
    if len(found) > MOST_FILES:
        raise UnfitCommit(f"{len(found)} files of rules and playbooks; {MOST_FILES} are the most")
    total = sum(blob.size for blob in found)
    if total > MOST_BYTES:
        raise UnfitCommit(f"{total} bytes of rules and playbooks; {MOST_BYTES} are the most")
    if all(blob.path.parts[0] == _PROFILES for blob in found):
        where = f'"{folder}"' if folder else "the repository"
        raise UnfitCommit(f"{where} holds no rules/*.yaml and no playbooks/*.yaml")
    return found


def _path(raw: bytes, base: PurePosixPath) -> PurePosixPath:
    """The path below the folder. Raises `UnfitCommit` for a name that is none here."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise UnfitCommit(f"the file name {raw!r} is not UTF-8") from None
    path = PurePosixPath(text)
    odd = any(part in {"..", ".git"} or part.lower() == ".git" for part in path.parts)
    long = len(raw) > _LONGEST_NAME or any(len(part.encode()) > _LONGEST_PART for part in path.parts)
    if odd or long or path.is_absolute() or "\\" in text or any(ord(letter) < 32 for letter in text):
        raise UnfitCommit(f"the file name {text[:100]!r} is not taken")
    return path.relative_to(base)


async def _contents(git: Git, blobs: list[_Blob]) -> list[bytes]:
    asked = "".join(f"{blob.id}\n" for blob in blobs).encode()
    data = await git.run("cat-file", "--batch", given=asked)
    contents, at = [], 0
    for blob in blobs:
        end = data.find(b"\n", at)
        head = data[at:end].split()
        if len(head) != 3 or head[0].decode() != blob.id or head[1] != b"blob" or int(head[2]) != blob.size:
            raise GitFailed(f'git cat-file did not give "{blob.path}"')
        contents.append(data[end + 1 : end + 1 + blob.size])
        at = end + 2 + blob.size
    return contents


def _write(blobs: list[_Blob], contents: list[bytes], target: Path) -> int:
    """First beside its place, then by one rename: nobody sees half of it."""
    fresh = target.with_name(target.name + ".new")
    for each in (fresh, target):
        if each.exists():
            shutil.rmtree(each)
    fresh.mkdir(parents=True, mode=0o700)
    for blob, content in zip(blobs, contents, strict=True):
        path = fresh / blob.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    fresh.rename(target)
    place = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(place)
    finally:
        os.close(place)
    return len(blobs)
