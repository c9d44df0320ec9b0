"""How well does quell rank causes of failures that nobody collected? Made-up estates, faults and ways of observing.

    PYTHONPATH=benchmarks:FOLDER_OF_RCA_EVAL python benchmarks/rca_made.py --seeds 1-20
    ... --seeds 101-140 --shapes "golden" --verbose        one line per case of the shapes with that word
    ... --methods rca:rank,rca_eval.baselines:baro         other methods beside it

Each shape (`rca_shapes`) is one way of observing, each seed one estate with one fault (`rca_world`). Printed: by shape
AC@1, AC@3 and AC@5 of every method and seconds a case. The same seed gives the same cases on every machine.
"""

from __future__ import annotations

import argparse
import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rca_eval.case import Case, renamed
from rca_eval.scoring import Outcome, run, summarise

from rca_cases import made
from rca_shapes import SHAPES

METHODS = "rca:rank,rca_eval.baselines:nsigma,rca_eval.baselines:baro,rca_eval.baselines:traversal"


def resolved(spec: str) -> Callable[[Case], list[str]]:
    """``module:function`` as a callable."""
    module, _, name = spec.partition(":")
    found: Callable[[Case], list[str]] = getattr(importlib.import_module(module), name)
    return found


def seeds_of(text: str) -> list[int]:
    """``1-3,7`` as numbers."""
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="1-20")
    parser.add_argument("--shapes", default="", help="only shapes with one of these words, by |")
    parser.add_argument("--methods", default=METHODS)
    parser.add_argument("--verbose", action="store_true", help="one line per case")
    parser.add_argument("--faults", action="store_true", help="a table by fault as well")
    parser.add_argument("--shuffle-names", type=int, metavar="SEED")
    parser.add_argument("--json", metavar="FILE")
    args = parser.parse_args()
    methods = {spec: resolved(spec) for spec in args.methods.split(",")}
    outcomes: dict[str, list[Outcome]] = {spec: [] for spec in methods}
    heads = [spec.rpartition(":")[2] for spec in methods]
    print(f"{'AC@1 AC@3 AC@5':<26}" + "".join(f"{head:>18}" for head in heads) + "   s/case")
    for shape in SHAPES:
        if not any(word in shape.name for word in args.shapes.split("|")):
            continue
        cases = [made(shape, seed) for seed in seeds_of(args.seeds)]
        if args.shuffle_names is not None:
            cases = [renamed(case, args.shuffle_names) for case in cases]
        line = []
        for spec, method in methods.items():
            found = run(method, cases, lambda case: (case.scenario, case.truth.fault_type))
            outcomes[spec] += found
            line.append(summarise(found))
        print(f"{shape.name:<26}" + "".join(_three(one) for one in line) + f"   {line[0]['sec/case']:.3f}", flush=True)
        if args.verbose:
            for one in outcomes[next(iter(methods))][-len(cases) :]:
                print(f"  {one.case_id:<36} rank={one.rank} {one.fault_type} {one.truth} {one.answer[:3]} {one.error}")
    print(f"{'all':<26}" + "".join(_three(summarise(outcomes[spec])) for spec in methods))
    if args.faults:
        for kind in sorted({one.fault_type for found in outcomes.values() for one in found}):
            told = [summarise([one for one in outcomes[spec] if one.fault_type == kind]) for spec in methods]
            print(f"  {kind:<24}" + "".join(_three(one) for one in told))
    if args.json:
        ranks = {spec: {one.case_id: one.rank for one in found} for spec, found in outcomes.items()}
        Path(args.json).write_text(json.dumps(ranks), encoding="utf-8")
    errors = [one.error for found in outcomes.values() for one in found if one.error]
    if errors:
        print(errors[0])


def _three(one: dict[str, Any]) -> str:
    return "    " + " ".join(f"{one[key]:.2f}" for key in ("AC@1", "AC@3", "AC@5"))


if __name__ == "__main__":
    main()
