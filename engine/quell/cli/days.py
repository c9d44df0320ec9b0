"""A directory with a file of lines for each day in UTC: past days packed, old ones taken away."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from quell.cli.exits import Failed
from quell.export.files import opened_lines


class Days:
    """``keep_s``: for how long files are kept; ``most_bytes``: how much of them, the newest first. Raises `Failed`."""

    def __init__(self, folder: Path, keep_s: float, most_bytes: int) -> None:
        self.folder = folder
        self._keep = timedelta(seconds=keep_s)
        self._most_bytes = most_bytes
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Failed(f"{folder} is no directory to write to: {error.strerror or error}") from error

    def file(self, at: float) -> Path:
        """The file of the day that ``at`` lies in."""
        return self.folder / f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d}.jsonl"

    def tidy(self, at: float) -> list[str]:
        """Packs the days before that of ``at`` and takes away what is too old or too much, which it names."""
        today = self.file(at)
        for plain in sorted(self.folder.glob("????-??-??.jsonl")):
            if plain < today:
                self._pack(plain)
        gone = []
        left, oldest = self._most_bytes, datetime.fromtimestamp(at, UTC).date() - self._keep
        for day, file in sorted(self._days(), reverse=True):
            left -= file.stat().st_size
            if file != today and (day < oldest or left < 0):
                file.unlink()
                gone.append(file.name)
        return sorted(gone)

    def _days(self) -> Iterator[tuple[date, Path]]:
        for file in self.folder.iterdir():
            name = file.name.removesuffix(".gz").removesuffix(".jsonl")
            try:
                day = date.fromisoformat(name)
            except ValueError:
                continue
            if file.name != name:
                yield day, file

    def _pack(self, plain: Path) -> None:
        packed = plain.with_name(plain.name + ".gz")
        if not packed.exists():  # it is there whole or not at all
            with plain.open("rb") as lines, opened_lines(packed) as out:
                shutil.copyfileobj(lines, out)
        plain.unlink()
