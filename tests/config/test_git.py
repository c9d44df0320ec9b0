"""What quell.yaml may say of a repository, and where rules are read from then."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from quell.config import RulesAt, check, load, watched
from quell.config.git_file import ACTIVE_FILE, Active

GIT = "git:\n  url: {url}\n  unsigned: true\n"
PLAYBOOK = "playbook: {name}\nsteps:\n  - {{id: a, do: approve, with: {{who: [role:sre]}}}}\n"


def written(directory: Path, text: str) -> Path:
    (directory / "quell.yaml").write_text(text)
    return directory


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("git:\n  url: https://example.com/r.git\n", "whose commits are taken is not said"),
        ("git:\n  url: https://example.com/r.git\n  unsigned: true\n  signers: quell.yaml\n", "exclude each other"),
        ("git:\n  url: https://example.com/r.git\n  signers: nowhere\n", '"nowhere" is not there'),
        (GIT.format(url="http://example.com/r.git"), "no address of a repository"),
        (GIT.format(url='"ext::sh -c id"'), "no address of a repository"),
        (GIT.format(url="https://me:hunter2@example.com/r.git"), "may not hold a password"),
        (GIT.format(url="https://example.com/r.git") + "  branch: --upload-pack=x\n", "not the name of a branch"),
        (GIT.format(url="https://example.com/r.git") + "  folder: ../up\n", "leads out of the repository"),
        (GIT.format(url="https://example.com/r.git") + "  every: 1s\n", "too often"),
        (GIT.format(url="https://example.com/r.git") + "  token: abc\n", "may not stand in the file itself"),
        (GIT.format(url="https://example.com/r.git") + "  brunch: x\n", "brunch"),
    ],
)
def test_what_is_wrong_is_said_at_its_place(tmp_path: Path, text: str, said: str) -> None:
    problems = check(written(tmp_path, text), {}, {})
    assert len(problems) == 1, problems
    assert said in problems[0].message or said in problems[0].suggestion
    assert problems[0].file == "quell.yaml"
    assert problems[0].line >= 1
    assert "hunter2" not in str(problems[0])


def test_rules_are_those_of_the_commit_in_use(tmp_path: Path) -> None:
    written(tmp_path, GIT.format(url="git@example.com:ops/rules.git"))
    (tmp_path / "playbooks").mkdir()
    (tmp_path / "playbooks/here.yaml").write_text(PLAYBOOK.format(name="here"))
    before = load(tmp_path, {}, {})
    assert before.rulebook.playbooks == ()
    assert any("no commit has been taken up yet" in one.message for one in before.warnings)
    keep = tmp_path / ".quell/git"
    tree = keep / "trees/abc/playbooks"
    tree.mkdir(parents=True)
    (tree / "there.yaml").write_text(PLAYBOOK.format(name="there"))
    active = Active(commit="abc", tree="trees/abc", signer="ana@example.com")
    (keep / ACTIVE_FILE).write_bytes(msgspec.json.encode(active))
    found = load(tmp_path, {}, {})
    (playbook,) = found.rulebook.playbooks
    assert (playbook.name, playbook.place.commit, playbook.place.signer) == ("there", "abc", "ana@example.com")
    assert playbook.place.file == "playbooks/there.yaml"
    assert playbook.steps[0].place.commit == "abc"
    assert keep / ACTIVE_FILE in watched(tmp_path)
    assert tmp_path / "playbooks/here.yaml" not in watched(tmp_path)
    other = load(tmp_path, {}, {}, rules=RulesAt(tmp_path, "def"))
    assert [(one.name, one.place.commit) for one in other.rulebook.playbooks] == [("here", "def")]


@pytest.mark.parametrize("name", [ACTIVE_FILE, "token"])
def test_rules_do_not_go_away_while_nobody_can_read_which_commit_is_in_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    written(tmp_path, GIT.format(url="https://example.com/r.git") + "  token: file:token\n")
    (tmp_path / "token").write_text("abc")
    keep = tmp_path / ".quell" / "git"
    (keep / "trees" / "abc" / "playbooks").mkdir(parents=True)
    (keep / ACTIVE_FILE).write_bytes(msgspec.json.encode(Active(commit="abc", tree="trees/abc", signer="")))
    load(tmp_path, {}, {})
    opened = Path.open

    def no_file(path: Path, mode: str = "r") -> object:
        if path.name == name:
            raise OSError(24, "Too many open files")
        return opened(path, mode)

    monkeypatch.setattr(Path, "open", no_file)
    with pytest.raises(OSError, match="Too many open files"):
        load(tmp_path, {}, {})


def test_a_torn_word_of_the_commit_in_use_is_as_none(tmp_path: Path) -> None:
    written(tmp_path, GIT.format(url="https://example.com/r.git"))
    keep = tmp_path / ".quell" / "git"
    keep.mkdir(parents=True)
    for torn in (b"", b'{"commit": "a', b'{"commit": "\xff", "tree": "t", "signer": ""}'):
        (keep / ACTIVE_FILE).write_bytes(torn)
        assert "no commit has been taken up yet" in str(load(tmp_path, {}, {}).warnings)
