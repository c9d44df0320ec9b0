"""Folders of storms: made by the generator, scored by its scorer, answered by its baselines; each a process of its own.

The generator, the scorer and the baselines are a folder that is not part of this repository (`--storm DIR`). Its
parts are programs: what they are told and what they print is all that is relied upon.
"""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any

ITBENCH = "itbench"
HUGE = frozenset({"soak-1M"})
"""Presets whose streams are kept packed."""
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Workshop:
    """``storm`` is the generator's folder, ``config`` another folder of tables and presets (None: its own).

    ``keep`` is where generated folders are kept and found again.
    """

    storm: Path
    keep: Path
    config: Path | None = None

    def folder(self, preset: str, seed: int) -> Path:
        """The folder of a storm, generated now if it is not there yet."""
        folder = self.keep / f"{preset}-{seed}"
        if not any((folder / name).exists() for name in ("truth.jsonl", "truth.jsonl.gz")):
            told = ["--seed", str(seed), "--out", str(folder)]
            if preset == ITBENCH:
                self._run("external/itbench.py", told)
            else:
                config = ["--config", str(self.config)] if self.config else []
                packed = ["--gzip"] if preset in HUGE else []
                self._run("generate.py", ["--preset", preset, *config, *packed, *told])
        return folder

    def presets(self) -> list[str]:
        """The presets that the tables hold, in their order, and ITBench where the tables are the generator's own."""
        text = ((self.config or self.storm / "config") / "presets.json").read_text()
        own = [] if self.config else [ITBENCH]
        return [*json.loads(text)["presets"], *own]

    def score(self, folder: Path, rows: Sequence[Row]) -> dict[str, float | None]:
        """What the scorer says of predictions for a folder."""
        with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as out:
            out.writelines(json.dumps(row) + "\n" for row in rows)
            out.flush()
            truth = next(path for path in (folder / "truth.jsonl", folder / "truth.jsonl.gz") if path.exists())
            said = self._run("score.py", ["--truth", str(truth), "--pred", out.name, "--json"])
        scored: dict[str, float | None] = json.loads(said)
        withdrawn, shown = scored.get("withdrawn_incidents"), scored.get("predicted_incidents")
        missed, true = scored.get("missed_incidents"), scored.get("true_incidents")
        scored["withdrawn_share"] = (withdrawn or 0.0) / shown if shown else 0.0
        scored["missed_share"] = (missed or 0.0) / true if true else 0.0
        return scored

    def baseline(self, folder: Path, method: str) -> list[Row]:
        """The predictions of one of the generator's baselines."""
        with tempfile.TemporaryDirectory() as out:
            self._run("baselines.py", ["--dir", str(folder), "--method", method, "--write", out])
            return [json.loads(line) for line in (Path(out) / f"{method}.jsonl").read_text().splitlines()]

    def _run(self, program: str, told: Sequence[str]) -> str:
        command = [sys.executable, program, *told]
        environment = {"PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=self.storm, env=environment)
        if done.returncode:
            raise SystemExit(f"{program} {' '.join(told)}: ended with {done.returncode}\n{done.stderr.strip()}")
        return done.stdout


def truth_rows(folder: Path) -> list[Row]:
    """The answers of a folder."""
    with opened(folder, "truth.jsonl") as lines:
        return [json.loads(line) for line in lines]


def opened(folder: Path, name: str) -> BufferedReader | gzip.GzipFile:
    """A file of a folder, packed or not."""
    plain = folder / name
    return plain.open("rb") if plain.exists() else gzip.open(folder / f"{name}.gz", "rb")
