import os
import stat
import subprocess
import sys

import pytest

from quell.config import check, load
from quell.config.starter import write_starter
from quell.errors import Misconfigured
from quell.sdk.registry import find_connectors

SHA = "b" * 64


@pytest.fixture(scope="module")
def specs():
    return {name: connector.spec for name, connector in find_connectors().connectors.items()}


def test_a_fresh_directory_is_fine_without_any_secret(tmp_path, specs):
    place = tmp_path / "new" / "conf"
    written = write_starter(place, SHA, "first")
    assert check(place, specs, {}) == []
    loaded = load(place, specs, {})
    assert loaded.warnings == ()
    assert loaded.settings.open_on_loopback
    assert [(token.id, token.sha256) for token in loaded.settings.tokens] == [("first", SHA)]
    assert {source.id for source in loaded.settings.sources} == {"alertmanager", "console", "ticket", "deploy"}
    assert {playbook.name: playbook.mode for playbook in loaded.rulebook.playbooks} == {
        "collect-diagnostics": "shadow", "open-ticket": "shadow", "rollback-bad-deploy": "shadow",
        "page-and-escalate": "shadow", "abort-canary": "off", "collect-kubernetes-diagnostics": "off",
        "hold-rollout-on-burning-budget": "off",
        "drain-endpoint": "off", "pause-retraining-on-drift": "off", "roll-back-model-alias": "off",
        "pagerduty-cause": "off", "rollback-with-argocd": "off", "status-page-note": "off", "turn-flag-off": "off",
        "disable-endpoint": "off", "fall-back-to-rule": "off", "flag-model-version": "off",
        "older-feature-view": "off", "roll-back-prompt": "off", "stop-model-canary": "off",
        "ticket-with-drift-report": "shadow",
    }  # fmt: skip
    assert loaded.rulebook.mute
    assert loaded.rulebook.inhibit
    assert {path.relative_to(place).parts[0] for path in written} == {"quell.yaml", "tokens.yaml", "rules", "playbooks"}


def test_only_the_owner_may_read_the_tokens(tmp_path):
    write_starter(tmp_path, SHA, "first")
    assert stat.S_IMODE((tmp_path / "tokens.yaml").stat().st_mode) == 0o600


def test_the_addresses_of_tools_can_be_given(tmp_path, specs):
    write_starter(tmp_path, SHA, "first", ticket_url="http://127.0.0.1:1234", deploy_url="http://127.0.0.1:1235")
    settings = load(tmp_path, specs, {}).settings
    assert settings.source("ticket").options["url"] == "http://127.0.0.1:1234"
    assert settings.source("deploy").options["url"] == "http://127.0.0.1:1235"


def test_nothing_is_overwritten(tmp_path):
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "map.yaml").write_text("mine")
    (tmp_path / "quell.yaml").symlink_to("nowhere")
    with pytest.raises(Misconfigured) as caught:
        write_starter(tmp_path, SHA, "first")
    assert [problem.file for problem in caught.value.problems] == [
        str(tmp_path / "quell.yaml"),
        str(tmp_path / "rules" / "map.yaml"),
    ]
    assert (tmp_path / "rules" / "map.yaml").read_text() == "mine"
    assert not (tmp_path / "tokens.yaml").exists()


COMMENTED = "# - name:"


def test_a_disk_that_fills_up_leaves_nothing_half_written(tmp_path, monkeypatch):
    opened, left = os.open, iter(range(10))

    def full(path, *words):
        if str(path).startswith(str(tmp_path)) and next(left, None) is None:
            raise OSError(28, "No space left on device", path)
        return opened(path, *words)

    monkeypatch.setattr(os, "open", full)
    with pytest.raises(OSError, match="No space left on device"):
        write_starter(tmp_path / "conf", SHA, "first")
    monkeypatch.undo()
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    assert write_starter(tmp_path / "conf", SHA, "first")


def test_what_the_starters_say_in_comments_loads_too(tmp_path, specs):
    write_starter(tmp_path, SHA, "first")
    for path in sorted((tmp_path / "rules").glob("*.yaml")):
        path.write_text("\n".join(_uncommented(path.read_text().splitlines())))
    found = [str(problem) for problem in check(tmp_path, specs, {})]
    assert found == []
    book = load(tmp_path, specs, {}).rulebook
    assert len(book.windows) == 2
    assert len(book.dependencies) == 3
    assert "replicates" in book.correlate.edges


def test_what_is_off_can_be_let_on_with_the_sources_in_comments(tmp_path, specs):
    write_starter(tmp_path, SHA, "first")
    for path in (tmp_path / "playbooks").glob("*.yaml"):
        path.write_text(path.read_text().replace('mode: "off"', "mode: shadow"))
    assert check(tmp_path, specs, {}), "their sources are not there yet"
    main = tmp_path / "quell.yaml"
    lines = main.read_text().splitlines()
    main.write_text("\n".join(line.replace("# ", "", 1) if "{use: " in line else line for line in lines))
    book = load(tmp_path, specs, {}, secrets_needed=False).rulebook
    assert {playbook.mode for playbook in book.playbooks} == {"shadow"}


def _uncommented(lines):
    """The lines with examples in comments made real: indented comments that look like YAML."""
    for line in lines:
        bare = line.lstrip()
        example = bare.startswith(("# - ", "#   ", "# edges:")) and line.startswith(" ")
        if example:
            yield line.replace("# ", "", 1)
        elif bare.endswith((": []",)) and not bare.startswith("#"):
            yield line.replace(": []", ":")
        else:
            yield line


def test_checking_needs_no_heavy_library(tmp_path):
    write_starter(tmp_path, SHA, "first")
    program = (
        "import sys, pathlib\n"
        "from quell.config import check\n"
        "from quell.sdk.registry import find_connectors\n"
        "specs = {name: found.spec for name, found in find_connectors().connectors.items()}\n"
        "assert not check(pathlib.Path(sys.argv[1]), specs, {})\n"
        "heavy = {'sklearn', 'scipy', 'numpy', 'networkx', 'fastapi', 'sqlalchemy', 'typer', 'prompt_toolkit'}\n"
        "heavy |= {'aiohttp', 'slack_sdk', 'pagerduty', 'starlette', 'uvicorn', 'structlog'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
