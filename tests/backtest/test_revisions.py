"""A revision is read and nothing that the repository says is done."""

import pytest

from backtest.shop import git, repository
from quell.backtest.revisions import write_revision
from quell.backtest.versions import version_of
from quell.errors import BacktestError


@pytest.fixture
def rules(tmp_path):
    return repository(tmp_path / "repo", "ops/quell")


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_it_is_what_was_committed_and_nothing_else(rules, tmp_path):
    (rules / "playbooks").mkdir()
    (rules / "playbooks" / "a.yaml").write_text("playbook: a\n")
    (rules / "playbooks" / "README.md").write_text("x")
    (rules / "profiles").mkdir()
    (rules / "profiles" / "payments.json").write_text("{}")
    (rules / "profiles" / "README.md").write_text("x")
    (rules / "notes").mkdir()
    (rules / "notes" / "b.yaml").write_text("x")
    git(rules, "add", ".")
    git(rules, "commit", "-qm", "more")
    (rules / "rules" / "map.yaml").write_text("changed: since\n")
    written = write_revision(rules, "HEAD", tmp_path / "out")
    assert files(written.directory) == [
        "playbooks/a.yaml", "profiles/payments.json", "quell.yaml", "rules/map.yaml",
    ]  # fmt: skip
    assert "services" in (written.directory / "rules" / "map.yaml").read_text()
    assert written.commit == git(rules, "rev-parse", "HEAD")
    assert files(write_revision(rules, "HEAD~1", tmp_path / "before").directory) == ["quell.yaml", "rules/map.yaml"]
    assert git(rules, "status", "--porcelain") == "M ops/quell/rules/map.yaml"
    assert git(rules, "worktree", "list").count("\n") == 0


def test_the_top_of_a_repository_is_a_directory_too(tmp_path):
    rules = repository(tmp_path / "repo")
    assert files(write_revision(rules, "main", tmp_path / "out").directory) == ["quell.yaml", "rules/map.yaml"]


def test_hooks_filters_and_monitors_are_not_run(rules, tmp_path):
    ran = tmp_path / "ran"
    command = f"touch {ran}; cat"
    (rules / ".gitattributes").write_text("*.yaml filter=evil diff=evil export-subst\n")
    (rules / "rules" / "map.yaml").write_text("# $Format:%H$\nmap: []\n")
    git(rules, "add", ".")
    git(rules, "commit", "-qm", "attributes")
    for key in ("filter.evil.smudge", "filter.evil.clean", "diff.evil.textconv", "core.fsmonitor", "core.sshCommand"):
        git(rules, "config", key, command)
    hooks = rules.parent.parent / ".git" / "hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("post-checkout", "post-index-change", "reference-transaction", "pre-commit"):
        (hooks / name).write_text(f"#!/bin/sh\n{command}\n")
        (hooks / name).chmod(0o755)
    written = write_revision(rules, "HEAD", tmp_path / "out")
    assert "$Format:%H$" in (written.directory / "rules" / "map.yaml").read_text()
    assert not ran.exists()


def test_links_are_left_out_and_told(rules, tmp_path):
    (rules / "rules" / "passwd.yaml").symlink_to("/etc/passwd")
    git(rules, "add", ".")
    git(rules, "commit", "-qm", "a link")
    written = write_revision(rules, "HEAD", tmp_path / "out")
    assert files(written.directory) == ["quell.yaml", "rules/map.yaml"]
    assert written.left_out == ("rules/passwd.yaml is no file in the repository (a link, or another repository)",)


def test_the_environment_of_a_hook_does_not_lead_elsewhere(rules, tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "index"))
    assert write_revision(rules, "HEAD", tmp_path / "out").commit


@pytest.mark.parametrize(
    ("revision", "said"),
    [
        ("nope", '"nope" is neither'),
        ("--help", "is neither"),
        ("HEAD:ops", "is neither"),
        ("a\nb", "is neither"),
        ("", "is neither"),
    ],
)
def test_what_is_no_revision_is_told(rules, tmp_path, revision, said):
    with pytest.raises(BacktestError, match=said):
        write_revision(rules, revision, tmp_path / "out")


def test_a_directory_that_was_not_there_then(rules, tmp_path):
    first = git(rules, "rev-parse", "HEAD")
    (rules.parent / "other").mkdir()
    with pytest.raises(BacktestError, match="was not there at"):
        write_revision(rules.parent / "other", first, tmp_path / "out")


def test_outside_of_any_repository(tmp_path):
    with pytest.raises(BacktestError, match="lies in no git repository"):
        write_revision(tmp_path, "HEAD", tmp_path / "out")


def test_without_git_it_is_said(rules, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BacktestError, match="git is not installed"):
        write_revision(rules, "HEAD", tmp_path / "out")


def test_names(rules, tmp_path):
    assert version_of("", rules, tmp_path / "1").shown == "the working tree"
    assert version_of("none", rules, tmp_path / "2").directory is None
    assert version_of(str(rules), rules, tmp_path / "3").directory == rules
    commit = git(rules, "rev-parse", "HEAD")
    assert version_of("main", rules, tmp_path / "4").shown == f"main ({commit[:10]})"
    assert version_of(commit, rules, tmp_path / "5").shown == commit
