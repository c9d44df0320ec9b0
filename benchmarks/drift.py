"""What it costs to compare a wide table with its profile, and how often what did not drift is called drift.

    python benchmarks/drift.py                      # 200 features of 100,000 rows
    python benchmarks/drift.py --features 50 --rows 1000000 --rounds 20

Four kinds of features in turn: normal ones far from zero, log-normal, normal around zero, whole numbers. Some of them
drift in the second table: by half a deviation, a changed unit, a logarithm. Each case is a process of its own, so that
its peak of memory is its own:

- *arrays*: columns as numbers in a file, one read at a time; KS and PSI of all against the profile. The clock runs from
  the first column to the report, the profile read. This is what is asked for: under 2 s and 300 MB.
- *parquet*: `quell drift` as people run it, on the same table, from start of the process to its end.
- *windows*: the same as the daemon has it: sketches told by records, compared.

*False* is how many of the features that did not drift are called drifted over all rounds (each with fresh numbers, and
with a tenth of the rows as well), *missed* how many of those that did were not, *shape* how many changes of unit were
called by their name.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quell.config.profile_file import profile_text, read_profile
from quell.core.profiles.arrays import numbers
from quell.core.profiles.judge import Present, compared
from quell.errors import Problem
from quell.model.distribution import of_record, record_of
from quell.model.drift_report import DriftReport, Limits
from quell.model.playbook import Place
from quell.model.profile import Profile
from quell.profiling.profiles import profile_of

Floats = NDArray[np.float64]
CHANGES = {
    0: "moved",
    1: "values ×100 (unit change?)",
    5: "values are logarithms of those before",
    7: "values ÷1000 (unit change?)",
}
"""Which features drift, by number, and what is to be said of it."""
WANTED_S, WANTED_MB = 2.0, 300.0


def column(number: int, rows: int, rng: np.random.Generator, *, drifted: bool) -> Floats:
    """One feature; if ``drifted`` and it is one of those that do, changed."""
    kinds = (
        lambda: rng.normal(1000.0, 5.0, rows),
        lambda: rng.lognormal(3.0, 1.5, rows),
        lambda: rng.normal(0.0, 1.0, rows),
        lambda: rng.integers(0, 100, rows).astype(np.float64),
    )
    values: Floats = kinds[number % 4]()
    change = CHANGES.get(number) if drifted else None
    if change is None:
        return values
    if number == 0:
        return values + 2.5
    if number == 5:
        return np.log(values)
    return values * 100.0 if number == 1 else values / 1000.0


def table(features: int, rows: int, seed: int, *, drifted: bool) -> Iterator[Floats]:
    """All features."""
    rng = np.random.default_rng(seed)
    for number in range(features):
        yield column(number, rows, rng, drifted=drifted)


def name(number: int) -> str:
    """Of a feature."""
    return f"feature_{number:03d}"


def main() -> None:
    """Every case, and what came of it."""
    args = _arguments()
    if args.case:
        print(json.dumps(_case(args.case, args.folder, args.features, args.rows)))
        return
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        _apart("prepare", folder, args)
        found = {case: _apart(case, folder, args) for case in ("arrays", "windows", "parquet")}
    for case, told in found.items():
        print(f"{case:8} {told['seconds']:6.2f} s   {told['peak_mb']:5.0f} MB   {told['drifted']} of {args.features}")
    judged = _rounds(args.features, args.rows, args.rounds)
    print(
        f"false {judged['false']} of {judged['steady']:,}, missed {judged['missed']} of {judged['changed']}, "
        f"shape {judged['named']} of {judged['nameable']}"
    )
    arrays = found["arrays"]
    print(json.dumps(found | {"judged": judged}))
    if arrays["seconds"] > WANTED_S or arrays["peak_mb"] > WANTED_MB:
        sys.exit(f"asked for: {WANTED_S} s and {WANTED_MB} MB")


def _prepare(folder: Path, features: int, rows: int) -> None:
    """The profile, the second table as plain numbers, and as Parquet."""
    arrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    chunk = {name(at): values for at, values in enumerate(table(features, rows, 1, drifted=False))}
    profile = profile_of([chunk], entity="dataset/wide", version="v1", at=0.0)
    (folder / "profile.json").write_text(profile_text(profile))
    now = {name(at): values for at, values in enumerate(table(features, rows, 2, drifted=True))}
    with (folder / "now.f64").open("wb") as file:
        for values in now.values():
            values.tofile(file)
    parquet.write_table(arrow.table(now), folder / "now.parquet", row_group_size=20_000)


def _apart(case: str, folder: Path, args: argparse.Namespace) -> dict[str, Any]:
    """One case in a process of its own."""
    wanted = ["--case", case, "--folder", str(folder), "--features", str(args.features), "--rows", str(args.rows)]
    done = subprocess.run([sys.executable, __file__, *wanted], check=True, capture_output=True, text=True)
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def _case(case: str, folder: Path, features: int, rows: int) -> dict[str, Any]:
    if case == "prepare":
        _prepare(folder, features, rows)
        return {}
    if case == "parquet":
        wanted = [str(folder / "now.parquet"), "--json", "--profile", str(folder / "profile.json")]
        begun = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "quell.cli", "drift", *wanted], check=False, capture_output=True, text=True
        )
        seconds = time.perf_counter() - begun
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        drifted = sum(1 for field in json.loads(done.stdout)["fields"] if field["drifted"])
        return {"seconds": round(seconds, 3), "peak_mb": round(peak), "drifted": drifted}
    profile = _read(folder / "profile.json")
    told = [] if case == "arrays" else list(_records(folder, features, rows))
    begun = time.perf_counter()
    if case == "arrays":
        fields = {name(at): numbers(values) for at, values in enumerate(_columns(folder, features, rows))}
    else:
        fields = {record.field: of_record(record) for record in told}
    report = compared(profile, Present(fields), Limits(numbers=("ks", "psi")), pictures=False)
    seconds = time.perf_counter() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": round(seconds, 3), "peak_mb": round(peak), "drifted": len(report.drifted)}


def _columns(folder: Path, features: int, rows: int) -> Iterator[Floats]:
    with (folder / "now.f64").open("rb") as file:
        for _ in range(features):
            yield np.fromfile(file, dtype=np.float64, count=rows)


def _records(folder: Path, features: int, rows: int) -> Iterator[Any]:
    for at, values in enumerate(_columns(folder, features, rows)):
        yield record_of(numbers(values), entity="dataset/wide", field=name(at), at=0.0)


def _read(path: Path) -> Profile:
    problems: list[Problem] = []
    profile = read_profile(str(path), path.read_bytes(), problems, Place(file=str(path), line=0))
    if profile is None:
        sys.exit("\n".join(map(str, problems)))
    return profile


def _rounds(features: int, rows: int, rounds: int) -> dict[str, int]:
    """How often the judgement is wrong."""
    found = dict.fromkeys(("false", "steady", "missed", "changed", "named", "nameable"), 0)
    chunk = {name(at): values for at, values in enumerate(table(features, rows, 1, drifted=False))}
    profile = profile_of([chunk], entity="dataset/wide", version="v1", at=0.0)
    for seed in range(10, 10 + rounds):
        for size in (rows, rows // 10):
            fields = {name(at): numbers(values) for at, values in enumerate(table(features, size, seed, drifted=True))}
            _count(compared(profile, Present(fields), Limits(), pictures=False), found)
    return found


def _count(report: DriftReport, found: dict[str, int]) -> None:
    for at, field in enumerate(report.fields):
        change = CHANGES.get(at)
        if change is None:
            found["steady"] += 1
            found["false"] += field.drifted
            continue
        found["changed"] += 1
        found["missed"] += not field.drifted
        if change != "moved":
            found["nameable"] += 1
            found["named"] += field.said == change


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--features", type=int, default=200)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--case", choices=["prepare", "arrays", "windows", "parquet"], help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
