"""What is compared: a revision, a directory, or no rules at all."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from quell.backtest.revisions import write_revision

NONE = "none"
"""No rules: what quell does by itself."""


@dataclass(frozen=True, slots=True)
class Version:
    """``name`` as it was asked for, ``directory`` where its files are (None: no rules), ``commit`` whole, or ""."""

    name: str
    directory: Path | None
    commit: str = ""
    left_out: tuple[str, ...] = ()

    @property
    def shown(self) -> str:
        """As people know it."""
        if self.commit and not self.commit.startswith(self.name):
            return f"{self.name} ({self.commit[:10]})"
        return self.name


def version_of(name: str, directory: Path, scratch: Path) -> Version:
    """The version that ``name`` means for the configuration in ``directory``.

    "" is the directory as it is; `NONE` is no rules; then come directories, and then revisions of the repository that
    holds it, written below ``scratch``. Raises `BacktestError`.
    """
    if not name:
        return Version("the working tree", directory)
    if name == NONE:
        return Version("no rules", None)
    if Path(name).is_dir():
        return Version(name, Path(name))
    scratch.mkdir(parents=True, exist_ok=True)
    written = write_revision(directory, name, scratch)
    return Version(name, written.directory, written.commit, written.left_out)
