"""`quell train` from the command line: the file it writes, the difference it shows, and when it writes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.written import loaded_from
from quell.cli.main import run
from quell.core.engine import Engine
from quell.export.lines import record_line
from quell.model.records import FeedbackRecord
from quell.model.rulebook import Rulebook
from quell.model.weights import DEFAULT
from training.made import all_written, storm


@pytest.fixture(scope="module")
def doubtful(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Storms of which people say half the time that something else was the cause: quell is far too sure."""
    storms = [storm(f"s{at}", at, 15, mislabelled=0.5) for at in range(6)]
    return all_written(tmp_path_factory.mktemp("doubtful"), storms)


def test_what_is_better_is_written_to_be_reviewed(
    doubtful: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "weights.yaml"
    assert run(["train", str(doubtful), "--out", str(out)]) == 0
    said = capsys.readouterr()
    assert "nothing is in force yet" in said.out
    assert "Trained on 4, with 60 incidents: s0, s1, s3, s4." in said.err
    assert "Reported on 2 others: s2, s5." in said.err
    text = out.read_text()
    assert 'reported: ["s2", "s5"]' in text
    assert "# ships: " in text
    assert "60 answers" in text
    weights = loaded_from({"rules/weights.yaml": text}).rulebook.correlate.weights
    assert weights.confidence != DEFAULT.confidence
    assert weights.prices == DEFAULT.prices
    out.write_text(text.replace("constant: ", "constant: 1"))
    assert run(["train", str(doubtful), "--out", str(out), "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert "-    constant: 1" in shown
    assert "constant: 1" in out.read_text()


def test_what_is_no_better_is_said_and_not_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    all_written(tmp_path / "plain", [storm(f"s{at}", at, 8) for at in range(5)])
    out = tmp_path / "weights.yaml"
    assert run(["train", str(tmp_path / "plain"), "--out", str(out)]) == 1
    said = capsys.readouterr().err
    assert "no better than those that ship on the storms reported on; nothing was written" in said
    assert "score: 1.000 (what ships: 1.000)" in said
    assert "lags: score +0.000 (0 storms better, 0 worse): left as it ships" in said
    assert not out.exists()


def test_too_little_and_wrong_words_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    all_written(tmp_path / "few", [storm(f"s{at}", at, 2) for at in range(3)])
    assert run(["train", str(tmp_path / "few")]) == 1
    assert "too little to train on: 2 storms with 4 incidents" in capsys.readouterr().err
    assert run(["train", str(tmp_path / "few"), "--search", "opening,closing"]) == 2
    assert '--search: "closing" is not searched; known: all, opening' in capsys.readouterr().err
    one = str(tmp_path / "few" / "s0")
    assert run(["train", str(tmp_path / "few"), "--report", one]) == 1
    assert '"s0" is named twice; what is trained on is not reported on' in capsys.readouterr().err
    all_written(tmp_path / "more", [storm("s0", 9, 2)])
    assert run(["train", str(tmp_path / "few"), "--report", str(tmp_path / "more")]) == 1
    assert "too little to train on: 3 storms with 6 incidents" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert run(["train", str(tmp_path / "empty")]) == 2
    assert "holds no truth.jsonl, and no folder that does" in capsys.readouterr().err


def test_what_people_said_of_one_past_is_learned_from(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = storm("past", 1, 36)
    engine = Engine(Rulebook())
    for record in made.records:
        engine.decide([record], record.arrived)
    opened = {one.id: one.opened_at for one in engine.state.incidents.values()}
    words = [
        FeedbackRecord(at=at + 600.0, verdict="right_cause" if number % 3 else "wrong_cause", incident=name, by="ana")
        for number, (name, at) in enumerate(sorted(opened.items(), key=lambda one: one[1]))
    ]
    kept = tmp_path / "kept.jsonl"
    records = sorted((*made.records, *words), key=lambda record: record.arrived)
    kept.write_bytes(b"".join(record_line(record) + b"\n" for record in records))
    assert run(["train", "--feedback", str(kept)]) == 1
    said = capsys.readouterr().err
    assert "kept.jsonl: 36 words of people\n" in said
    assert "Trained on 4, with 24 incidents: kept.jsonl, part 1, kept.jsonl, part 2" in said
    assert "confidence: 24 answers, 16 of them right: at least 60 are needed" in said


def test_nothing_is_put_in_force_and_no_hours_are_lost(
    doubtful: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "quell.yaml").write_text("listen: 127.0.0.1:9099\n")
    (tmp_path / "rules" / "own").mkdir(parents=True)
    for inside in ("rules/weights.yaml", "rules/own/weights.yaml"):
        assert run(["train", str(doubtful), "--out", str(tmp_path / inside)]) == 2
        assert "a daemon that runs with them would take it up at once" in capsys.readouterr().err
        assert not (tmp_path / inside).exists()
    assert run(["train", str(doubtful), "--out", str(tmp_path / "nowhere" / "weights.yaml")]) == 2
    assert "--out: there is no directory" in capsys.readouterr().err
