"""The commands ``profile`` and ``drift``: what data was like, and whether it still is."""

from __future__ import annotations

import getpass
import os
import time
from pathlib import Path

import click
import msgspec
from rich.text import Text

from quell.cli import looks
from quell.cli.as_json import print_json
from quell.cli.exits import FAILED, FINE, Failed
from quell.cli.when import span
from quell.config.profile_file import MOST_BYTES, profile_text, read_profile
from quell.errors import Misconfigured, Problem
from quell.model.drift_report import DriftReport, FieldReport, Limits
from quell.model.playbook import Place
from quell.model.profile import Profile
from quell.model.wire import to_wire
from quell.picture.drift import NAMES, chance_text, page, svg, unjudged
from quell.profiling.profiles import profile_of, records_of, table_against
from quell.profiling.tables import chunks

_DATA = click.Path(exists=True, dir_okay=False, path_type=Path)
_without = click.option("--without", multiple=True, metavar="GLOB", help="Columns to leave out: ids and the like.")


@click.command("profile")
@click.argument("data", type=_DATA)
@click.option("--entity", required=True, metavar="KIND/NAME", help="Whose data it is, such as dataset/payments.")
@click.option("--version", required=True, metavar="TEXT", help="The version of the dataset or model, such as v3.")
@click.option("-o", "--out", type=click.Path(dir_okay=False, path_type=Path), help="profiles/NAME.json if left out.")
@click.option("--time", "time_column", default="", metavar="COLUMN", help="Which column says when a row came about.")
@click.option("--author", default="", help="Who made it; the name you are logged in with if left out.")
@click.option("--records", "as_records", is_flag=True, help="Print records for quell send, and write no profile.")
@_without
def profile(
    data: Path, entity: str, version: str, *, out: Path | None, time_column: str, author: str,
    without: tuple[str, ...], as_records: bool,
) -> None:  # fmt: skip
    """Write what data is like as a reference profile, for detectors of drift to compare with.

    DATA is a table: .csv, .tsv, .jsonl (may be packed with gzip) or .parquet. It is read in chunks. The profile holds
    counts by column, never rows; texts are named only where they are few. Keep it in git, in profiles/ beside rules/.
    """
    kind, slash, name = entity.partition("/")
    if not (kind and slash and name) or any(letter.isspace() for letter in entity):
        raise click.BadParameter(f'"{entity}" is no entity; expected kind/name, such as dataset/payments')
    if as_records:
        told = records_of(
            chunks(data), entity=entity, version=version, at=time.time(), time=time_column, without=without
        )
        click.echo("".join(f"{msgspec.json.encode(to_wire(record)).decode()}\n" for record in told), nl=False)
        return
    made = profile_of(
        chunks(data), entity=entity, version=version, at=time.time(), author=author or _login(), source=str(data),
        time=time_column, without=without,
    )  # fmt: skip
    out = out or Path("profiles") / f"{name.replace('/', '-')}.json"
    text = profile_text(made)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        fresh = out.with_name(f"{out.name}.new")
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(out)
    except OSError as error:
        raise Failed(f"{out}: cannot be written: {error.strerror or error}") from error
    days = f", {made.per_day.mean:,.0f} a day over {made.per_day.days} days" if made.per_day else ""
    rows = f"{made.rows:,} rows{days}"
    click.echo(f"{out}: {made.entity} {made.version}: {len(made.fields)} columns, {rows}; hash {made.hash[:12]}")


@click.command("drift")
@click.argument("data", type=_DATA)
@click.option("--profile", "profile_path", required=True, type=_DATA, help="The profile to compare with.")
@click.option("--version", default="", metavar="TEXT", help="The version of the data, if it is known.")
@click.option("--ks", type=float, default=Limits().ks, show_default=True, help="KS that counts, of numbers.")
@click.option("--psi", type=float, default=Limits().psi, show_default=True, help="PSI that counts.")
@click.option("--chi2", type=float, default=Limits().chi2, show_default=True, help="Cramér's V that counts, of texts.")
@click.option("--chance", type=float, default=Limits().chance, show_default=True, help="Chance at most, corrected.")
@click.option(
    "--rows", type=click.IntRange(1), default=Limits().rows, show_default=True, help="Values needed to judge."
)
@click.option("--age", callback=span, metavar="DURATION", help="How old the newest row may be (needs a time column).")
@_without
@click.option("--all", "every", is_flag=True, help="List columns that did not drift as well.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Write a report with histograms there.")
@click.option("--svg", "picture", type=click.Path(dir_okay=False, path_type=Path), help="Write the histograms there.")
def drift(
    data: Path, profile_path: Path, *, version: str, ks: float, psi: float, chi2: float, chance: float, rows: int,
    age: float | None, without: tuple[str, ...], every: bool, as_json: bool, html: Path | None, picture: Path | None,
) -> int:  # fmt: skip
    """Compare data with a reference profile: which columns drifted, how far, by which test.

    A column drifted when its effect counts and chance does not explain it, after the correction for all tests made.
    Columns that are missing, renamed or of another type, missing and unreadable values, times ahead of now and another
    version of the data are told as well. Exits with 1 if anything is wrong (a new column alone is not).
    """
    known = _read(profile_path)
    limits = Limits(ks=ks, psi=psi, chi2=chi2, chance=chance, rows=rows, age_s=age, leave=without)
    report = table_against(known, chunks(data), limits, version=version, now=time.time(), pictures=html is not None)
    _write(html, page, report)
    _write(picture, svg, report)
    if as_json:
        print_json(to_wire(report) | {"wrong": _wrong(report)})
    else:
        _print(report, every=every)
    return FAILED if _wrong(report) else FINE


def _read(path: Path) -> Profile:
    problems: list[Problem] = []
    with path.open("rb") as file:
        data = file.read(MOST_BYTES + 1)
    found = read_profile(str(path), data, problems, Place(file=str(path), line=0))
    if found is None:
        raise Misconfigured(problems)
    return found


def _wrong(report: DriftReport) -> bool:
    return any(trouble.code != "new" for trouble in report.troubles)


def _write(path: Path | None, drawn: object, report: DriftReport) -> None:
    if path is None:
        return
    assert callable(drawn), "a function of the report"
    try:
        path.write_text(drawn(report), encoding="utf-8")
    except OSError as error:
        raise Failed(f"{path}: cannot be written: {error.strerror or error}") from error
    click.echo(f"written to {path}", err=True)


def _print(report: DriftReport, *, every: bool) -> None:
    out = looks.console()
    fields = list(report.drifted)
    if every:
        fields += sorted((one for one in report.fields if not one.drifted), key=lambda one: (-one.size, one.field))
    against = f"{report.entity} {report.profile} ({report.hash[:12]})"
    click.echo(f"{report.rows:,} rows against {against}: {len(report.drifted)} of {report.judged} columns drifted")
    if fields:
        columns = [
            looks.Column("COLUMN"), looks.Column("TEST"), looks.Column("EFFECT", justify="right"),
            looks.Column("COUNTS FROM", 80, justify="right"), looks.Column("CHANCE", 80, justify="right"),
            looks.Column("VERDICT", folds=True),
        ]  # fmt: skip
        looks.table(out, columns, [_row(field) for field in fields])
    for trouble in report.troubles:
        if trouble.code != "drifted":
            out.print(Text(trouble.text, style="" if trouble.code == "new" else "yellow"))


def _row(field: FieldReport) -> list[str | Text]:
    best = field.strongest
    if best is None:
        return [field.field, "-", "-", "-", "-", unjudged(field)]
    said = Text(field.said or "values moved", style="red") if field.drifted else Text("as before")
    return [field.field, NAMES[best.test], f"{best.effect:.3g}", f"{best.least:g}", chance_text(best.adjusted), said]


def _login() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # nobody is logged in, as in a container
        return os.environ.get("USER", "")


COMMANDS = {"profile": profile, "drift": drift}
