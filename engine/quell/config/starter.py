"""A directory of configuration to start from: `quell init` writes it."""

from __future__ import annotations

import os
import pathlib

import quell
from quell.errors import Misconfigured, Problem

_FOLDERS = ("rules", "playbooks")
_TOKENS = """\
# API tokens, each known by the SHA-256 of its text only. Scopes: ingest, read, act, approve, admin.
# "roles: [sre]" lets a token approve what playbooks want approved by role:sre; an admin may approve everything.
tokens:
  - id: {id}
    sha256: {sha256}
    scopes: [ingest, read, act, approve, admin]
    by: admin
"""


def write_starter(
    directory: pathlib.Path,
    token_sha256: str,
    token_id: str,
    *,
    ticket_url: str = "http://127.0.0.1:8080",
    deploy_url: str = "http://127.0.0.1:8081",
) -> list[pathlib.Path]:
    """Writes quell.yaml, tokens.yaml (readable by its owner only), rules/ and playbooks/; gives the files written.

    Overwrites nothing: raises Misconfigured, before the first file is written, naming every file that is in the way.
    Raises OSError where a file cannot be written; then those before it are gone again.
    """
    directory = pathlib.Path(directory)
    template = pathlib.Path(__file__).with_name("starter.yaml").read_text(encoding="utf-8")
    files = {
        pathlib.PurePath("quell.yaml"): template.replace("@TICKETS@", ticket_url).replace("@DEPLOYS@", deploy_url),
        pathlib.PurePath("tokens.yaml"): _TOKENS.format(id=token_id, sha256=token_sha256),
    }
    for folder in _FOLDERS:
        for path in sorted((starter_files() / folder).iterdir()):
            if path.suffix in {".yaml", ".md"}:
                files[pathlib.PurePath(folder, path.name)] = path.read_text(encoding="utf-8")
    in_the_way = [name for name in files if os.path.lexists(directory / name)]
    if in_the_way:
        raise Misconfigured(
            [
                Problem(str(directory / name), 0, 0, "the file is there already", "nothing was written")
                for name in in_the_way
            ]
        )
    written: list[pathlib.Path] = []
    try:
        for name, text in files.items():
            _write(directory / name, text, 0o600 if name.name == "tokens.yaml" else 0o644, written)
    except OSError:
        for path in written:
            path.unlink(missing_ok=True)
        raise
    return written


def _write(path: pathlib.Path, text: str, mode: int, written: list[pathlib.Path]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as file:
        written.append(path)
        file.write(text)


def starter_files() -> pathlib.Path:
    """Where the starters are: inside the installed package, or at the top of the source tree."""
    package = pathlib.Path(quell.__file__).parent
    packaged = package / "starter"
    return packaged if (packaged / "rules").is_dir() else package.parents[1]
