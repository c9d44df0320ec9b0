"""quell suggest: offline over records, and what its file is good for."""

import json

import pytest

from quell.cli.main import run
from quell.model.times import format_time

T0 = 1_700_000_000.0


@pytest.fixture
def records(tmp_path):
    """A blip twice a day for a fortnight, which always ended by itself."""
    lines = []
    for n in range(28):
        at = T0 + n * 43_200.0
        labels = {"alertname": "QueueBlip", "service": "cart", "severity": "critical"}
        source = {"kind": "alert", "source": "test", "labels": labels}
        lines.append({**source, "at": format_time(at), "status": "firing", "starts_at": format_time(at)})
        lines.append({**source, "at": format_time(at + 90), "status": "resolved", "ends_at": format_time(at + 90)})
    path = tmp_path / "records.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_what_is_suggested_of_records_passes_the_check(tmp_path, records, capsys):
    conf = tmp_path / "conf"
    assert run(["init", str(conf)]) == 0
    capsys.readouterr()
    out = conf / "rules" / "suggested.yaml"
    assert run(["suggest", str(records), "--config", str(conf), "--out", str(out)]) == 0
    assert capsys.readouterr().out == f"{out}: 1 suggestion to review\n"
    text = out.read_text()
    assert text.startswith("# Suggested by quell from alerts since 2023-11-1")
    assert 'hold: "3m"' in text
    assert run(["check", str(conf)]) == 0
    capsys.readouterr()
    # What is in force is not suggested again.
    assert run(["suggest", str(records), "--config", str(conf)]) == 0
    told = capsys.readouterr()
    assert "nothing to suggest from alerts since" in told.err
    assert all(line.startswith("#") for line in told.out.splitlines())


def test_programs_get_json_and_people_yaml(records, capsys):
    assert run(["suggest", str(records)]) == 0
    assert "triage:\n  rules:\n    # sug-" in capsys.readouterr().out
    assert run(["suggest", str(records), "--json"]) == 0
    (hold,) = json.loads(capsys.readouterr().out)["suggestions"]
    assert (hold["kind"], hold["support"], hold["rule"]["verdict"]) == ("hold", 28, "hold")


def test_a_rejection_among_the_records_counts_too(tmp_path, records, capsys):
    assert run(["suggest", str(records), "--json"]) == 0
    (hold,) = json.loads(capsys.readouterr().out)["suggestions"]
    at = format_time(T0 + 28 * 43_200.0)
    line = {"kind": "feedback", "at": at, "verdict": "not_actionable", "suggestion": hold["id"], "by": "ana"}
    said = tmp_path / "said.jsonl"
    said.write_text(json.dumps(line) + "\n")
    assert run(["suggest", str(records), str(said), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["suggestions"], told["declined"]) == ([], 1)


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["suggest", "--config", "."], 2, "--config goes with RECORDS"),
        (["suggest", "RECORDS", "--reject", "sug-1"], 2, "--reject asks a daemon"),
        (["suggest", "RECORDS", "--out", "/nowhere/at/all.yaml"], 1, "cannot be written"),
        (["suggest", "--url", "http://127.0.0.1:1"], 1, "127.0.0.1:1"),
    ],
)
def test_what_cannot_be_done_says_why(records, capsys, words, code, message):
    assert run([str(records) if word == "RECORDS" else word for word in words]) == code
    assert message in capsys.readouterr().err
