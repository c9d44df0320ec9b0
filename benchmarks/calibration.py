"""Is quell right as often as it says? Reliability of the first suspect's confidence on storms with known causes.

    python benchmarks/calibration.py --presets easy,overlap --seeds 1-5
    python benchmarks/calibration.py --fit 1-3 --seeds 4-5       fits the curve on other seeds and reports it on these
    python benchmarks/calibration.py --fit 1-3 --seeds 4-5 --weights FILE   and writes it as a rules file
    python benchmarks/calibration.py --config DIR --seeds 11     on other tables, such as other_tables.py makes

The first suspect of an incident is right if it is the cause of the true incident that it is paired with (the one that
overlaps most, as the scorer does); where it is paired with none, as nothing or little of it was an outage, or another
stands for that, it is wrong. What is said of incidents that are paired is told beside that. Printed: confidence against
accuracy in ten bins of equal size, the expected calibration error over them, the Brier score, and how often "no clear
cause" is said and what guessing had been worth.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

from quell.config.trained_file import weights_file
from quell.core.bearing import BY_ITSELF
from quell.core.confidence import Standing, certainty
from quell.model.weights import DEFAULT, Confidence
from quell.training.calibrating import fitted as fitted_curve
from quell.training.trying import Answer as Known
from storm import STORM, predict, seeds_of
from storm_folders import Row, Workshop, truth_rows

BINS = 10
LEAST_OVERLAP = 0.25
PRESETS = "easy,overlap,incomplete-topology,ml,storm-10k"
LEAST_CONFIDENCE = 1e-4
SAME = 1e-9


@dataclass(frozen=True, slots=True)
class Answer:
    """What was said of one true incident (or of one that never was: ``answered`` is False) and whether it was right.

    ``margin`` is how far the first suspect is ahead of the second in nats, ``path`` the length of its path, ``silent``
    whether it has no alert of its own, ``changed`` whether a change there is named; ``entities`` counts what alerts;
    ``itself``, ``asks`` and ``gaps`` are as in `quell.core.confidence.Standing`.
    """

    preset: str
    seed: int
    confidence: float
    right: bool
    clear: bool
    answered: bool = True
    mixed: bool = True
    margin: float = 0.0
    path: int = 1
    silent: bool = False
    changed: bool = False
    entities: int = 1
    itself: bool = False
    asks: float = 0.0
    gaps: float = 0.0
    nats: float = 0.0


def answers(preset: str, seed: int, truth: Sequence[Row], rows: Sequence[Row]) -> list[Answer]:
    """Of every predicted incident that names a suspect: whether it is the cause of an outage that was one."""
    said = {row["event_id"]: row["incident_id"] for row in rows if row["kind"] == "event"}
    incidents = {row["incident_id"]: row for row in rows if row["kind"] == "incident"}
    roots = {
        row["incident_id"]: set(row.get("root_nodes") or [row["root_node"]])
        for row in truth
        if row["kind"] == "incident"
    }
    pairs, sizes = _paired(truth, said)
    found = []
    for name, row in sorted(incidents.items()):
        suspects = row["root_causes"]
        if not suspects or row.get("withdrawn") or name not in sizes:
            continue
        first = suspects[0]
        second = suspects[1]["score"] if len(suspects) > 1 else 0.0
        true = pairs.get(name)
        found.append(
            Answer(
                preset,
                seed,
                confidence=first["confidence"],
                right=true is not None and first["node"] in roots[true],
                clear=not row["no_clear_cause"],
                answered=true is not None,
                margin=first["score"] - second,
                path=max(1, first["path"]),
                silent="silent" in first["evidence"],
                changed="change" in first["evidence"],
                entities=max(1, row["entities"]),
                itself=not BY_ITSELF.isdisjoint(first["evidence"]),
                asks=row.get("asks", 0.0),
                gaps=row.get("gaps", 0.0),
                nats=first["score"],
                mixed=sizes[name] > 1,
            )
        )
    return found


def _paired(truth: Sequence[Row], said: dict[str, str | None]) -> tuple[dict[str, str], Counter[str]]:
    """Predicted incident to true incident, the largest overlap first; and the sizes of the predicted ones in alerts."""
    first: dict[str, tuple[str, str | None]] = {}
    for row in truth:
        if row["kind"] == "event" and row["status"] == "firing":
            first.setdefault(row["alert_id"], (row["event_id"], row["incident_id"]))
    predicted: Counter[str] = Counter()
    true: Counter[str] = Counter()
    both: Counter[tuple[str, str]] = Counter()
    for event, incident in first.values():
        told = said.get(event)
        if told is not None:
            predicted[told] += 1
        if incident is not None:
            true[incident] += 1
            if told is not None:
                both[incident, told] += 1
    overlap = {key: count / (true[key[0]] + predicted[key[1]] - count) for key, count in both.items()}
    pairs: dict[str, str] = {}
    taken = set()
    for (incident, told), share in sorted(overlap.items(), key=lambda one: (-one[1], str(one[0]))):
        if share >= LEAST_OVERLAP and incident not in taken and told not in pairs:
            pairs[told] = incident
            taken.add(incident)
    return pairs, predicted


def collect(workshop: Workshop, presets: Sequence[str], seeds: Sequence[int]) -> list[Answer]:
    """The answers on storms, generated where they are missing."""
    found = []
    for preset in presets:
        for seed in seeds:
            folder = workshop.folder(preset, seed)
            rows, _ = predict(folder)
            found += answers(preset, seed, truth_rows(folder), rows)
    return found


def calibration_error(confidence: np.ndarray[Any, Any], right: np.ndarray[Any, Any]) -> float:
    """The mean distance of confidence and accuracy over bins of equal size."""
    order = np.argsort(confidence, kind="stable")
    parts = [part for part in np.array_split(order, BINS) if len(part)]
    off = [len(part) * abs(confidence[part].mean() - right[part].mean()) for part in parts]
    return float(sum(off)) / max(1, len(order))


def chance_error(confidence: np.ndarray[Any, Any], draws: int = 200) -> float:
    """The calibration error that so few answers would show if every confidence were exactly right."""
    rng = np.random.default_rng(1)
    return float(
        np.mean([calibration_error(confidence, rng.random(len(confidence)) < confidence) for _ in range(draws)])
    )


def report(name: str, found: Sequence[Answer], confidence: np.ndarray[Any, Any]) -> list[str]:
    """Lines of a report for answers with these confidences."""
    right = np.array([one.right for one in found], dtype=float)
    clear = np.array([one.clear for one in found], dtype=bool)
    error, chance = calibration_error(confidence, right), chance_error(confidence)
    brier = ((confidence - right) ** 2).mean()
    unclear, else_ = _share(right[~clear]), _share(right[clear])
    lines = [
        f"{name}: {len(found)} answers, {right.mean():.3f} right, mean confidence {confidence.mean():.3f}",
        f"  expected calibration error {error:.3f} ({chance:.3f} by chance alone), Brier score {brier:.3f}",
        f'  "no clear cause" {1 - clear.mean():.3f} of the time; right {unclear} then, {else_} else',
    ]
    order = np.argsort(confidence, kind="stable")
    lines.append("  | confidence | said | right | answers |\n  |---|---|---|---|")
    for part in np.array_split(order, BINS):
        if len(part):
            low, high = confidence[part].min(), confidence[part].max()
            told = f"{confidence[part].mean():.2f} | {right[part].mean():.2f} | {len(part)}"
            lines.append(f"  | {low:.2f} to {high:.2f} | {told} |")
    return lines


def _print_reports(name: str, found: Sequence[Answer], confidence: np.ndarray[Any, Any], lines: int) -> None:
    """So many lines of what is said of all that was shown, and of that part of it which is an outage."""
    print("\n".join(report(name, found, confidence)[:lines]))
    true = [at for at, one in enumerate(found) if one.answered]
    print("\n".join(report("  of these, outages", [found[at] for at in true], confidence[true])[:2]))


def _share(right: np.ndarray[Any, Any]) -> str:
    return f"{right.mean():.3f}" if len(right) else "never"


def logit(p: float) -> float:
    """Log odds, bounded."""
    p = min(1.0 - LEAST_CONFIDENCE, max(LEAST_CONFIDENCE, p))
    return math.log(p / (1.0 - p))


def _facts(one: Answer) -> list[float]:
    return [
        math.log1p(max(0.0, one.margin)), float(one.silent), float(one.changed), math.log(one.entities),
        float(one.path), float(one.itself), one.asks, one.gaps, math.log1p(max(0.0, one.nats)),
    ]  # fmt: skip


FEATURES: dict[str, Callable[[Answer], list[float]]] = {
    "log odds": lambda one: [logit(one.confidence)],
    "ln(1 + margin)": lambda one: [math.log1p(max(0.0, one.margin))],
    "ln(1 + margin), silent, changed, ln entities, path, itself, asks, gaps, ln(1 + nats)": _facts,
}


def fitted(name: str, fit: Sequence[Answer], found: Sequence[Answer]) -> tuple[str, np.ndarray[Any, Any]]:
    """A logistic mapping fitted on some answers, in words, and its confidences for others."""
    given = np.array([FEATURES[name](one) for one in fit])
    spread = given.std(axis=0)
    spread = np.where(spread > SAME, spread, 1.0)  # what is alike in all answers is another constant
    model = LogisticRegression(C=1.0).fit(given / spread, [one.right for one in fit])
    terms = ", ".join(f"{weight:.3f}" for weight in model.coef_[0] / spread)
    probabilities = model.predict_proba(np.array([FEATURES[name](one) for one in found]) / spread)[:, 1]
    return f"logistic over {name}: weights {terms}; constant {model.intercept_[0]:.3f}", probabilities


def _standing(one: Answer) -> Standing:
    names = ("margin", "silent", "changed", "entities", "path", "itself", "asks", "gaps", "nats")
    return Standing(**{name: getattr(one, name) for name in names})


def curve_of(fit: Sequence[Answer]) -> Confidence:
    """The weights of `quell.model.weights.Confidence` that fit these answers, as `quell train` finds them."""
    return fitted_curve([Known(_standing(one), one.confidence, one.clear, one.right, one.mixed) for one in fit])


def stated(found: Sequence[Answer], by: Confidence) -> np.ndarray[Any, Any]:
    """The confidences that answers would have had by this curve."""
    return np.array([certainty(_standing(one), by) if one.mixed else one.confidence for one in found])


def _written(curve: Confidence, given: argparse.Namespace, answers: int) -> str:
    """A rules file with the curve."""
    on, reported = ([f"{preset}-{seed}" for preset in given.presets.split(",") for seed in seeds_of(seeds)]
                    for seeds in (given.fit, given.seeds))  # fmt: skip
    told = [
        (("confidence", name), getattr(curve, name), getattr(DEFAULT.confidence, name), f"{answers} answers")
        for name in curve.__struct_fields__
    ]
    return weights_file(told, on, reported, ["Confidence, fitted by benchmarks/calibration.py."])


def _workshop(storm: Path, keep: Path, config: Path | None) -> Workshop:
    """Folders of other tables are kept apart."""
    return Workshop(storm.resolve(), keep / config.name if config else keep, config.resolve() if config else None)


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--storm", type=Path, default=STORM, help="the generator's folder")
    parser.add_argument("--config", type=Path, help="another folder of tables and presets for the generator")
    parser.add_argument("--presets", default=PRESETS)
    parser.add_argument("--seeds", default="1-5", help="seeds that are reported")
    parser.add_argument("--fit", default="", help="other seeds, on which mappings are fitted")
    parser.add_argument("--keep", type=Path, help="keep (and use again) generated folders here")
    parser.add_argument("--fit-config", type=Path, help="tables of the seeds to fit on, where they are others")
    parser.add_argument("--weights", type=Path, metavar="FILE", help="write what was fitted as a rules file")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write every answer as a JSON line")
    given = parser.parse_args()
    shared = set(seeds_of(given.fit)) & set(seeds_of(given.seeds)) if given.fit else set()
    if shared and given.fit_config == given.config:
        parser.error("--fit and --seeds share a seed: what is fitted on a seed must not be reported on it")
    presets = given.presets.split(",")
    with tempfile.TemporaryDirectory() as scratch:
        keep = given.keep.resolve() if given.keep else Path(scratch)
        found = collect(_workshop(given.storm, keep, given.config), presets, seeds_of(given.seeds))
        tables = given.fit_config or given.config
        fit = collect(_workshop(given.storm, keep, tables), presets, seeds_of(given.fit)) if given.fit else []
    if given.write:
        given.write.write_text("".join(json.dumps(asdict(one)) + "\n" for one in [*fit, *found]))
    told = np.array([one.confidence for one in found])
    _print_reports("all presets", found, told, 3 + BINS + 2)
    for preset in presets:
        mine = [at for at, one in enumerate(found) if one.preset == preset]
        if mine:
            _print_reports(preset, [found[at] for at in mine], told[mine], 3)
    if fit:
        curve = curve_of(fit)
        print(f"the curve of quell.model.weights.Confidence, fitted on {len(fit)} answers: {curve}")
        _print_reports("by that curve", found, stated(found, curve), 3 + BINS + 2)
        if given.weights:
            given.weights.write_text(_written(curve, given, len(fit)))
    for name in FEATURES if fit else ():
        words, mapped = fitted(name, [one for one in fit if one.mixed], found)
        print(words)
        _print_reports("mapped", found, mapped, 2)


if __name__ == "__main__":
    main()
