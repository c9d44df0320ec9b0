"""Connectors are found by entry point; a broken one is named and stops no other."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from quell.sdk.connector import Context, Received, Request
from quell.sdk.registry import GROUP, find_connectors, installed, load_connectors, offers, specs
from quell.sdk.spec import ActionSpec, Spec


class Good:
    """Takes everything."""

    spec = Spec(name="good", summary="Takes everything.")

    def __init__(self, options: object, context: Context) -> None: ...

    def receive(self, request: Request, now: float) -> Received:
        return Received()


class Other(Good):
    """The same under another name."""

    spec = Spec(name="good", summary="Another with the same name.")


class Specless:
    """Forgot its spec."""


class Verbless:
    """Can do nothing."""

    spec = Spec(name="verbless", summary="Can do nothing.")


class Boasting(Good):
    """Declares what it cannot do."""

    spec = Spec(name="boasting", summary="Boasts.", actions=(ActionSpec(name="fly", summary="Flies."),))


not_a_class = 7


def point(name: str, attribute: str, module: str = __name__) -> EntryPoint:
    return EntryPoint(name, f"{module}:{attribute}", GROUP)


def test_broken_entry_points_are_named_and_stop_no_other(monkeypatch: object) -> None:
    found = find_connectors(
        [
            point("absent", "X", "no_such_module_anywhere"),
            point("boasting", "Boasting"),
            point("misnamed", "Good"),
            point("good", "Good"),
            point("number", "not_a_class"),
            point("specless", "Specless"),
            point("typo", "Goood"),
            point("verbless", "Verbless"),
        ]
    )
    assert [connector.spec.name for connector in found.connectors.values()] == ["good"]
    said = {problem.file.split('"')[1]: problem.message for problem in found.problems}
    assert said == {
        "absent": "cannot be loaded: ModuleNotFoundError: No module named 'no_such_module_anywhere'",
        "boasting": 'Boasting declares actions but has no method "act"',
        "misnamed": 'its spec is named "good"; entry point and spec must have the same name',
        "number": "is not a class; the entry point must name the connector class",
        "specless": 'Specless has no "spec"; set it to a quell.sdk.spec.Spec',
        "typo": said["typo"],
        "verbless": "Verbless has none of the methods receive, serve, pull, ask, recall, act; it could do nothing",
    }
    assert said["typo"].startswith("cannot be loaded: AttributeError")


def test_a_name_taken_twice_is_told() -> None:
    found = find_connectors([point("good", "Good"), point("good", "Other"), point("good", "Good")])
    assert len(found.connectors) == 1
    assert [problem.message for problem in found.problems] == [
        "the name is taken by another installed package; uninstall one of them"
    ]


def test_a_connector_is_imported_when_it_is_asked_for_and_not_before() -> None:
    found = installed([point("absent", "X", "no_such_module_anywhere"), point("good", "Good"), point("typo", "Goood")])
    assert found["good"].spec is Good.spec
    assert "unheard_of" not in found
    assert list(found.problems) == []
    assert found.specs["good"] is Good.spec
    assert "absent" not in found.specs
    assert [problem.file.split('"')[1] for problem in found.problems] == ["absent"]
    assert (list(found), len(found.specs)) == (["good"], 1)
    assert [problem.file.split('"')[1] for problem in found.problems] == ["absent", "typo"]


def test_a_module_that_ends_programs_ends_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "module_that_exits.py").write_text("raise SystemExit('no licence')\n")
    monkeypatch.syspath_prepend(tmp_path)
    found = installed([point("leaving", "X", "module_that_exits")])
    assert "leaving" not in found
    assert [problem.message for problem in found.problems] == ["cannot be loaded: SystemExit: no licence"]


def test_a_check_imports_only_the_connectors_that_are_named(tmp_path: Path) -> None:
    (tmp_path / "quell.yaml").write_text("sources: {a: {use: webhook, auth: {open: true}}}\n")
    check = (
        "import sys\n"
        "from pathlib import Path\n"
        "from quell.cli.loading import checked_from\n"
        "checked_from(Path(sys.argv[1]), secrets_needed=False)\n"
        "print(*sorted({name.split('.')[1] for name in sys.modules if name.startswith('quell_connectors.')}))\n"
        "print(*({'numpy', 'scipy', 'sqlalchemy', 'fastapi', 'aiohttp', 'rich'} & set(sys.modules)))\n"
    )
    ran = subprocess.run([sys.executable, "-c", check, tmp_path], check=True, capture_output=True, text=True)
    assert ran.stdout == "webhook\n\n"


def test_our_own_connectors_are_installed() -> None:
    assert "alertmanager" in load_connectors()
    assert specs()["alertmanager"].paths == ("/api/v2", "/api/v1")
    assert offers(Good) == {"receive"}
