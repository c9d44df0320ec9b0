"""A real repository, as a team would push to it: commits with or without a signature by SSH keys made here."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

PLAYBOOK = """\
playbook: {name}
summary: Say that something happened.
when: {{incident: [opened]}}
mode: {mode}
steps:
  - id: say
    do: out.print
    with: {{text: "{text}"}}
"""


class Origin:
    """A bare repository and a clone to commit in. ``keys`` holds the private keys of those who sign."""

    def __init__(self, directory: Path) -> None:
        self.bare = directory / "origin.git"
        self.work = directory / "work"
        self.keys = directory / "keys"
        self.keys.mkdir(parents=True)
        self._home = directory / "home"
        self._home.mkdir()
        self.git("init", "--quiet", "--bare", "--initial-branch=main", str(self.bare), cwd=directory)
        self.git("init", "--quiet", "--initial-branch=main", str(self.work), cwd=directory)
        self.git("remote", "add", "origin", str(self.bare))

    @property
    def url(self) -> str:
        return f"file://{self.bare}"

    def git(self, *arguments: str, cwd: Path | None = None) -> str:
        """What a command said."""
        environment = {
            "PATH": os.environ["PATH"], "HOME": str(self._home), "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_NAME": "Ana", "GIT_AUTHOR_EMAIL": "ana@example.com",
            "GIT_COMMITTER_NAME": "Ana", "GIT_COMMITTER_EMAIL": "ana@example.com",
        }  # fmt: skip
        done = subprocess.run(["git", *arguments], cwd=cwd or self.work, env=environment, capture_output=True,
                              text=True, check=False)  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def key(self, name: str) -> Path:
        """The private key of somebody, made when it is first asked for."""
        path = self.keys / name
        if not path.exists():
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(path)], check=True)
        return path

    def allow(self, *names: str) -> Path:
        """A file of allowed signers that names them."""
        path = self.keys / "allowed_signers"
        public = {name: self.key(name).with_suffix(".pub").read_text().split()[:2] for name in names}
        path.write_text("".join(f"{name}@example.com {' '.join(key)}\n" for name, key in public.items()))
        return path

    def write(self, name: str, text: str | bytes) -> None:
        path = self.work / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())

    def playbook(self, name: str, text: str = "hello", mode: str = "shadow") -> None:
        self.write(f"playbooks/{name}.yaml", PLAYBOOK.format(name=name, text=text, mode=mode))

    def commit(
        self, message: str = "rules: change", signer: str = "", *, push: bool = True, force: bool = False
    ) -> str:
        """Commits everything; its id."""
        self.git("add", "--all")
        signing = ["-c", "gpg.format=ssh", "-c", f"user.signingKey={self.key(signer)}"] if signer else []
        self.git(*signing, "commit", "--quiet", "--allow-empty", "-m", message, *(["-S"] if signer else []))
        if push:
            self.git("push", "--quiet", *(["--force"] if force else []), "origin", "HEAD:main")
        return self.git("rev-parse", "HEAD")

    def commit_with(self, *options: str) -> str:
        """Commits everything, signed as the options of git say; its id."""
        self.git("add", "--all")
        self.git(*options, "commit", "--quiet", "--allow-empty", "-S", "-m", "rules: change")
        self.git("push", "--quiet", "origin", "HEAD:main")
        return self.git("rev-parse", "HEAD")

    def back(self, steps: int = 1) -> None:
        """Forgets the newest commits."""
        self.git("reset", "--quiet", "--hard", f"HEAD~{steps}")

    def odd(self, mode: str, name: str, target: str) -> None:
        """Puts what is no plain file into the next commit: a link (120000) or a submodule (160000)."""
        if mode == "160000":
            self.git("update-index", "--add", "--cacheinfo", f"{mode},{target},{name}")
            self.git("commit", "--quiet", "-m", "odd")
            self.git("push", "--quiet", "origin", "HEAD:main")
            return
        path = self.work / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(target)
        self.commit("odd")
