"""The command ``train``: weights of correlation from labelled storms and from what people said, as a file to review."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from quell.cli.exits import FAILED, FINE, Failed
from quell.cli.replaying import opened
from quell.config.trained_file import file_diff, weights_file
from quell.model.rulebook import Rulebook
from quell.replay.collector import seldom_collected
from quell.replay.reader import Reader
from quell.training.feedback import judged
from quell.training.searching import STEPS
from quell.training.storms import Storm, is_storm, parted, read_storm
from quell.training.training import TooLittle, Trained, train

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_EVERY = 3
"""Without --report, every third storm is kept for the report."""
_PARTS = 6
"""What people said of one past counts as so many storms, one after the other."""


@click.command("train")
@click.argument("storms", metavar="[STORM]...", nargs=-1, type=_FOLDER)
@click.option(
    "--report", "reported", multiple=True, type=_FOLDER, help="A storm to report on; nothing is learned of it."
)
@click.option(
    "--feedback", "records", multiple=True, type=_FILE, help="Exported records; people's words in them are labels."
)
@click.option("--config", type=click.Path(exists=True, path_type=Path), help="Directory with quell.yaml.")
@click.option(
    "--search", default="", metavar="NAMES", help=f"Prices to search, or all: {', '.join(STEPS)}. Takes minutes."
)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write the file here, not to the output.")
@click.option("--dry-run", is_flag=True, help="Write nothing; print how the file would change.")
def train_weights(
    storms: Sequence[Path],
    *,
    reported: Sequence[Path],
    records: Sequence[Path],
    config: Path | None,
    search: str,
    out: Path | None,
    dry_run: bool,
) -> int:
    """Estimate weights of correlation; write those that are better than what ships as a rules file to review.

    STORM is a folder with truth.jsonl and records.jsonl (or stream.jsonl and topology.json), or one that holds such
    folders. --feedback takes records that quell export wrote. What is estimated is held against what ships on the
    storms to report on; without --report every third one is kept for that. Nothing is ever put in force: move the file
    below rules/ once it was reviewed, and run quell check.

    The exit code is 0 when something was better and written, 1 when nothing was, or when there was too little to
    learn from; 2 for files that cannot be read.
    """
    names = _searched(search)
    if out is not None and not dry_run:
        _to_be_reviewed(out)
    reader, rulebook = opened(config, strict=True)
    with seldom_collected():
        learned, held = list(_folders(storms)), list(_folders(reported))
        called = _called([*learned, *held])
        trains = [read_storm(one, reader, called[one]) for one in learned]
        trains += _from_feedback(records, reader, rulebook)
        reports = [read_storm(one, reader, called[one]) for one in held]
        for storm in (*trains, *reports):
            _left_out(storm)
        if not reports:
            reports = trains[_EVERY - 1 :: _EVERY]
            trains = [storm for at, storm in enumerate(trains) if at % _EVERY != _EVERY - 1]
        try:
            found = train(trains, reports, rulebook, names, lambda text: click.echo(text, err=True))
        except TooLittle as error:
            raise Failed(f"{error}; nothing was written") from error
    click.echo("\n".join(_report(found)), err=True)
    if not found.better:
        click.echo(
            "the trained weights are no better than those that ship on the storms reported on; nothing was written",
            err=True,
        )
        return FAILED
    told = [(one.place, one.value, one.ships, one.seen) for one in found.estimates]
    text = weights_file(told, found.on, found.reported, [*_HEAD, "", *_report(found), "", *found.said])
    _write(text, out, dry_run=dry_run)
    return FINE


_HEAD = (
    "Weights of correlation, estimated by quell train. Review them, move the file below rules/, and run quell check.",
    "Whatever does not stand here is as it ships.",
)


def _to_be_reviewed(out: Path) -> None:
    """Refuses, before hours of training, what could not be written, or would be in force as soon as it is."""
    if not out.parent.is_dir():
        raise click.UsageError(f'--out: there is no directory "{out.parent}"')
    for folder in out.resolve().parents:
        if folder.name == "rules" and (folder.parent / "quell.yaml").exists():
            raise click.UsageError(
                f'--out: "{out}" is below the rules of {folder.parent / "quell.yaml"}: a daemon that runs with them '
                "would take it up at once. Write it elsewhere, and move it there once it was reviewed"
            )


def _searched(text: str) -> list[str]:
    if text == "all":
        return list(STEPS)
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = next((name for name in names if name not in STEPS), None)
    if unknown is not None:
        raise click.UsageError(f'--search: "{unknown}" is not searched; known: all, {", ".join(STEPS)}')
    return names


def _folders(named: Sequence[Path]) -> Iterator[Path]:
    for path in named:
        within = [path] if is_storm(path) else sorted(one for one in path.iterdir() if one.is_dir() and is_storm(one))
        if not within:
            raise click.UsageError(f'"{path}" holds no truth.jsonl, and no folder that does')
        yield from within


def _called(folders: Sequence[Path]) -> dict[Path, str]:
    """What each folder is called: by its own name, and by the one above where others have that too."""
    places = {path: path.resolve() for path in folders}
    counts = Counter(place.name for place in set(places.values()))
    return {
        path: place.name if counts[place.name] == 1 else f"{place.parent.name}/{place.name}"
        for path, place in places.items()
    }


def _from_feedback(records: Sequence[Path], reader: Reader, rulebook: Rulebook) -> Iterator[Storm]:
    for path in records:
        found = judged(path.name, reader.read(path), rulebook)
        known = f"; {len(found.unknown)} of the incidents did not come about again" if found.unknown else ""
        click.echo(f"{path.name}: {found.words} words of people{known}", err=True)
        yield from parted(found.storm, _PARTS)


def _left_out(storm: Storm) -> None:
    if storm.unknown:
        there = len(storm.truth.incident)
        text = f"{storm.name}: {storm.unknown} of {storm.unknown + there} labels are of no record that is there"
        click.echo(f"{text}; they count for nothing", err=True)


def _report(found: Trained) -> Iterator[str]:
    yield f"Trained on {len(found.on)}, with {found.incidents} incidents: {', '.join(found.on)}."
    yield f"Reported on {len(found.reported)} others: {', '.join(found.reported)}."
    for name, text in _FIGURES.items():
        now, ships = getattr(found.held, name), getattr(found.ships, name)
        yield f"  {text}: {now:.3f} (what ships: {ships:.3f})"
    yield f"  of {found.held.answers} answers (what ships: {found.ships.answers})"
    if found.better:
        yield f"Better than what ships: {', '.join(found.better)}."


_FIGURES = {
    "score": "score",
    "incident_f1": "incident F1",
    "pair_f1": "pair F1",
    "first_cause": "first cause right",
    "missed": "missed",
    "calibration_error": "calibration error",
    "brier": "Brier score",
    "unclear": '"no clear cause"',
}


def _write(text: str, out: Path | None, *, dry_run: bool) -> None:
    try:
        if dry_run:
            before = out.read_text(encoding="utf-8") if out is not None and out.exists() else ""
            name = out.as_posix() if out is not None else "rules/weights.yaml"
            click.echo(file_diff(name.lstrip("/"), before, text), nl=False)
        elif out is None:
            click.echo(text, nl=False)
        else:
            out.write_text(text, encoding="utf-8")
            click.echo(f"{out}: to be reviewed; nothing is in force yet")
    except (OSError, UnicodeDecodeError) as error:
        raise Failed(f"--out: {out}: {error}") from error


COMMANDS = {"train": train_weights}
