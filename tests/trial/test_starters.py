"""The starters come with tests that pass, also when quell is killed after every commit."""

from pathlib import Path

import pytest

from quell.config import load
from quell.config.nodes import read_document
from quell.config.starter import starter_files, write_starter
from quell.sdk.registry import find_connectors
from quell.trial.trying import Stage, try_files
from quell.trial.trying import test_files as files_below

SPECS = {name: connector.spec for name, connector in find_connectors().connectors.items()}
PLAYBOOKS = sorted(
    path for path in (starter_files() / "playbooks").glob("*.yaml") if not path.name.endswith(".test.yaml")
)
SCHEMA = "# yaml-language-server: $schema=https://"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = tmp_path_factory.mktemp("starter")
    write_starter(place, "b" * 64, "first")
    return place


def test_all_pass(place):
    stage = Stage.of(place, load(place, SPECS, {}), SPECS)
    tried = try_files(stage, files_below(place))
    assert tried.passed, "\n".join(map(str, tried.complaints()))
    assert len(tried.trials) >= 2 * len(PLAYBOOKS)


@pytest.mark.parametrize("path", PLAYBOOKS, ids=lambda path: path.stem)
def test_each_has_its_tests_and_its_line(path):
    beside = path.with_name(f"{path.stem}.test.yaml")
    document, problems = read_document(beside.name, beside.read_bytes())
    assert document is not None, problems
    assert document.value["crash"] == "everywhere"
    for file, kind in ((path, "playbook"), (beside, "test")):
        first = file.read_text(encoding="utf-8").splitlines()[0]
        assert first.startswith(SCHEMA)
        assert first.endswith(f"docs/reference/schema/{kind}.schema.json")
    readme = (path.parent / "README.md").read_text(encoding="utf-8")
    assert f"| `{path.name}` |" in readme


def test_every_rule_and_playbook_file_completes_in_an_editor():
    schemas = Path(__file__).parents[2] / "docs" / "reference" / "schema"
    for folder in ("rules", "playbooks"):
        for path in (starter_files() / folder).glob("*.yaml"):
            first = path.read_text(encoding="utf-8").splitlines()[0]
            assert first.startswith(SCHEMA), path
            assert (schemas / first.rpartition("/")[2]).is_file(), path
