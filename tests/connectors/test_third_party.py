"""A connector in a package of its own is as good as one of ours: its wheel is built, installed and found."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from quell.sdk.registry import find_connectors, offers
from quell.sdk.testkit import check_connector

EXAMPLE = Path(__file__).parents[2] / "examples" / "third_party_connector"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the installed package, as pip would leave it. Built from a copy, without network."""
    place = tmp_path_factory.mktemp("third-party")
    shutil.copytree(EXAMPLE, place / "source", ignore=shutil.ignore_patterns("__pycache__", "dist"))
    built = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-index", "--no-deps",
         "--no-build-isolation", "--wheel-dir", str(place / "wheels"), str(place / "source")],
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert built.returncode == 0, built.stdout + built.stderr
    [wheel] = (place / "wheels").glob("quell_statuspage-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(place / "site")
    return place / "site"


@pytest.fixture
def installed(site: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(str(site))
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "quell_statuspage"]:
        del sys.modules[name]


@pytest.mark.usefixtures("installed")
def test_the_registry_finds_it_beside_ours_and_it_keeps_the_rules() -> None:
    found = find_connectors()

    assert found.problems == ()
    assert "alertmanager" in found.connectors
    statuspage = found.connectors["vendor_status"]
    assert offers(statuspage) == {"pull", "act"}
    check_connector(statuspage)


def test_its_own_tests_pass_against_the_installed_wheel(site: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(site), "-c", os.devnull,
         str(EXAMPLE / "tests")],
        capture_output=True,
        text=True,
        check=False,
        cwd=site,
        env={**os.environ, "PYTHONPATH": str(site), "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "3 passed" in ran.stdout


def test_uninstalled_it_is_gone() -> None:
    assert "vendor_status" not in find_connectors().connectors
