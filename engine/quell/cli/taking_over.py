"""The command ``import``: other systems' configuration as ours."""

from __future__ import annotations

from pathlib import Path

import click

from quell.cli.as_json import as_json, print_json
from quell.cli.exits import Failed

_LARGEST = 262_145


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("-o", "--out", required=True, type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
              help="Write the files below DIR; a file that is there gets one beside it.")  # fmt: skip
@click.option("--strict", is_flag=True, help="Exit with 1 when anything was left out.")
@as_json
def import_(file: Path, out: Path, *, strict: bool, as_json: bool) -> None:
    """Take over Alertmanager's configuration or a workflow of Keep, with a report of what could not be carried."""
    from quell.importing.taking import imported

    with file.open("rb") as opened:
        found = imported(file.name, opened.read(_LARGEST))
    written = [_write(out, name, text) for name, text in sorted(found.files.items())]
    left = found.report.count("left out")
    if as_json:
        items = found.report.sorted()
        print_json({"what": found.what, "files": written, "items": items, "secrets": dict(found.secrets)})
    else:
        for item in found.report.sorted():
            click.echo(f"{file.name}:{item.line}: {item.fate}: {item.part}: {item.text}")
        click.echo()
        for variable, what in found.secrets.items():
            click.echo(f"set {variable}: {what}")
        counts = ", ".join(f"{found.report.count(fate)} {fate}" for fate in ("carried", "changed", "left out"))
        click.echo(f"{found.what}: {counts}; wrote {', '.join(written)}")
        for name in written:
            if name.startswith("quell.imported"):
                click.echo(f"{name} is not read: take over into quell.yaml what you want of it")
        if "quell.yaml" in written:
            click.echo(
                'quell.yaml names no tokens, so nobody may ask or act yet: take "tokens" from what quell init writes'
            )
        flag = " (with --without-secrets until they are set)" if found.secrets else ""
        click.echo(f"look at them, then: quell check {out}{flag}")
    if strict and left:
        raise Failed(f"{left} part{'s were' if left > 1 else ' was'} left out")


def _write(out: Path, name: str, text: str) -> str:
    """Writes a file; nothing that is there is written over."""
    path, number = out / name, 1
    while path.exists():
        path = (out / name).with_name(f"{Path(name).stem}.imported{'' if number == 1 else f'-{number}'}.yaml")
        number += 1
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path.relative_to(out).as_posix()


COMMANDS = {"import": import_}
