"""The files for CI and pre-commit do what they say: their scripts are run as they stand."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
import yaml

from backtest.shop import MUTED, git, repository, write_history
from quell.cli.main import COMMANDS, cli

ROOT = Path(__file__).parents[2]
GITHUB = ROOT / "examples" / "ci" / "github.yml"
GITLAB = ROOT / "examples" / "ci" / "gitlab.yml"
HOOKS = ROOT / ".pre-commit-hooks.yaml"
TEST = """\
test: nothing is wrong
feed: [{at: 0s, alert: {alertname: A, service: web, severity: info}, for: 1m}]
expect: [{at: 10m, incidents: []}]
"""


def scripts() -> dict[str, str]:
    """Every script of both files, by where it stands."""
    found = {}
    for job, content in yaml.safe_load(GITHUB.read_text())["jobs"].items():
        for number, step in enumerate(content["steps"]):
            if "run" in step:
                found[f"github/{job}/{step.get('name', number)}"] = step["run"]
    for job, content in yaml.safe_load(GITLAB.read_text()).items():
        for part in ("before_script", "script", "after_script"):
            if isinstance(content, dict) and part in content:
                found[f"gitlab/{job}/{part}"] = "\n".join(content[part])
    return found


SCRIPTS = scripts()
ENTRIES = [hook["entry"] for hook in yaml.safe_load(HOOKS.read_text())]


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A repository with history, a change on a branch, and quell on PATH."""
    rules = repository(tmp_path / "repo")
    (rules / "history").mkdir()
    write_history(rules / "history" / "day.jsonl")
    (rules / "rules" / "nothing.test.yaml").write_text(TEST)
    git(rules, "add", ".")
    git(rules, "commit", "-qm", "history")
    (rules / "rules" / "mine.yaml").write_text(MUTED)
    git(rules, "add", ".")
    git(rules, "commit", "-qm", "mute")
    programs = tmp_path / "bin"
    programs.mkdir()
    program(programs / "quell", f'exec "{sys.executable}" -m quell.cli "$@"')
    program(programs / "pip", "exit 0")
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    return rules


def program(file: Path, text: str) -> None:
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)


def run(place: Path, name: str, shell: str = "bash", **environment: str) -> subprocess.CompletedProcess[str]:
    variables = {"QUELL_DIRECTORY": ".", "QUELL_HISTORY": "history", "QUELL_VERSION": "", "QUELL_HISTORY_URL": ""}
    words = [shell, "-e", "-c", SCRIPTS[name]] if shell == "sh" else [shell, "-eo", "pipefail", "-c", SCRIPTS[name]]
    return subprocess.run(
        words, cwd=place, env={**os.environ, **variables, **environment}, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_are_shell(name):
    shell = "bash" if name.startswith("github") else "sh"
    checked = subprocess.run([shell, "-n"], input=SCRIPTS[name], text=True, capture_output=True, check=False)
    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize("text", [*SCRIPTS.values(), *ENTRIES])
def test_commands_and_options_exist(text):
    context = click.Context(cli)
    for line in re.sub(r"\\\n\s*", "", text).splitlines():
        called = re.match(r"\s*quell (\S+)(.*)", line)
        if not called:
            continue
        assert called[1] in COMMANDS
        command = cli.get_command(context, called[1])
        assert command is not None
        known = {name for param in command.params for name in param.opts}
        assert set(re.findall(r"(?<=\s)--[a-z-]+", called[2])) <= known


@pytest.mark.parametrize("name", ["github/check/3", "github/check/4", "gitlab/quell-check/script"])
def test_a_change_is_checked_and_tested(place, name):
    ran = run(place, name)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize("name", ["github/check/3", "gitlab/quell-check/script"])
def test_secrets_and_tokens_are_not_needed(place, name, monkeypatch):
    monkeypatch.delenv("HOOK_SECRET", raising=False)
    (place / "quell.yaml").write_text(
        "tokens: tokens.yaml\n"
        'sources:\n  console: {use: console}\n  hook: {use: webhook, auth: {token: "env:HOOK_SECRET"}}\n'
    )
    ran = run(place, name)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    with_secrets = subprocess.run(["quell", "check", "."], cwd=place, capture_output=True, text=True, check=False)
    assert with_secrets.returncode == 2
    assert "tokens.yaml" in with_secrets.stderr
    assert "HOOK_SECRET" in with_secrets.stderr


@pytest.mark.parametrize("name", ["github/check/3", "gitlab/quell-check/script"])
def test_a_mistake_fails_the_job(place, name):
    (place / "rules" / "mine.yaml").write_text("mute: 7\n")
    ran = run(place, name)
    assert ran.returncode != 0
    assert "rules/mine.yaml:1:" in ran.stderr


@pytest.mark.parametrize(
    ("name", "shell", "base", "text"),
    [
        ("github/backtest/Backtest", "bash", "BASE", "TEXT"),
        ("gitlab/quell-backtest/script", "sh", "CI_MERGE_REQUEST_DIFF_BASE_SHA", "CI_MERGE_REQUEST_DESCRIPTION"),
    ],
)
def test_a_lost_page_fails_the_job_unless_it_is_allowed(place, name, shell, base, text):
    before = git(place, "rev-parse", "HEAD~1")
    ran = run(place, name, shell, **{base: before, text: "Mutes jobs.\n$(touch hacked) `touch hacked`\n"})
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert "**1 page lost: JobFailed**" in (place / "backtest.md").read_text()
    allowing = "Mutes jobs.\r\nAllow-lost-page: JobFailed\r\nAllow-lost-page: $(touch${IFS}hacked)\r\n"
    ran = run(place, name, shell, **{base: before, text: allowing})
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "all pages lost were allowed" in (place / "backtest.md").read_text()
    assert not (place / "hacked").exists()


def test_the_comment_is_made_once_and_then_replaced(place, tmp_path):
    (place / "backtest.md").write_text("<!-- quell backtest -->\n")
    said = tmp_path / "said"
    answer = tmp_path / "answer"
    answer.write_text("")
    program(tmp_path / "bin" / "gh", f'echo "$@" >>{said}; case "$*" in *--paginate*) cat {answer};; esac')
    environment = {"GH_TOKEN": "x", "GH_REPO": "ops/rules", "NUMBER": "7"}
    assert run(place, "github/comment/Comment", **environment).returncode == 0
    answer.write_text("41\n42\n")
    assert run(place, "github/comment/Comment", **environment).returncode == 0
    calls = [line for line in said.read_text().splitlines() if "--method" in line]
    assert calls == [
        "api --method POST repos/ops/rules/issues/7/comments --field body=@backtest.md --silent",
        "api --method PATCH repos/ops/rules/issues/comments/41 --field body=@backtest.md --silent",
    ]


def test_the_note_is_made_once_and_then_replaced(place, tmp_path):
    (place / "backtest.md").write_text("<!-- quell backtest -->\n")
    said, answer = tmp_path / "said", tmp_path / "answer"
    answer.write_text("[]")
    program(tmp_path / "bin" / "curl", f'echo "$@" >>{said}; case "$*" in *per_page*) cat {answer};; esac')
    program(tmp_path / "bin" / "python3", f'exec "{sys.executable}" "$@"')
    environment = {
        "CI_API_V4_URL": "https://git.example/api/v4",
        "CI_MERGE_REQUEST_PROJECT_ID": "3",
        "CI_MERGE_REQUEST_IID": "7",
        "QUELL_NOTE_TOKEN": "x",
    }
    ran = run(place, "gitlab/quell-backtest/after_script", "sh", **environment)
    assert ran.returncode == 0, ran.stderr
    answer.write_text('[{"id": 9, "body": "hello"}, {"id": 41, "body": "<!-- quell backtest -->\\nold"}]')
    assert run(place, "gitlab/quell-backtest/after_script", "sh", **environment).returncode == 0
    calls = [line.split()[-1] for line in said.read_text().splitlines() if "body@backtest.md" in line]
    notes = "https://git.example/api/v4/projects/3/merge_requests/7/notes"
    assert calls == [notes, f"{notes}/41"]


def test_only_the_commenting_job_may_write():
    jobs = yaml.safe_load(GITHUB.read_text())
    assert jobs["permissions"] == {"contents": "read"}
    assert {name: job["permissions"] for name, job in jobs["jobs"].items() if "permissions" in job} == {
        "comment": {"pull-requests": "write"}
    }
    assert not any("${{" in script for script in SCRIPTS.values())  # nothing of a pull request becomes shell


def test_the_hooks_are_what_pre_commit_expects(place):
    tool = Path(sys.executable).with_name("pre-commit")
    assert tool.exists() or shutil.which("pre-commit")
    checked = subprocess.run(
        [str(tool) if tool.exists() else "pre-commit", "validate-manifest", str(HOOKS)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stdout + checked.stderr
    for hook in yaml.safe_load(HOOKS.read_text()):
        words = [*hook["entry"].split(), *hook["args"]]
        ran = subprocess.run(words, cwd=place, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stdout + ran.stderr
