from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from connectors.deliveries import built
from quell.errors import Refused, Unreachable
from quell.sdk.connector import Call, Done
from quell.sdk.testkit import NOW, run
from quell_connectors.console import Console
from quell_connectors.file import FileSink
from quell_connectors.file.lines import TAIL_BYTES


def act(sink: Any, action: str, key: str = "page/1", dry_run: bool = False, **params: Any) -> Done:
    done: Done = run(sink.act(Call(key, action, params, NOW, dry_run)))
    return done


def lines(path: Path) -> list[dict[str, Any]]:
    return [msgspec.json.decode(line) for line in path.read_bytes().splitlines()]


def test_a_page_is_one_line_however_often_it_is_sent(tmp_path: Path) -> None:
    path = tmp_path / "pages.jsonl"
    sink = built(FileSink, path=str(path))

    first = act(sink, "page", text="cart is down", title="cart", incident="inc-1", severity="")
    again = act(built(FileSink, path=str(path)), "page", text="cart is down")
    act(sink, "page", key="page/2", text="next")

    assert (first.output["written"], again.output["written"]) == (True, False)
    assert first.sentence == again.sentence == f"a line with key page/1 is in {path}"
    assert lines(path) == [
        {"text": "cart is down", "title": "cart", "incident": "inc-1", "at": "2026-03-01T10:00:00.000Z",
         "key": "page/1", "action": "page"},
        {"text": "next", "at": "2026-03-01T10:00:00.000Z", "key": "page/2", "action": "page"},
    ]  # fmt: skip
    assert path.stat().st_mode & 0o007 == 0


def test_fields_of_one_s_own_cannot_take_the_key_s_place(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    act(built(FileSink, path=str(path)), "append", fields={"key": "other", "cost": 3}, text="t")

    assert [(line["key"], line["cost"], line["text"]) for line in lines(path)] == [("page/1", 3, "t")]


def test_a_line_cut_off_by_a_crash_is_not_taken_for_done(tmp_path: Path) -> None:
    path = tmp_path / "pages.jsonl"
    path.write_bytes(b'{"key":"page/0"}\nnot json\n{"key":"page/1"}')

    assert act(built(FileSink, path=str(path)), "page", text="a").output["written"] is True
    assert path.read_bytes().splitlines()[2] == b'{"key":"page/1"}'
    assert msgspec.json.decode(path.read_bytes().splitlines()[3])["text"] == "a"


def test_a_key_is_found_in_a_long_file(tmp_path: Path) -> None:
    path = tmp_path / "pages.jsonl"
    path.write_bytes(b'{"key":"x"}\n' * (TAIL_BYTES // 10) + b'{"key":"page/1"}\n' + b'{"key":"y"}\n' * 50)

    assert act(built(FileSink, path=str(path)), "page", text="a").output["written"] is False


@pytest.mark.parametrize(("place", "reason"), [("no/such/dir/f", "no such file"), (".", "is a directory")])
def test_a_path_that_cannot_be_written_is_refused(tmp_path: Path, place: str, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        act(built(FileSink, path=str(tmp_path / place)), "page", text="a")


def test_a_full_disk_is_worth_another_try() -> None:
    if not Path("/dev/full").exists():
        pytest.fail("/dev/full is needed")
    with pytest.raises(Unreachable, match="no space left") as caught:
        act(built(FileSink, path="/dev/full"), "page", text="a")
    assert isinstance(caught.value.__cause__, OSError)
    assert caught.value.__cause__.errno == errno.ENOSPC


def test_what_json_cannot_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="cannot be written as JSON"):
        act(built(FileSink, path=str(tmp_path / "f")), "append", fields={"x": object()})
    assert not (tmp_path / "f").exists()


def test_a_dry_run_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "f"
    assert act(built(FileSink, path=str(path)), "page", dry_run=True, text="a").sentence == (
        f"a line with key page/1 would be in {path}"
    )
    assert act(built(Console), "page", dry_run=True, text="a").sentence == "a page would be on the console"
    assert not path.exists()
    assert capsys.readouterr().out == ""


def test_the_console_shows_a_card_that_cannot_play_tricks(capsys: pytest.CaptureFixture[str]) -> None:
    act(built(Console), "page", text="cart\x1b[31m is\r down\nbecause of db\ttimeouts", title="Cart", severity="high",
        incident="inc-1")  # fmt: skip
    act(built(Console), "print", text="a note", title="a note")

    out = capsys.readouterr().out
    rule = "─" * 78
    assert out.splitlines()[0] == "── PAGE high · inc-1 [page/1] ".ljust(78, "─")
    assert out.splitlines()[1:5] == ["Cart", "cart[31m is down", "because of db    timeouts", rule]
    assert out.splitlines()[5:] == ["── PRINT [page/1] ".ljust(78, "─"), "a note", rule]


def test_a_closed_console_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as stream:
        monkeypatch.setattr("sys.stdout", stream)
        with pytest.raises(Refused, match="the console cannot be written to"):
            act(built(Console), "print", text="a")
        with pytest.raises(BrokenPipeError):
            stream.close()
