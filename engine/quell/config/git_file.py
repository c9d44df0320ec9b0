"""The ``git:`` of quell.yaml: a repository that rules and playbooks come from; and which of its commits is in use."""

from __future__ import annotations

import pathlib
import re
from collections.abc import Sequence

import msgspec

from quell.config.fields import Shape, Span
from quell.config.nodes import Document
from quell.config.options import Unfit
from quell.config.secrets import Secrets
from quell.config.settings import GitSettings
from quell.errors import Problem
from quell.sdk.secret import Secret

ACTIVE_FILE = "active.json"
_KEEP = pathlib.PurePosixPath(".quell/git")
_LEAST_EVERY_S = 5.0
_URL = re.compile(r"(https|ssh|file)://[^\s]+|[A-Za-z0-9_.-]+@[A-Za-z0-9.-]+:[^\s:][^\s]*")
_LOGIN = re.compile(r"https://[^/]*@|ssh://[^/@]*:[^/@]*@")
_BRANCH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]*")


class GitShape(Shape):
    """Rules and playbooks from a git repository, instead of the folders beside this file."""

    url: str
    """https://…, ssh://…, user@host:path or file:///…; without a password."""
    branch: str = "main"
    """The branch whose newest commit is taken up."""
    folder: str = ""
    """The folder of the repository that holds rules/ and playbooks/; its top if left out."""
    every: Span = 60.0
    """How often the branch is looked at; a push hook makes it sooner."""
    signers: str | None = None
    """A file of allowed SSH signers, as ssh-keygen has it; the commit must be signed by one of them."""
    gpg_home: str | None = None
    """A directory with a GPG keyring that holds allowed keys only."""
    unsigned: bool = False
    """Whether commits are taken that nobody signed: whoever may push then decides what quell does."""
    rewind: bool = False
    """Whether a commit is taken that does not go on from the one in use."""
    test: bool = True
    """Whether the commit's *.test.yaml must pass before it is taken up."""
    user: str = ""
    """The user, where the server wants one beside the token."""
    token: str | None = None
    """The token for https, as env:NAME or file:/path."""
    ssh_key: str | None = None
    """The file of the private key for ssh."""
    known_hosts: str | None = None
    """The file of host keys for ssh."""
    hook_secret: str | None = None
    """The secret that push hooks to /hooks/git are signed with (GitHub, Gitea) or show (GitLab)."""
    keep: str | None = None
    """Directory for the copy of the repository; .quell/git beside this file if left out."""


class Active(msgspec.Struct, frozen=True, kw_only=True):
    """The commit in use. ``tree`` is the directory of its files, below the one that the settings ``keep``."""

    commit: str
    tree: str
    signer: str = ""
    subject: str = ""
    taken_at: float = 0.0


def read_git(document: Document, shape: GitShape, secrets: Secrets, problems: list[Problem]) -> GitSettings:
    """The settings, with paths made absolute; what is wrong is added to ``problems``."""
    if not _URL.fullmatch(shape.url):
        hint = 'write "https://…", "ssh://…", "git@host:path" or "file:///…"'
        problems.append(document.problem(("git", "url"), "this is no address of a repository", hint))
    elif _LOGIN.match(shape.url):
        hint = "leave it out and name a file: token: file:/path, or ssh_key"
        problems.append(document.problem(("git", "url"), "an address may not hold a password or token", hint))
    if not _BRANCH.fullmatch(shape.branch) or ".." in shape.branch or shape.branch.endswith((".lock", "/")):
        problems.append(document.problem(("git", "branch"), f'"{shape.branch}" is not the name of a branch'))
    folder = pathlib.PurePosixPath(shape.folder)
    if folder.is_absolute() or ".." in folder.parts:
        problems.append(document.problem(("git", "folder"), f'"{shape.folder}" leads out of the repository'))
    if shape.every < _LEAST_EVERY_S:
        problems.append(document.problem(("git", "every"), "this is too often", "write 5s or more"))
    _whose(document, shape, problems)
    reader = _Reader(document, secrets, problems)
    return GitSettings(
        url=shape.url,
        keep=secrets.directory.absolute() / (shape.keep or _KEEP),
        branch=shape.branch,
        folder="" if shape.folder in {"", "."} else folder.as_posix(),
        every_s=shape.every,
        signers=reader.file("signers", shape.signers),
        gpg_home=reader.file("gpg_home", shape.gpg_home, directory=True),
        unsigned=shape.unsigned,
        rewind=shape.rewind,
        tested=shape.test,
        user=shape.user,
        token=reader.secret("token", shape.token),
        ssh_key=reader.file("ssh_key", shape.ssh_key),
        known_hosts=reader.file("known_hosts", shape.known_hosts),
        hook_secret=reader.secret("hook_secret", shape.hook_secret),
    )


def _whose(document: Document, shape: GitShape, problems: list[Problem]) -> None:
    """Who may decide is said, never assumed."""
    said = [name for name in ("signers", "gpg_home", "unsigned") if getattr(shape, name)]
    if len(said) == 1:
        return
    message = "whose commits are taken is not said" if not said else f"{' and '.join(said)} exclude each other"
    hint = "name a file of allowed signers (signers: FILE), a keyring (gpg_home: DIR), or write unsigned: true"
    problems.append(document.problem(("git",), message, hint, key=True))


class _Reader:
    """Reads what stands in other files."""

    def __init__(self, document: Document, secrets: Secrets, problems: list[Problem]) -> None:
        self._document = document
        self._secrets = secrets
        self._problems = problems

    def secret(self, name: str, reference: str | None) -> Secret | None:
        if reference is None:
            return None
        try:
            return self._secrets.read(reference)
        except Unfit as error:
            self._problems.append(self._document.problem(("git", name), str(error), error.suggestion))
            return None

    def file(self, name: str, path: str | None, *, directory: bool = False) -> pathlib.Path | None:
        if path is None:
            return None
        found = self._secrets.directory.absolute() / path
        if self._secrets.needed and not (found.is_dir() if directory else found.is_file()):
            what = "directory" if directory else "file"
            self._problems.append(self._document.problem(("git", name), f'the {what} "{path}" is not there'))
        return found


def active_of(settings: GitSettings) -> Active | None:
    """The commit in use; None before the first. Raises OSError where nobody can tell: then there may well be rules."""
    try:
        found = msgspec.json.decode((settings.keep / ACTIVE_FILE).read_bytes(), type=Active)
    except (FileNotFoundError, NotADirectoryError, msgspec.DecodeError, UnicodeDecodeError):
        return None
    return found if (settings.keep / found.tree).is_dir() else None


def git_files(directory: pathlib.Path, raw: object) -> Sequence[pathlib.Path] | None:
    """The file that tells of a new commit, for who watches files; None when nothing comes from git.

    ``raw`` is what quell.yaml holds, right or wrong.
    """
    asked = raw.get("git") if isinstance(raw, dict) else None
    if not isinstance(asked, dict):
        return None
    keep = asked.get("keep")
    return [directory / (keep if isinstance(keep, str) else _KEEP) / ACTIVE_FILE]
