"""Files written for a test, and the connectors that they speak of."""

import pathlib
import tempfile
import textwrap

from quell.config import Loaded, check, load
from quell.sdk.spec import ActionSpec, Option, Spec

SPECS = {
    spec.name: spec
    for spec in (
        Spec(name="inbox", summary="Takes alerts."),
        Spec(
            name="ticket",
            summary="Opens tickets.",
            options=(
                Option(name="url", type="url", summary="Where.", required=True, example="https://tickets.example"),
                Option(name="token", type="secret", summary="Shown to it."),
                Option(name="retries", type="integer", summary="How often.", default=3),
                Option(name="wait", type="duration", summary="How long.", default=5.0),
                Option(name="style", type="text", summary="Which.", choices=("short", "long"), default="short"),
                Option(name="strict", type="boolean", summary="Whether.", default=False),
                Option(name="factor", type="number", summary="How much.", default=1.0),
                Option(name="fields", type="mapping", summary="Names."),
                Option(name="tags", type="list", summary="Tags."),
            ),
            actions=(
                ActionSpec(
                    name="open",
                    summary="Opens one.",
                    params=(
                        Option(name="title", type="text", summary="Title.", required=True),
                        Option(name="key", type="text", summary="Key.", required=True),
                        Option(name="body", type="text", summary="Body."),
                        Option(name="priority", type="integer", summary="Priority."),
                        Option(name="labels", type="mapping", summary="Labels."),
                        Option(name="watch", type="duration", summary="How long to watch."),
                    ),
                    effect="tell",
                    repeat="keyed",
                ),
                ActionSpec(name="close", summary="Closes one.", effect="change", repeat="state"),
            ),
        ),
        Spec(
            name="console",
            summary="Prints.",
            actions=(
                ActionSpec(
                    name="page",
                    summary="Prints a page.",
                    params=(Option(name="text", type="text", summary="What.", required=True),),
                    effect="tell",
                    repeat="keyed",
                ),
            ),
        ),
        Spec(
            name="signed",
            summary="Checks its deliveries itself.",
            options=(
                Option(name="auth", type="text", summary="How.", choices=("none", "bearer"), default="none"),
                Option(name="secret", type="secret", summary="The secret."),
                Option(name="every", type="text", summary="A word of its own."),
            ),
        ),
    )
}

MAIN = """\
sources:
  console: {use: console}
  ticket: {use: ticket, url: "https://tickets.example"}
pages:
  - to: console.page
"""


def write(place: pathlib.Path, files: dict[str, str | bytes]) -> pathlib.Path:
    """Writes the files into a directory; quell.yaml is a plain one unless it is given."""
    for name, text in {"quell.yaml": MAIN, **files}.items():
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else textwrap.dedent(text).encode())
    return place


def problems_of(files: dict[str, str | bytes], environ: dict[str, str] | None = None) -> list[str]:
    """Place, message and suggestion of every problem, in order, without excerpts."""
    with tempfile.TemporaryDirectory() as place:
        found = check(write(pathlib.Path(place), files), SPECS, environ or {})
    return [str(problem).split("\n")[0] for problem in found]


def loaded_from(files: dict[str, str | bytes], environ: dict[str, str] | None = None) -> Loaded:
    """What the files say."""
    with tempfile.TemporaryDirectory() as place:
        return load(write(pathlib.Path(place), files), SPECS, environ or {})
