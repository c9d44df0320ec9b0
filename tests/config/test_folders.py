"""Which files below rules/, playbooks/ and profiles/ count, and what is said of those that nobody can look at."""

import os
import pathlib

import pytest

from quell.config import check, load, watched
from quell.config.folders import files_below
from quell.daemon.reload import digest_of, stamp_of

MUTE = 'mute:\n  - {{name: "{0}", match: [\'a="b"\'], reason: "known"}}\n'


@pytest.fixture
def place(tmp_path: pathlib.Path) -> pathlib.Path:
    (tmp_path / "conf" / "rules").mkdir(parents=True)
    (tmp_path / "conf" / "quell.yaml").write_text("tokens: null\n")
    (tmp_path / "conf" / "rules" / "own.yaml").write_text(MUTE.format("own"))
    return tmp_path / "conf"


def muted(place: pathlib.Path) -> list[str]:
    return [rule.name for rule in load(place, {}, {}).rulebook.mute]


def said(place: pathlib.Path) -> list[str]:
    return [str(problem).splitlines()[0] for problem in check(place, {}, {})]


def test_a_linked_folder_counts_once_and_a_link_back_is_not_followed(place: pathlib.Path) -> None:
    team = place.parent / "team"
    team.mkdir()
    (team / "team.yaml").write_text(MUTE.format("team"))
    (place / "rules" / "team").symlink_to(team)
    (place / "rules" / "back").symlink_to(place)

    assert muted(place) == ["own", "team"]
    assert place / "rules" / "team" / "team.yaml" in watched(place)


def test_folders_that_link_to_one_another_count_once_each(place: pathlib.Path) -> None:
    teams = [f"team-{number}" for number in range(8)]
    for name in teams:
        (place / "rules" / name).mkdir()
        (place / "rules" / name / "own.yaml").write_text(MUTE.format(name))
        for other in teams:
            if other != name:
                (place / "rules" / name / f"a-{other}").symlink_to(f"../{other}")
    (place / "rules" / "also").symlink_to("team-3")

    files = [place / "rules" / name / "own.yaml" for name in teams]
    assert files_below(place / "rules", (".yaml",)) == [place / "rules" / "own.yaml", *files]


def test_files_as_kubernetes_mounts_them_are_read_once(place: pathlib.Path) -> None:
    rules = place / "rules"
    (rules / "..2026_03_01").mkdir()
    (rules / "own.yaml").rename(rules / "..2026_03_01" / "own.yaml")
    (rules / "..data").symlink_to("..2026_03_01")
    (rules / "own.yaml").symlink_to("..data/own.yaml")

    assert muted(place) == ["own"]


def test_a_link_to_nothing_is_a_problem(place: pathlib.Path) -> None:
    (place / "rules" / "gone.yaml").symlink_to("nowhere")

    assert said(place) == ["rules/gone.yaml: the file cannot be read: No such file or directory"]


@pytest.mark.parametrize("name", [b"rules/b\xffd.yaml", b"profiles/b\xffd.json"])
def test_a_file_whose_name_is_no_text_is_a_problem_and_stops_no_look(place: pathlib.Path, name: bytes) -> None:
    (place / "profiles").mkdir()
    odd = os.fsencode(place) + b"/" + name
    pathlib.Path(os.fsdecode(odd)).write_text("")

    shown = name.decode("utf-8", "backslashreplace")
    assert said(place) == [f"{shown}: the name of the file is not UTF-8 text; rename it"]
    assert digest_of(watched(place)) != digest_of([])


def test_a_name_that_no_file_can_have_stops_no_look_either(place: pathlib.Path) -> None:
    (place / "quell.yaml").write_text('tokens: "a\\0b"\n')

    assert [pathlib.Path(name).name for name, *_ in stamp_of(watched(place))] == ["quell.yaml", "own.yaml"]
    assert digest_of(watched(place)) == digest_of([place / "quell.yaml", place / "rules" / "own.yaml"])


@pytest.mark.parametrize("folder", ["rules", "playbooks", "profiles"])
def test_a_folder_that_is_none_is_a_problem(place: pathlib.Path, folder: str) -> None:
    if folder == "rules":
        (place / "rules" / "own.yaml").unlink()
        (place / "rules").rmdir()
    (place / folder).write_text("")

    assert said(place) == [f"{folder}: the folder cannot be read: Not a directory"]


def refusing(monkeypatch: pytest.MonkeyPatch, name: str, refusal: OSError) -> None:
    look = os.scandir

    def scandir(path: str) -> object:
        if pathlib.Path(path).name == name:
            refusal.filename = path
            raise refusal
        return look(path)

    monkeypatch.setattr(os, "scandir", scandir)


def test_rules_do_not_go_away_with_the_right_to_look_into_their_folder(
    place: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / "rules" / "team").mkdir()
    refusing(monkeypatch, "team", PermissionError(13, "Permission denied"))

    assert said(place) == ["rules/team: the folder cannot be read: Permission denied"]
    assert place / "rules" / "own.yaml" in watched(place), "the look for changes goes on"


def test_what_may_be_otherwise_in_a_moment_is_no_mistake(place: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refusing(monkeypatch, "rules", OSError(24, "Too many open files"))

    with pytest.raises(OSError, match="Too many open files"):
        files_below(place / "rules", (".yaml",))


@pytest.mark.parametrize("name", ["quell.yaml", "own.yaml", "users.json"])
def test_a_file_that_cannot_be_opened_for_a_moment_is_no_mistake(
    name: str, place: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / "profiles").mkdir()
    (place / "profiles" / "users.json").write_text("{}")
    look = pathlib.Path.open

    def no_file(path: pathlib.Path, mode: str = "r") -> object:
        if path.name == name:
            raise OSError(24, "Too many open files")
        return look(path, mode)

    monkeypatch.setattr(pathlib.Path, "open", no_file)
    with pytest.raises(OSError, match="Too many open files"):
        load(place, {}, {})
